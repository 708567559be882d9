//! Finding the centroid of each row of a build, among many.

use super::table::Table;
use crate::Result;
use crate::centres::{Centres, Place};
use kite_build::memory::Memory;

/// Groups below which all centroids are looked at.
const FEWEST: usize = 16;

/// The centroids, and the middles of their groups.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    centres: &'a Centres,
    /// Of all centroids, where groups are too few.
    table: Option<Table<'a>>,
    groups: &'a [usize],
    middles: Centres,
    /// Groups that are looked into.
    tried: usize,
}

impl<'a> Finder<'a> {
    /// `groups` says where each group of centroids begins, and the end.
    pub(super) fn new(centres: &'a Centres, groups: &'a [usize], memory: &Memory) -> Result<Self> {
        let count = groups.len() - 1;
        let mut middles = Centres::new(centres.metric(), centres.len());
        let grouped = count >= FEWEST && !centres.point(0).is_empty();
        if grouped {
            for group in groups.windows(2) {
                let mut middle = vec![0f32; centres.len()];
                for n in group[0]..group[1] {
                    middle.iter_mut().zip(centres.point(n)).for_each(|(sum, x)| *sum += x);
                }
                let members = (group[1] - group[0]) as f32;
                middle.iter_mut().for_each(|x| *x /= members);
                middles.push(Place::Point(&middle));
            }
        }
        let table = if grouped { None } else { Some(Table::new(centres, memory)?) };
        Ok(Self { centres, table, groups, middles, tried: (count / 6).max(4) })
    }

    /// Calls `found` for each place, by its number, with its centroid: the nearest, or one that is nearly as near where there are many.
    pub(super) fn nearest(
        &self,
        places: &[Place<'_>],
        order: &mut Vec<(f32, usize)>,
        mut found: impl FnMut(usize, u32),
    ) {
        match &self.table {
            Some(table) => table.nearest(places, |n, centre, _| found(n, centre)),
            None => places.iter().enumerate().for_each(|(n, &place)| found(n, self.in_groups(place, order))),
        }
    }

    fn in_groups(&self, place: Place<'_>, order: &mut Vec<(f32, usize)>) -> u32 {
        order.clear();
        order.extend((0..self.middles.count()).map(|n| (self.middles.key(place, n), n)));
        order.select_nth_unstable_by(self.tried - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut best = (f32::INFINITY, 0);
        for &(_, group) in &order[..self.tried] {
            for n in self.groups[group]..self.groups[group + 1] {
                let key = self.centres.key(place, n);
                if (key, n) < best {
                    best = (key, n);
                }
            }
        }
        best.1 as u32
    }
}
