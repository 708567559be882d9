//! The rows of the lists at hand, nearest first as far as is known.

use kite_pages::{Error, ItemPointer, Result};
use std::cmp::Ordering;

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// What the operator computes at least, as far as is known; in its unit.
    pub(super) value: f64,
    /// Where its payload is, if that is elsewhere.
    pub(super) row: ItemPointer,
    pub(super) tid: ItemPointer,
}

impl Candidate {
    fn order(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(self.tid.cmp(&other.tid))
    }
}

/// Rows that are put in order as they are asked for. Most queries want few of those that lists have, so that only the nearest are kept:
/// when there are too many the farther half is forgotten, and has to be read [again](Candidates::begin_again), with
/// more room.
#[derive(Debug)]
pub(super) struct Candidates {
    rows: Vec<Candidate>,
    /// Those before it are in order, and none behind it is nearer.
    sorted: usize,
    next: usize,
    /// How many are kept at the moment, and how many memory is for.
    room: usize,
    most: usize,
    /// Nothing farther is held.
    ceiling: Option<Candidate>,
    /// Nothing as near is held of the lists that are read: it has been taken.
    floor: Option<Candidate>,
}

/// What has been taken of some lists.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Floor(Option<Candidate>);

impl Floor {
    /// All were taken up to this one.
    fn raise(&mut self, taken: &Candidate) {
        if self.0.is_none_or(|floor| floor.order(taken).is_lt()) {
            self.0 = Some(*taken);
        }
    }
}

/// How many rows are put in order at first.
const FIRST: usize = 64;
/// How many are kept at first, and by what factor more when these are not enough.
const ROOM: usize = 1024;
const GROWTH: usize = 8;

impl Candidates {
    /// For at most so many bytes, but for some thousand rows in any case.
    pub(super) fn new(memory: usize) -> Self {
        let most = (memory / size_of::<Candidate>()).max(ROOM);
        Self { rows: Vec::new(), sorted: 0, next: 0, room: ROOM, most, ceiling: None, floor: None }
    }

