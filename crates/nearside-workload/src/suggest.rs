//! The nearest known name to one that is not known.

/// The known name that a person most likely meant, if one is near enough: at most one edit for
/// every three letters, and at least one. Case does not count. Ties go to the first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// A hint for an unknown name: the nearest known one, else every known one, else nothing.
pub(crate) fn hint<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    plural: &str,
) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean \"{near}\"?")),
        None if known.is_empty() => None,
        None => Some(format!("{plural}: {}", known.join(", "))),
    }
}

/// Edits (insert, delete, replace, swap of neighbours) between two words: the optimal string
/// alignment distance (Damerau 1964). Names longer than this are not compared letter by letter.
const LONGEST: usize = 64;

fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(LONGEST).collect();
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(letter != other);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *letter == to[j - 1] && from[i - 1] == *other;
            if swapped {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, edits) in
            [("", "abc", 3), ("train", "train", 0), ("trian", "train", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(from, to), edits, "{from} {to}");
            assert_eq!(distance(to, from), edits, "{to} {from}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("ticket", ["users", "tickets"]), Some("tickets"));
        assert_eq!(nearest("gb", ["GB", "GiB"]), Some("GB"));
        assert_eq!(nearest("banana", ["users", "tickets"]), None);
        assert_eq!(hint("banana", ["a", "b"], "datasets"), Some("datasets: a, b".to_owned()));
        assert_eq!(hint("banana", [], "datasets"), None);
    }
}
