//! How an index stores vectors, and what it computes with them.
//!
//! A *payload* is a vector as the index holds it: in full, in half precision, or in a byte per dimension. It ranks. A *code* is a
//! few bits per dimension that are copied to wherever they are needed. It steers. [`Scorer`] is all that an index sees of
//! either, so that one index serves every type and metric. The README has the formulas and layouts.

mod bit;
mod bound;
mod bytes;
mod cell;
mod codec;
mod error;
mod frame;
mod full;
mod half;
mod pq;
mod rabitq;
mod rotation;
mod scatter;
mod scorer;
mod space;
mod sparse;
mod spec;
mod sq8;
mod value;

pub use cell::{CellCoder, CellDesk, CellQuery};
pub use error::{Error, Result};
pub use frame::Frame;
pub use pq::{ProductCoder, ProductQuery};
pub use scorer::{PreparedQuery, Scorer};
pub use space::Space;
pub use spec::{Metric, PayloadKind, Spec, VectorType};
pub use value::{OwnedValue, Value};
