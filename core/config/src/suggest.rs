//! "Did you mean".

/// The candidate that `word` was probably meant to be.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(word);
    let limit = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// Edits between two words; a singular and its plural, a word begun and not ended, or one with a unit behind it
/// (`window_secs` for `window`) count as one.
fn distance(word: &str, candidate: &str) -> usize {
    let edits = strsim::damerau_levenshtein(word, candidate);
    let is_begun = word.len() >= 3 && candidate.starts_with(word);
    let unit = word.strip_prefix(candidate).filter(|_| candidate.len() >= 3);
    let is_longer = unit.is_some_and(|unit| unit.starts_with('_'));
    if is_begun || is_longer { edits.min(1) } else { edits }
}

/// `` did you mean `x`? ``, or what to say when there is nothing close.
pub(crate) fn label(suggestion: Option<&str>, otherwise: impl Into<String>) -> String {
    suggestion.map_or_else(|| otherwise.into(), |found| format!("did you mean `{found}`?"))
}

/// `` `a`, `b`, `c` ``.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "none".to_owned() } else { quoted.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_far_fetched() {
        let names = ["include", "exclude", "read_from", "data_dir", "id"];
        let check = |word, expected| assert_eq!(closest(word, names), expected, "{word}");
        check("inlcude", Some("include"));
        check("includes", Some("include"));
        check("read-from", Some("read_from"));
        check("READ_FROM", Some("read_from"));
        check("excl", Some("exclude"));
        check("include_files", Some("include"));
        check("id_of_it", None);
        check("colour", None);
        check("x", None);
    }
}
