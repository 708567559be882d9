//! What can go wrong.

use kite_build::Stopped;

/// Why an operation on an index failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store failed, or a page of it is damaged.
    #[error(transparent)]
    Pages(#[from] kite_pages::Error),
    /// A value cannot be indexed, or its bytes are damaged.
    #[error(transparent)]
    Codecs(#[from] kite_codecs::Error),
    /// Memory could not be had, or the caller asked to stop, or a temporary file failed.
    #[error(transparent)]
    Build(#[from] kite_build::Error),
    /// The centroids do not fit the memory that a build may take.
    #[error("memory required is {} MB, the build may take {} MB", needed >> 20, limit >> 20)]
    Memory {
        /// Bytes that it takes at least.
        needed: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// Parameters that an index cannot be made with.
    #[error("{0}")]
    Options(&'static str),
}

impl Error {
    /// A block whose content cannot be.
    pub(crate) fn corrupt(block: u32, what: &'static str) -> Self {
        Self::Pages(kite_pages::Error::Corrupt { block, what })
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        Self::Build(stopped.into())
    }
}

/// The outcome of an operation on an index.
pub type Result<T, E = Error> = std::result::Result<T, E>;
