//! What can go wrong.

/// Why a part of a build failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
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
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Scratch(error.kind())
    }
}

/// The outcome of a part of a build.
pub type Result<T, E = Error> = std::result::Result<T, E>;
