/// The word that was probably meant: at most two letters away, or the beginning of one another.
pub(super) fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if found.len() > MAX_LENGTH {
        return None;
    }
    let found = found.to_lowercase();
    let distance_of = |word: &'a str| Some((distance(&found, word)?, word));
    words.into_iter().filter_map(distance_of).min_by_key(|&(distance, _)| distance).map(|(_, word)| word)
}

/// How far apart two words are, if they are near enough to be confused.
fn distance(found: &str, word: &str) -> Option<usize> {
    // In a short word two letters are half of it.
    let allowed = if word.len().min(found.len()) < 4 { 1 } else { 2 };
    let edits = edits(found, word);
    if edits <= allowed {
        return Some(edits);
    }
    let beginning = found.len().min(word.len()) >= 3 && (word.starts_with(found) || found.starts_with(word));
    beginning.then_some(BEGINNING)
}

/// The number of letters that must be changed, added, removed or swapped with their neighbour.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut now = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(now[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && b == from[i - 1] {
                least = least.min(before[j - 1] + 1);
            }
            now.push(least);
        }
        before = std::mem::replace(&mut last, now);
    }
    last[to.len()]
}

/// A common beginning counts as farther than any typing mistake.
const BEGINNING: usize = 3;

/// Longer words are no typing mistakes, and the table of edits grows with the square.
const MAX_LENGTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_and_beginnings_are_near_and_other_words_are_not() {
        let words = ["requests", "per", "burst", "by", "mode", "rate_limit", "max_keys"];
        for (found, meant) in [
            ("reqests", Some("requests")),
            ("requets", Some("requests")),
            ("Requests", Some("requests")),
            ("rateLimit", Some("rate_limit")),
            ("rate-limit", Some("rate_limit")),
            ("rate", Some("rate_limit")),
            ("period", Some("per")),
            ("pre", Some("per")),
            ("moed", Some("mode")),
            ("max", Some("max_keys")),
            ("to", None),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, words), meant, "{found}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }
}
