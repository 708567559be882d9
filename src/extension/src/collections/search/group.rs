//! The best rows of each group, as Milvus has it: what is counted are groups.

use super::statement::Hit;
use std::collections::HashMap;

/// How rows are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Groups {
    /// Groups that are wanted.
    pub(super) count: usize,
    /// Rows of a group.
    pub(super) size: usize,
    /// Whether to look until every group is full.
    pub(super) is_strict: bool,
}

/// Rows put into groups, the best rows first. Only what will be answered is kept, however many rows are looked at.
#[derive(Debug)]
pub(super) struct Collector {
    groups: Groups,
    found: Vec<Vec<Hit>>,
    places: HashMap<Option<String>, usize>,
    full: usize,
}

impl Collector {
    /// Without any row yet.
    pub(super) fn new(groups: Groups) -> Self {
        Self { groups, found: Vec::new(), places: HashMap::new(), full: 0 }
    }

    /// Whether a row of this group would be kept.
    pub(super) fn wants(&self, group: &Option<String>) -> bool {
        match self.places.get(group) {
            Some(place) => self.found[*place].len() < self.groups.size,
            None => self.found.len() < self.groups.count,
        }
    }

    /// Takes the next row.
    pub(super) fn offer(&mut self, hit: Hit) {
        if !self.wants(&hit.group) {
            return;
        }
        let place = *self.places.entry(hit.group.clone()).or_insert_with(|| {
            self.found.push(Vec::new());
            self.found.len() - 1
        });
        self.found[place].push(hit);
        self.full += usize::from(self.found[place].len() == self.groups.size);
    }

    /// Whether no further row is needed.
    pub(super) fn is_complete(&self) -> bool {
        let complete = if self.groups.is_strict { self.full } else { self.found.len() };
        complete == self.groups.count
    }

    /// The rows, group by group, the group of the best row first, without the first groups.
    pub(super) fn into_hits(self, skipped: usize) -> Vec<Hit> {
        self.found.into_iter().skip(skipped).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Key;
    use super::*;

    /// The keys of what is kept of rows of these groups, and whether all of it was found.
    fn keys(rows: &str, count: usize, size: usize, is_strict: bool) -> (Vec<i64>, bool) {
        let mut collector = Collector::new(Groups { count, size, is_strict });
        for (number, name) in (0..).zip(rows.chars()) {
            let group = (name != '-').then(|| name.to_string());
            collector.offer(Hit { key: Key::Number(number), score: 0.0, entity: None, group });
            if collector.is_complete() {
                break;
            }
        }
        let complete = collector.is_complete();
        let key = |hit: Hit| match hit.key {
            Key::Number(number) => number,
            Key::Text(_) => -1,
        };
        (collector.into_hits(0).into_iter().map(key).collect(), complete)
    }

    #[test]
    fn the_last_group_ends_the_search() {
        assert_eq!(keys("aabac", 2, 2, false), (vec![0, 1, 2], true));
        assert_eq!(keys("aaa", 2, 2, false), (vec![0, 1], false));
    }

    #[test]
    fn strict_groups_are_filled() {
        assert_eq!(keys("abcab", 2, 2, true), (vec![0, 3, 1, 4], true));
        assert_eq!(keys("abca", 2, 2, true), (vec![0, 3, 1], false));
    }

    #[test]
    fn null_is_a_group() {
        assert_eq!(keys("--a", 2, 1, false), (vec![0, 2], true));
    }

    #[test]
    fn first_groups_are_skipped() {
        let mut collector = Collector::new(Groups { count: 2, size: 1, is_strict: false });
        for (number, name) in (0..).zip(["a", "b"]) {
            let group = Some(name.to_owned());
            collector.offer(Hit { key: Key::Number(number), score: 0.0, entity: None, group });
        }
        assert_eq!(collector.into_hits(1)[0].key, Key::Number(1));
    }
}