    /// Forgets all, for other lists.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        (self.sorted, self.next) = (0, 0);
        (self.ceiling, self.floor) = (None, None);
    }

    /// What those that were forgotten are at least.
    pub(super) fn forgotten(&self) -> Option<f64> {
        self.ceiling.map(|ceiling| ceiling.value)
    }

    /// Nothing farther is taken.
    pub(super) fn ceiling(&self) -> f64 {
        self.forgotten().unwrap_or(f64::INFINITY)
    }

    /// Whether some were forgotten that are to be read again, when all others were taken. Then everything is ready to take them, and of
    /// the lists with these floors nothing is that was taken.
    pub(super) fn begin_again<'f>(&mut self, floors: impl IntoIterator<Item = &'f mut Floor>) -> bool {
        let Some(ceiling) = self.ceiling.take() else { return false };
        self.room = self.most.min(self.room * GROWTH);
        self.rows.clear();
        (self.sorted, self.next) = (0, 0);
        // What was held of any list was no farther than the ceiling.
        floors.into_iter().for_each(|floor| floor.raise(&ceiling));
        true
    }

    /// Lists of which so much was taken are to be read.
    pub(super) fn read_from(&mut self, floor: Floor) {
        self.floor = floor.0;
    }

    /// Makes ready for the rows of further lists, beside those that are held of the lists with these floors.
    pub(super) fn go_on<'f>(&mut self, floors: impl IntoIterator<Item = &'f mut Floor>) {
        if let Some(taken) = self.next.checked_sub(1).and_then(|last| self.rows.get(last)) {
            floors.into_iter().for_each(|floor| floor.raise(taken));
        }
        self.rows.drain(..self.next);
        (self.sorted, self.next) = (0, 0);
    }

    /// Takes a row.
    #[inline]
    pub(super) fn push(&mut self, row: Candidate) -> Result<()> {
        // What is as far as the ceiling goes by TIDs, which is for the other function.
        if self.ceiling.is_some_and(|ceiling| row.value > ceiling.value) { Ok(()) } else { self.keep(row) }
    }

    fn keep(&mut self, row: Candidate) -> Result<()> {
        if self.floor.is_some_and(|floor| row.order(&floor).is_le())
            || self.ceiling.is_some_and(|ceiling| row.order(&ceiling).is_gt())
        {
            return Ok(());
        }
        if self.rows.len() == self.room {
            let half = self.room / 2;
            self.rows.select_nth_unstable_by(half, Candidate::order);
            self.rows.truncate(half + 1);
            self.ceiling = self.rows.last().copied();
            return self.keep(row);
        }
        if self.rows.len() == self.rows.capacity() {
            let more = self.rows.len().max(256).min(self.room - self.rows.len());
            let bytes = (self.rows.len() + more) * size_of::<Candidate>();
            self.rows.try_reserve_exact(more).map_err(|_| Error::OutOfMemory { bytes })?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// The nearest that was not taken yet, and stays.
    pub(super) fn peek(&mut self) -> Option<Candidate> {
        if self.next == self.sorted && self.sorted < self.rows.len() {
            let step = FIRST.max(self.sorted);
            let rest = &mut self.rows[self.sorted..];
            let step = if rest.len() > 2 * step {
                rest.select_nth_unstable_by(step - 1, Candidate::order);
                step
            } else {
                rest.len()
            };
            rest[..step].sort_unstable_by(Candidate::order);
            self.sorted += step;
        }
        self.rows.get(self.next).copied()
    }

    /// The nearest that was not taken yet.
    pub(super) fn pop(&mut self) -> Option<Candidate> {
        let nearest = self.peek()?;
        self.next += 1;
        Some(nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_in_order_though_memory_is_for_few() {
        let mut rng = fastrand::Rng::with_seed(3);
        let rows: Vec<Candidate> = (0..10_000)
            .map(|n| Candidate {
                value: f64::from(rng.u32(..3000)),
                row: ItemPointer::NONE,
                tid: ItemPointer::new(n, 1),
            })
            .collect();
        let (mut candidates, mut floor) = (Candidates::new(0), Floor::default());
        let mut out = Vec::new();
        loop {
            candidates.read_from(floor);
            rows.iter().for_each(|&row| candidates.push(row).unwrap());
            assert!(candidates.rows.len() <= 2048);
            while let Some(row) = candidates.pop() {
                out.push(row);
            }
            if !candidates.begin_again([&mut floor]) {
                break;
            }
        }
        assert_eq!(out.len(), rows.len());
        assert!(out.is_sorted_by(|a, b| a.order(b).is_lt()));
        candidates.clear();
        assert!(candidates.pop().is_none());
    }

    /// Some lists are read when rows of others were taken, or forgotten, already: each row comes once, and none that has not been taken
    /// yet is left out.
    #[test]
    fn further_lists_join_those_at_hand() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut tid = 0;
        let mut list = |count: usize| -> Vec<Candidate> {
            let mut row = || {
                tid += 1;
                let value = f64::from(rng.u32(..3000));
                Candidate { value, row: ItemPointer::NONE, tid: ItemPointer::new(tid, 1) }
            };
            (0..count).map(|_| row()).collect()
        };
        let all = [list(5000), list(3000), list(4000)];
        for taken in [[0, 0], [10, 2000], [600, 5000], [1500, 1500], [4999, 7000]] {
            let (mut candidates, mut floors) = (Candidates::new(0), Vec::new());
            let mut out = Vec::new();
            for (read, taken) in all.iter().zip(taken.iter().chain([&usize::MAX])) {
                candidates.go_on(&mut floors);
                floors.push(Floor::default());
                candidates.read_from(Floor::default());
                read.iter().for_each(|&row| candidates.push(row).unwrap());
                while out.len() < *taken {
                    if let Some(row) = candidates.pop() {
                        out.push(row.tid);
                    } else if candidates.begin_again(&mut floors) {
                        for (&floor, list) in floors.iter().zip(&all) {
                            candidates.read_from(floor);
                            list.iter().for_each(|&row| candidates.push(row).unwrap());
                        }
                    } else {
                        break;
                    }
                }
            }
            assert_eq!(out.len(), 12_000, "{taken:?}");
            out.sort_unstable();
            out.dedup();
            assert_eq!(out.len(), 12_000, "{taken:?}");
        }
    }
}
