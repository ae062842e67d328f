//! Which programs need no overlay: those that read no field after they may have written it, and write none twice.
//!
//! Such a program can be evaluated over all events first, each write into a column of its own, and the columns
//! be written afterwards, one after the other. A program that is none of them is run event by event.
//!
//! **Invariant:** whatever is planned here gives what the overlay of [`Context`](crate::context::Context) gives,
//! down to the order of fields that are new.

use crate::constant::Constant;
use crate::context::{Path, Target};
use crate::node::Node;

/// How a program is carried out column by column.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The statements that are evaluated for every event, by their index.
    pub steps: Box<[usize]>,
    /// What is written, in the order of the roots: that of the overlay.
    pub writes: Box<[PlannedWrite]>,
    /// The column of each root that has one.
    pub columns: Box<[Option<usize>]>,
}

/// What becomes of one field.
#[derive(Debug)]
pub(crate) struct PlannedWrite {
    pub root: usize,
    pub change: Change,
}

#[derive(Debug)]
pub(crate) enum Change {
    /// Every event whose program does not fail gets this.
    Same(Constant),
    /// Every event whose program does not fail loses it.
    Remove,
    /// What was evaluated, in the column of this number.
    Column(usize),
}

impl Plan {
    /// The plan of a program with so many roots, if it can be carried out by one.
    pub(crate) fn of(program: &Node, roots: usize) -> Option<Self> {
        let mut planner = Planner::default();
        let mut steps = Vec::new();
        for (index, statement) in statements(program).iter().enumerate() {
            if let Some((root, change)) = same_for_all(statement) {
                planner.mark(root)?;
                planner.writes.push(PlannedWrite { root, change });
            } else {
                planner.step(statement)?;
                steps.push(index);
            }
        }
        let mut columns = vec![None; roots];
        for (column, root) in planner.columns.iter().enumerate() {
            columns[*root] = Some(column);
            planner.writes.push(PlannedWrite { root: *root, change: Change::Column(column) });
        }
        planner.writes.sort_by_key(|write| write.root);
        Some(Self { steps: steps.into(), writes: planner.writes.into(), columns: columns.into() })
    }

    /// Number of columns.
    pub(crate) fn column_count(&self) -> usize {
        self.columns.iter().flatten().count()
    }
}

/// The statements of a program.
pub(crate) fn statements(program: &Node) -> &[Node] {
    match program {
        Node::Block(statements) => statements,
        only => std::slice::from_ref(only),
    }
}

/// The write of a statement that does the same to every event.
fn same_for_all(statement: &Node) -> Option<(usize, Change)> {
    match statement {
        Node::Assign(target, value) => match &**value {
            // These are written as JSON first, and that can take too much.
            Node::Constant(Constant::Array(_) | Constant::Object(_) | Constant::Regex(_)) => None,
            Node::Constant(constant) => Some((plain_root(target)?, Change::Same(constant.clone()))),
            _ => None,
        },
        Node::Delete(target, _) => Some((plain_root(target)?, Change::Remove)),
        _ => None,
    }
}

/// The root of a target that is a field as a whole.
fn plain_root(target: &Target) -> Option<usize> {
    match target {
        Target::Path(Path { root, rest }) if rest.is_empty() => Some(*root),
        _ => None,
    }
}

#[derive(Default)]
struct Planner {
    /// Roots that may have been written here.
    written: Vec<usize>,
    writes: Vec<PlannedWrite>,
    /// The roots of the columns.
    columns: Vec<usize>,
}

impl Planner {
    fn mark(&mut self, root: usize) -> Option<()> {
        if self.written.contains(&root) {
            return None;
        }
        self.written.push(root);
        Some(())
    }

    fn column(&mut self, root: usize) -> Option<()> {
        self.mark(root)?;
        if !self.columns.contains(&root) {
            self.columns.push(root);
        }
        Some(())
    }

    /// A statement that is evaluated for every event.
    fn step(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Block(statements) => statements.iter().try_for_each(|node| self.step(node)),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                self.reads(condition)?;
                let before = self.written.clone();
                self.step(then)?;
                let after_then = std::mem::replace(&mut self.written, before);
                self.step(otherwise)?;
                self.written.extend(after_then);
                Some(())
            }
            Node::Assign(target @ (Target::Path(_) | Target::Event), value) => {
                let root = plain_root(target)?;
                match &**value {
                    Node::Delete(from @ Target::Path(_), _) => self.column(plain_root(from)?)?,
                    value => self.reads(value)?,
                }
                self.column(root)
            }
            Node::Delete(target @ (Target::Path(_) | Target::Event), _) => {
                self.column(plain_root(target)?)
            }
            node => self.reads(node),
        }
    }

    /// An expression that changes nothing of the event and reads nothing that may have been written.
    fn reads(&self, node: &Node) -> Option<()> {
        let all = |nodes: &[Node]| nodes.iter().try_for_each(|node| self.reads(node));
        match node {
            Node::Constant(_) | Node::Grok(_) | Node::Variable(_) => Some(()),
            Node::Event => self.whole(),
            Node::Path(path) | Node::Check(path, _) => self.root(path.root),
            Node::Query(inner, _) | Node::Not(inner) | Node::Bang(inner) => self.reads(inner),
            Node::Compare(_, sides) | Node::Arithmetic(_, sides) | Node::Merge(sides) => {
                all(&sides[..])
            }
            Node::And(parts)
            | Node::Or(parts)
            | Node::Coalesce(parts)
            | Node::Array(parts)
            | Node::Template(parts)
            | Node::Block(parts) => all(parts),
            Node::If(parts) => all(&parts[..]),
            Node::Object(members) => members.iter().try_for_each(|(_, node)| self.reads(node)),
            Node::Call(_, arguments) => {
                arguments.iter().flatten().try_for_each(|node| self.reads(node))
            }
            Node::Closure(_, arguments, closure) => {
                arguments.iter().flatten().try_for_each(|node| self.reads(node))?;
                self.reads(&closure.body)
            }
            Node::Assign(target, value) => {
                is_outside(target)?;
                self.reads(value)
            }
            Node::AssignResult(parts) => {
                is_outside(&parts.ok)?;
                is_outside(&parts.error)?;
                self.reads(&parts.value)
            }
            Node::Delete(target, _) => is_outside(target),
            Node::Exists(Target::Path(path)) => self.root(path.root),
            Node::Exists(Target::Event) => self.whole(),
            Node::Unnest(Target::Path(_) | Target::Event) => self.whole(),
            Node::Exists(Target::Nothing | Target::Variable(..))
            | Node::Unnest(Target::Nothing | Target::Variable(..)) => Some(()),
            Node::Abort(message) => message.iter().try_for_each(|node| self.reads(node)),
            // What follows it is not written: no column can tell.
            Node::Return(_) => None,
        }
    }

    fn root(&self, root: usize) -> Option<()> {
        (!self.written.contains(&root)).then_some(())
    }

    fn whole(&self) -> Option<()> {
        self.written.is_empty().then_some(())
    }
}

/// Whether a target is no part of the event.
fn is_outside(target: &Target) -> Option<()> {
    matches!(target, Target::Nothing | Target::Variable(..)).then_some(())
}
