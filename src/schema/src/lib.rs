//! What a collection is, without Postgres: its fields, their types, ranges and limits, and the JSON in which clients
//! describe it. The rules, names and messages are Milvus's, so that a client reads what it expects.

mod definition;
mod error;
mod field;
mod index;
mod name;
mod plan;
mod read;
mod types;

pub use definition::{Definition, MAX_FIELDS, MAX_PARTITIONS, MAX_VECTOR_FIELDS, Partitioning, QuickForm};
pub use error::{Code, Error, Result};
pub use field::{Field, MAX_CAPACITY, MAX_LENGTH};
pub use index::{IndexRequest, Metric};
pub use name::{Entity, IDENTIFIER_BYTES, MAX_NAME, check_name, fit};
pub use plan::{Available, IndexPlan, InvertedFile, Method};
pub use types::DataType;
