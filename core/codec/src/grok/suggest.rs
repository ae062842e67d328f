//! The known name that a wrong one is closest to.

/// The name with the fewest edits, if they are few; in another case it is one edit.
pub(super) fn closest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = wrong.len().div_ceil(3).clamp(1, 3);
    let scored = names.map(|name| {
        let edits = if name.eq_ignore_ascii_case(wrong) { 1 } else { edits(wrong, name) };
        // People get the first letter right.
        (edits, name.bytes().next() != wrong.bytes().next(), name)
    });
    scored.filter(|(edits, ..)| *edits <= limit).min().map(|(.., name)| name)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, byte) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(byte != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
