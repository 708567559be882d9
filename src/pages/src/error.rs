//! What can go wrong.

use crate::{BlockNo, MAX_PAGES};

/// Something that a sound page cannot hold. The page does not know its own number: [`At::at`] adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Defect(pub &'static str);

/// Why an operation on a store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The index is damaged.
    #[error("index is damaged at block {block}: {what}; REINDEX rebuilds it")]
    Corrupt {
        /// The page where it shows.
        block: BlockNo,
        /// What is impossible about it.
        what: &'static str,
    },
    /// A lock that must not be waited for was not free: drop the transaction and begin it again.
    #[error("a page is locked by another writer; the transaction must begin again")]
    Restart,
    /// A transaction wanted one page more than a WAL record can carry.
    #[error("a transaction holds at most {MAX_PAGES} pages")]
    TooManyPages,
    /// A value is longer than [`payload::MAX_BYTES`](crate::payload::MAX_BYTES) or an item longer than
    /// [`MAX_ITEM`](crate::MAX_ITEM).
    #[error("{bytes} bytes are more than the {max} that fit")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The most that is possible.
        max: usize,
    },
    /// Memory for a value could not be had.
    #[error("out of memory for {bytes} bytes")]
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A failure that a test asked `FaultStore` for.
    #[error("failure injected by a test")]
    Injected,
}

/// The outcome of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says on which page a [`Defect`] was found.
pub trait At<T> {
    /// Turns the defect into [`Error::Corrupt`].
    fn at(self, block: BlockNo) -> Result<T>;
}

impl<T> At<T> for Result<T, Defect> {
    #[inline]
    fn at(self, block: BlockNo) -> Result<T> {
        self.map_err(|Defect(what)| Error::Corrupt { block, what })
    }
}
