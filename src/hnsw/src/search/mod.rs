//! Searching the index.
//!
//! [`Scan`] is what a query uses: an iterator that begins with the `ef` nearest and can go on from where it stopped. Inserts and
//! repairs use [`Beam`] directly.

mod beam;
mod descend;
mod desk;
mod found;
mod options;
mod probe;
mod ranked;
mod scan;
mod seen;
mod sweep;

pub(crate) use beam::Beam;
pub(crate) use descend::descend;
pub(crate) use desk::Desk;
pub use options::{Distance, Limit, Order, Row, ScanOptions};
pub(crate) use probe::{Limits, Probe, Sink, damaged, damaged_among};
pub(crate) use ranked::Ranked;
pub use scan::Scan;
pub(crate) use seen::Seen;

#[cfg(test)]
mod tests;
