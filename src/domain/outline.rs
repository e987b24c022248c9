//! A tree that is shown as a list of rows, each with its level: which rows are seen while some are folded, and where a key
//! leads. The rules are those of the WAI-ARIA tree pattern.
//!
//! What may never be true: a key that leads to a row that is not seen.

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// From 0.
    pub level: u32,
    /// Whether what stands below it is folded away.
    pub folded: bool,
}

/// A key, by what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Folds the row; one that is folded, or has nothing below it, leads to its parent.
    Out,
    /// Unfolds the row; one that is not folded leads to its first child.
    In,
    /// Unfolds the row and all its siblings.
    Siblings,
}

impl Key {
    /// The key that a browser calls so; none: one that the tree has no use for.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ArrowUp" => Self::Up,
            "ArrowDown" => Self::Down,
            "Home" => Self::First,
            "End" => Self::Last,
            "ArrowLeft" => Self::Out,
            "ArrowRight" => Self::In,
            "*" => Self::Siblings,
            _ => return None,
        })
    }
}

/// What a key does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another row is stood on.
    To(usize),
    /// The row is folded.
    Fold(usize),
    /// These rows are unfolded.
    Unfold(Vec<usize>),
}

/// Whether something stands below the row.
#[must_use]
pub fn has_children(rows: &[Row], at: usize) -> bool {
    match (rows.get(at), rows.get(at + 1)) {
        (Some(row), Some(next)) => next.level > row.level,
        _ => false,
    }
}

/// Of each row, the folded row that it is folded away under (the outermost), if any.
#[must_use]
pub fn hidden_under(rows: &[Row]) -> Vec<Option<usize>> {
    let mut under: Option<(usize, u32)> = None;
    let mut hidden = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        under = under.filter(|(_, level)| row.level > *level);
        hidden.push(under.map(|(at, _)| at));
        if under.is_none() && row.folded {
            under = Some((at, row.level));
        }
    }
    hidden
}

/// The rows that this one stands below, from the outermost on.
#[must_use]
pub fn ancestors(rows: &[Row], at: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut level = rows.get(at).map_or(0, |row| row.level);
    for above in (0..at.min(rows.len())).rev() {
        if rows[above].level < level {
            level = rows[above].level;
            found.push(above);
        }
    }
    found.reverse();
    found
}

/// Where a key leads from this row, which is seen; none: it does nothing.
#[must_use]
pub fn step(rows: &[Row], at: usize, key: &Key) -> Option<Step> {
    let row = rows.get(at)?;
    let hidden = hidden_under(rows);
    let seen = |at: &usize| hidden.get(*at).is_some_and(Option::is_none);
    match key {
        Key::Up => (0..at).rev().find(seen).map(Step::To),
        Key::Down => (at + 1..rows.len()).find(seen).map(Step::To),
        Key::First => (0..rows.len()).find(seen).map(Step::To),
        Key::Last => (0..rows.len()).rev().find(seen).map(Step::To),
        Key::Out if has_children(rows, at) && !row.folded => Some(Step::Fold(at)),
        Key::Out => ancestors(rows, at).pop().map(Step::To),
        Key::In if !has_children(rows, at) => None,
        Key::In if row.folded => Some(Step::Unfold(vec![at])),
        Key::In => Some(Step::To(at + 1)),
        Key::Siblings => {
            let parent = ancestors(rows, at).pop();
            let first = parent.map_or(0, |parent| parent + 1);
            let rest = rows.iter().enumerate().skip(first);
            let family = rest.take_while(|(_, other)| other.level >= row.level);
            let folded: Vec<usize> = family
                .filter(|(_, other)| other.level == row.level && other.folded)
                .map(|(at, _)| at)
                .collect();
            (!folded.is_empty()).then_some(Step::Unfold(folded))
        }
    }
}

/// The next row that is seen and whose name begins with what was typed, from this row on and around. A first letter leads
/// on from the row; more letters stay on it while they fit. A letter typed again and again goes from one to the next.
#[must_use]
pub fn typed(rows: &[Row], names: &[String], at: usize, text: &str) -> Option<usize> {
    let mut wanted: Vec<char> = text.chars().flat_map(plain).collect();
    let same = wanted.len() > 1 && wanted.iter().all(|letter| Some(letter) == wanted.first());
    if same {
        wanted.truncate(1);
    }
    let first = usize::from(wanted.len() == 1);
    let hidden = hidden_under(rows);
    let begins = |at: &usize| {
        let name = names.get(*at).map(String::as_str).unwrap_or_default();
        let mut letters = name.chars().flat_map(plain);
        hidden.get(*at).is_some_and(Option::is_none)
            && wanted.iter().all(|letter| letters.next() == Some(*letter))
    };
    let count = rows.len();
    if wanted.is_empty() || count == 0 {
        return None;
    }
    (first..=count).map(|on| (at + on) % count).find(begins)
}

