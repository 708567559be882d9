//! What the tests of this folder share: servers with the extension, scripts, values in wire format, and searches beside exact
//! ones.
//!
//! The tests themselves are in `tests/`, one file per topic; the folder's README tells the tiers apart.

pub mod filter;
pub mod journal;
pub mod method;
pub mod script;
pub mod search;
pub mod server;
pub mod vectors;
pub mod wire;
pub mod workload;
