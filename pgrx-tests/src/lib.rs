//! What the tests of this folder share: servers with the extension, scripts, and values in wire format.
//!
//! The tests themselves are in `tests/`, one file per topic; the folder's README tells the tiers apart.

pub mod script;
pub mod server;
pub mod wire;
