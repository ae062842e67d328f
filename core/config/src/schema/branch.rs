//! Alternatives (`oneOf`, `anyOf`): the mistake is told against the one that was probably meant.

use serde_json::Value as Json;

use super::{Place, Validator, shape};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Table, Value};

impl Validator<'_> {
    pub(super) fn branches(
        &self,
        node: &Node,
        branches: &[Json],
        place: &Place,
        depth: usize,
        found: &mut Vec<Diagnostic>,
    ) {
        let branches: Vec<&Json> = branches
            .iter()
            .map(|branch| shape::target(self.root, branch).unwrap_or(branch))
            .filter(|branch| shape::types(branch) != ["null"])
            .collect();
        if let [only] = branches[..] {
            return self.value(node, only, place, depth, found);
        }
        let mut attempts = Vec::new();
        for branch in &branches {
            let mut attempt = Vec::new();
            self.value(node, branch, place, depth, &mut attempt);
            if attempt.is_empty() {
                return;
            }
            attempts.push(attempt);
        }
        if let Value::Table(table) = &node.value
            && let Some(tag) = tag(&branches)
        {
            return self.tagged(table, tag, &branches, attempts, place, found);
        }
        let fits = |branch: &&&Json| {
            let types = self.all_types(branch);
            types.is_empty() || types.iter().any(|name| shape::accepts(name, node))
        };
        if !branches.iter().any(|branch| fits(&branch)) {
            let types: Vec<&str> =
                branches.iter().flat_map(|branch| self.all_types(branch)).collect();
            found.push(self.wrong_type(node, &types, &branches, place));
            return;
        }
        let allowed: Option<Vec<Vec<&Json>>> =
            branches.iter().filter(fits).map(|branch| shape::values(branch)).collect();
        if let Some(allowed) = allowed {
            return self.one_of(node, &allowed.concat(), place, found);
        }
        let fitting = branches.iter().zip(attempts).filter(|(branch, _)| fits(branch));
        if let Some((_, closest)) = fitting.min_by_key(|(_, attempt)| attempt.len()) {
            found.extend(closest);
        }
    }

    /// A table whose kind is told by the option `tag`.
    fn tagged(
        &self,
        table: &Table,
        tag: &str,
        branches: &[&Json],
        attempts: Vec<Vec<Diagnostic>>,
        place: &Place,
        found: &mut Vec<Diagnostic>,
    ) {
        let allowed: Vec<&Json> =
            branches.iter().filter_map(|branch| constant(branch, tag)).collect();
        let Some(entry) = table.get(tag) else {
            let names = allowed.iter().filter_map(|value| value.as_str());
            let help = format!("`{tag}` is one of {}", crate::suggest::list(names));
            found.push(self.missing(tag, &Json::Null, place).help(help));
            return;
        };
        let meant = |value: &Json| {
            entry.node.as_text().is_some_and(|text| value.as_str() == Some(&text.value))
        };
        match allowed.iter().position(|value| meant(value)) {
            Some(at) => found.extend(attempts.into_iter().nth(at).unwrap_or_default()),
            None => self.one_of(&entry.node, &allowed, &place.option(tag, entry.key_span), found),
        }
    }

    fn all_types<'s>(&'s self, schema: &'s Json) -> Vec<&'s str> {
        shape::expand(self.root, &[schema]).into_iter().flat_map(shape::types).collect()
    }
}

/// The property that is a different constant in every branch.
fn tag<'s>(branches: &[&'s Json]) -> Option<&'s str> {
    let properties = branches.first()?.get("properties")?.as_object()?;
    let is_tag = |name: &&String| branches.iter().all(|branch| constant(branch, name).is_some());
    properties.keys().find(is_tag).map(String::as_str)
}

fn constant<'s>(branch: &'s Json, name: &str) -> Option<&'s Json> {
    let property = branch.get("properties")?.get(name)?;
    match shape::values(property)?.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}
