//! The best rows of each group, as Milvus has it: what is counted are groups.

use super::statement::Hit;
use std::collections::HashMap;

/// How rows are grouped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groups {
    /// Groups that are wanted.
    pub(super) count: usize,
    /// Rows of a group.
    pub(super) size: usize,
    /// Whether to look until every group is full.
    pub(super) is_strict: bool,
}

/// Puts rows, the best first, into groups. They come out group by group, the group of the best row first. `None` where more rows
/// are needed and there `may_be_more`.
pub(super) fn grouped(hits: Vec<Hit>, groups: Groups, may_be_more: bool) -> Option<Vec<Vec<Hit>>> {
    let mut found: Vec<Vec<Hit>> = Vec::new();
    let mut places: HashMap<Option<String>, usize> = HashMap::new();
    let mut full = 0;
    for hit in hits {
        let place = match places.get(&hit.group) {
            Some(place) => *place,
            None if found.len() == groups.count => continue,
            None => {
                places.insert(hit.group.clone(), found.len());
                found.push(Vec::new());
                found.len() - 1
            }
        };
        if found[place].len() < groups.size {
            found[place].push(hit);
            full += usize::from(found[place].len() == groups.size);
        }
        let enough = if groups.is_strict { full } else { found.len() };
        if enough == groups.count {
            return Some(found);
        }
    }
    (!may_be_more).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::statement::Key;
    use super::*;

    fn hits(groups: &str) -> Vec<Hit> {
        let hit = |(number, name): (i64, char)| Hit {
            key: Key::Number(number),
            score: 0.0,
            entity: None,
            group: (name != '-').then(|| name.to_string()),
        };
        (0..).zip(groups.chars()).map(hit).collect()
    }

    fn keys(groups: &str, count: usize, size: usize, is_strict: bool, more: bool) -> Option<Vec<Vec<i64>>> {
        let key = |hit: &Hit| match hit.key {
            Key::Number(number) => number,
            Key::Text(_) => -1,
        };
        let found = grouped(hits(groups), Groups { count, size, is_strict }, more)?;
        Some(found.iter().map(|group| group.iter().map(key).collect()).collect())
    }

    #[test]
    fn the_last_group_ends_the_search() {
        assert_eq!(keys("aabac", 2, 2, false, true), Some(vec![vec![0, 1], vec![2]]));
        assert_eq!(keys("aaa", 2, 2, false, true), None);
        assert_eq!(keys("aaa", 2, 2, false, false), Some(vec![vec![0, 1]]));
    }

    #[test]
    fn strict_groups_are_filled() {
        assert_eq!(keys("abcab", 2, 2, true, true), Some(vec![vec![0, 3], vec![1, 4]]));
        assert_eq!(keys("abca", 2, 2, true, true), None);
        assert_eq!(keys("abca", 2, 2, true, false), Some(vec![vec![0, 3], vec![1]]));
    }

    #[test]
    fn null_is_a_group() {
        assert_eq!(keys("--a", 2, 1, false, true), Some(vec![vec![0], vec![2]]));
    }
}