/// A letter without case and without the marks of French: one types *e* and finds *É*.
fn plain(letter: char) -> impl Iterator<Item = char> {
    letter.to_lowercase().map(|letter| match letter {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ÿ' => 'y',
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&str; 7] = [
        "ArrowUp",
        "ArrowDown",
        "Home",
        "End",
        "ArrowLeft",
        "ArrowRight",
        "*",
    ];

    fn rows(levels: &[u32], folded: &[usize]) -> Vec<Row> {
        let row = |(at, level): (usize, &u32)| Row {
            level: *level,
            folded: folded.contains(&at),
        };
        levels.iter().enumerate().map(row).collect()
    }

    fn does(rows: &[Row], at: usize, key: &str) -> Option<Step> {
        step(rows, at, &Key::named(key).expect("a key of the tree"))
    }

    //  0 initial
    //  1   hardened
    //  2     trial          (folded)
    //  3       trial, tuned
    //  4     before
    //  5       here
    const LEVELS: [u32; 6] = [0, 1, 2, 3, 2, 3];

    #[test]
    fn arrows_pass_over_what_is_folded_away() {
        let tree = rows(&LEVELS, &[2]);
        assert_eq!(does(&tree, 2, "ArrowDown"), Some(Step::To(4)));
        assert_eq!(does(&tree, 4, "ArrowUp"), Some(Step::To(2)));
        assert_eq!(does(&tree, 0, "ArrowUp"), None);
        assert_eq!(does(&tree, 5, "ArrowDown"), None);
        assert_eq!(does(&tree, 2, "End"), Some(Step::To(5)));
        assert_eq!(does(&tree, 5, "Home"), Some(Step::To(0)));
        let all = rows(&LEVELS, &[1, 2]);
        assert_eq!(does(&all, 0, "End"), Some(Step::To(1)));
    }

    #[test]
    fn left_folds_and_then_leads_out_and_right_the_other_way() {
        let open = rows(&LEVELS, &[]);
        assert_eq!(does(&open, 2, "ArrowLeft"), Some(Step::Fold(2)));
        assert_eq!(does(&open, 2, "ArrowRight"), Some(Step::To(3)));
        assert_eq!(does(&open, 3, "ArrowLeft"), Some(Step::To(2)));
        assert_eq!(does(&open, 3, "ArrowRight"), None);
        assert_eq!(does(&open, 4, "ArrowRight"), Some(Step::To(5)));
        let folded = rows(&LEVELS, &[2]);
        assert_eq!(does(&folded, 2, "ArrowLeft"), Some(Step::To(1)));
        assert_eq!(does(&folded, 2, "ArrowRight"), Some(Step::Unfold(vec![2])));
        assert_eq!(does(&rows(&[0, 0], &[]), 1, "ArrowLeft"), None);
    }

    #[test]
    fn the_star_unfolds_all_siblings_and_no_other() {
        let tree = rows(&LEVELS, &[2, 4]);
        assert_eq!(does(&tree, 4, "*"), Some(Step::Unfold(vec![2, 4])));
        assert_eq!(does(&tree, 1, "*"), None);
        assert_eq!(
            does(&rows(&[0, 1, 0, 1, 0], &[0, 2]), 4, "*"),
            Some(Step::Unfold(vec![0, 2]))
        );
        assert_eq!(Key::named("Enter"), None);
    }

    #[test]
    fn typing_finds_the_next_name_whatever_its_accents() {
        let names = ["initial", "après", "essai", "Étude", "avant", "here"].map(str::to_owned);
        let tree = rows(&LEVELS, &[]);
        let from = |at, text| typed(&tree, &names, at, text);
        assert_eq!(from(0, "a"), Some(1));
        assert_eq!(from(1, "a"), Some(4));
        assert_eq!(from(4, "a"), Some(1), "around the end");
        assert_eq!(from(1, "ap"), Some(1), "it fits still");
        assert_eq!(from(1, "av"), Some(4));
        assert_eq!(from(2, "ee"), Some(3), "the letter again");
        assert_eq!(from(0, "et"), Some(3));
        assert_eq!(from(0, "É"), Some(2));
        assert_eq!(from(0, "x"), None);
        assert_eq!(from(0, ""), None);
        assert_eq!(from(0, "i"), Some(0), "the only one");
        let folded = rows(&LEVELS, &[2]);
        assert_eq!(typed(&folded, &names, 0, "et"), None, "it is not seen");
    }

    proptest! {
        #[test]
        fn no_key_leads_to_what_is_not_seen_and_none_is_lost(
            depths in proptest::collection::vec(0..4_u32, 1..40),
            folds in proptest::collection::vec(any::<bool>(), 40),
            keys in proptest::collection::vec(0..KEYS.len(), 1..60),
        ) {
            // A row is at most one level deeper than the one above it.
            let mut levels = Vec::new();
            for depth in depths {
                let most = levels.last().map_or(0, |above| above + 1);
                levels.push(depth.min(most));
            }
            let mut tree = rows(&levels, &[]);
            for at in 0..tree.len() {
                tree[at].folded = folds[at] && has_children(&tree, at);
            }
            let hidden = hidden_under(&tree);
            for (at, under) in hidden.iter().enumerate() {
                let outermost = ancestors(&tree, at).into_iter().find(|above| tree[*above].folded);
                prop_assert_eq!(*under, outermost);
            }
            let mut at = 0;
            for key in keys {
                match does(&tree, at, KEYS[key]) {
                    None => {}
                    Some(Step::To(next)) => at = next,
                    Some(Step::Fold(row)) => {
                        prop_assert!(has_children(&tree, row) && !tree[row].folded);
                        tree[row].folded = true;
                    }
                    Some(Step::Unfold(rows)) => {
                        for row in rows {
                            prop_assert!(tree[row].folded);
                            tree[row].folded = false;
                        }
                    }
                }
                prop_assert_eq!(hidden_under(&tree)[at], None);
            }
        }
    }
}
