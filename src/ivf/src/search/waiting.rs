//! When a row goes out: once no other can be nearer, as far as is known.
//!
//! Strict order passes over rows that are found too late, of two kinds: those that codes made out to be farther than they are, and those of
//! lists that are read when farther rows have gone out. So the rows that a known limit asks for wait until there are so many, where lists may have fewer. Where
//! no limit is known a row waits until others are farther by as much as codes have erred so far, so that only new records of
//! error come late, and further lists are read long before those at hand are used up.

use super::options::Order;
use super::ready::Ready;
use super::scan::Scan;
use kite_pages::PageStore;

/// In strict order, how many rows are looked at for each that is handed out, where it is not known how many are asked for: of the tenth
/// of the rows that a fifth of the lists misses, a hundredth is lost then.
const AHEAD: u64 = 128;

impl<S: PageStore> Scan<'_, S> {
    /// The nearest row that is ready, if it may go out before others that are no nearer than this.
    pub(super) fn first_of(&self, others: Option<f64>) -> Option<Ready> {
        let ready = *self.ready.peek()?;
        let nearer = others.is_none_or(|others| ready.value + self.slack() <= others);
        (nearer && !self.waits(others.is_none())).then_some(ready)
    }

    /// Whether rows are not handed out yet: in strict order, while a known number of them has not been found, and the lists at hand may not
    /// have as many. `all`: they have no others.
    fn waits(&self, all: bool) -> bool {
        let (limit, found) = (self.options.limit as u64, self.ready.len() as u64 + self.counts.out);
        self.options.order == Order::Strict
            && found < limit
            && (self.counts.refused > 0 || self.counts.known < limit.saturating_mul(2))
            && self.has_room()
            && !(all && self.is_at_end())
    }

    /// How much nearer than the others a row has to be, since codes err: in strict order as much as they have been seen to. What a known
    /// limit asks for has waited already.
    fn slack(&self) -> f64 {
        if self.is_beyond() && self.has_room() { self.slack } else { 0.0 }
    }

    /// Whether more rows are asked for than were known to be wanted. The executor asks for some more where there are bounds only.
    fn is_beyond(&self) -> bool {
        self.counts.out >= self.options.limit.max(self.options.rows).saturating_mul(2) as u64
    }

    /// Whether memory is for more rows that wait.
    fn has_room(&self) -> bool {
        self.ready.len() < self.options.memory / size_of::<Ready>()
    }

    /// Whether in strict order more rows are asked for than were known to be wanted, and so many of them have been handed out that there
    /// may soon be nearer ones in lists that were not read.
    pub(super) fn is_ahead(&self) -> bool {
        self.options.order == Order::Strict
            && self.query.orders()
            && self.is_beyond()
            && self.counts.out.saturating_mul(AHEAD) >= self.counts.known
            && !self.is_at_end()
    }

    /// Whether no further list is to be read.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended || self.batch.end >= self.last_list()
    }

    /// Where the lists end that may be read.
    pub(super) fn last_list(&self) -> usize {
        self.lists.len().min(self.options.max_probes.max(1))
    }
}
