//! Finding the centroid of each row of a build, among many.

use crate::centres::{Centres, Place};

/// Groups below which all centroids are looked at.
const FEWEST: usize = 16;

/// The centroids, and the middles of their groups.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    centres: &'a Centres,
    groups: &'a [usize],
    middles: Centres,
    /// Groups that are looked into.
    tried: usize,
}

impl<'a> Finder<'a> {
    /// `groups` says where each group of centroids begins, and the end.
    pub(super) fn new(centres: &'a Centres, groups: &'a [usize]) -> Self {
        let count = groups.len() - 1;
        let mut middles = Centres::new(centres.metric(), centres.len());
        if count >= FEWEST && !centres.point(0).is_empty() {
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
        Self { centres, groups, middles, tried: (count / 6).max(4) }
    }

    /// The centroid of a row: the nearest, or one that is nearly as near where there are many.
    pub(super) fn nearest(&self, place: Place<'_>, order: &mut Vec<(f32, usize)>) -> u32 {
        if self.middles.count() == 0 {
            return self.centres.nearest(place).0;
        }
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
