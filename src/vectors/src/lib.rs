//! The vector types without Postgres: what `vector`, `halfvec`, `sparsevec` and `bit` mean.
//!
//! Literals ([`text`]), wire formats ([`wire`]), arithmetic ([`dense`], [`sparse`]), order, aggregate states and the exact
//! errors. Nothing here allocates by a number read from its input, and there is no `unsafe`: the extension turns datums into
//! slices, calls in here, and turns an [`Error`] into an `ERROR` with the right SQLSTATE.

pub mod bits;
pub mod dense;
mod error;
mod kind;
mod number;
pub mod sparse;
pub mod sum;
pub mod text;
pub mod wire;

pub use error::{Error, Result, SqlState};
pub use kind::{HALFVEC, Kind, SPARSEVEC, Scalar, VECTOR, check_type_modifier};
pub use number::shortest;
pub use sparse::Sparse;
