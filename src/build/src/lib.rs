//! What the builds of indexes share: threads that work while the caller looks after interrupts, memory that is counted,
//! temporary files for what does not fit it, and the [`Host`] that a build runs in.

mod error;
mod host;
pub mod memory;
mod scratch;
pub mod threads;

pub use error::{Error, Result};
pub use host::{Host, Phase, Resources, Stopped};
pub use scratch::{Scratch, ScratchFile, TempFile, TempFiles, expect, read_whole, refill};
