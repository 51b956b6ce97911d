//! The known name that a mistyped one was meant to be.

/// The name among `known` that `found` was probably meant to be: equal but for case, else a third of its letters or less
/// away (a letter added, dropped, replaced, or two swapped).
pub(crate) fn nearest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    // Anything longer is no slip of the pen, and the distance takes time quadratic in the length.
    if found.chars().count() > 64 {
        return None;
    }
    let lower = found.to_ascii_lowercase();
    known
        .iter()
        .map(|&name| (distance(&lower, &name.to_ascii_lowercase()), name))
        .filter(|&(distance, name)| distance.saturating_mul(3) <= name.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Edit distance with swaps of neighbours ("optimal string alignment"), row by row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (nth, a) in a.chars().enumerate() {
        let mut row = vec![nth.saturating_add(1)];
        for (column, &b_char) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let next = column.saturating_add(1);
            let replaced = at(&last, column).saturating_add(usize::from(a != b_char));
            let dropped = at(&last, next).saturating_add(1);
            let added = at(&row, column).saturating_add(1);
            let mut best = replaced.min(dropped).min(added);
            if let Some(left) = column.checked_sub(1)
                && previous_a == Some(b_char)
                && b.get(left) == Some(&a)
            {
                best = best.min(at(&before_last, left).saturating_add(1));
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous_a = Some(a);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised() {
        let known = &["mode", "mtls", "portLevelMtls", "selector", "STRICT"];
        for (found, want) in [
            ("moode", Some("mode")),
            ("mdoe", Some("mode")),
            ("mod", Some("mode")),
            ("portlevelmtls", Some("portLevelMtls")),
            ("portLevelMTLS", Some("portLevelMtls")),
            ("Selectors", Some("selector")),
            ("strict", Some("STRICT")),
            ("off", None),
            ("", None),
            ("somethingElse", None),
        ] {
            assert_eq!(nearest(found, known), want, "{found}");
        }
        assert_eq!(nearest(&"m".repeat(10_000), known), None, "no work for what is no slip");
    }
}
