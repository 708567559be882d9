//! What can go wrong.

use crate::Stopped;

/// Why an operation on an index failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store failed, or a page of it is damaged.
    #[error(transparent)]
    Pages(#[from] kite_pages::Error),
    /// A value cannot be indexed, or its bytes are damaged.
    #[error(transparent)]
    Codecs(#[from] kite_codecs::Error),
    /// Memory could not be had.
    #[error("out of memory for {bytes} bytes")]
    OutOfMemory {
        /// How much was asked for; 0 where that is not known.
        bytes: usize,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A temporary file could not be written or read.
    #[error("a temporary file failed: {0}")]
    Scratch(std::io::ErrorKind),
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
        match stopped {
            Stopped::Interrupted => Self::Interrupted,
            Stopped::OutOfMemory => Self::OutOfMemory { bytes: 0 },
        }
    }
}

impl From<kite_build::Error> for Error {
    fn from(error: kite_build::Error) -> Self {
        match error {
            kite_build::Error::OutOfMemory { bytes } => Self::OutOfMemory { bytes },
            kite_build::Error::Interrupted => Self::Interrupted,
            kite_build::Error::Scratch(kind) => Self::Scratch(kind),
        }
    }
}

/// The outcome of an operation on an index.
pub type Result<T, E = Error> = std::result::Result<T, E>;
