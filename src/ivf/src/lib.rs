//! The inverted file (Sivic & Zisserman, "Video Google", ICCV 2003; Jégou, Douze & Schmid, TPAMI 2011) on the pages of a
//! [`kite_pages::PageStore`]: vectors in lists, one per centroid of a k-means, of which a query reads the nearest few.
//!
//! The README beside this crate has the page map, the order of locks, and the states that a crash leaves.

mod build;
mod centres;
mod check;
mod coder;
mod error;
mod format;
mod index;
mod info;
mod insert;
mod lines;
mod options;
mod quantiser;
mod rough;
mod rows;
mod search;
#[cfg(test)]
mod testing;
mod vacuum;
mod walk;

pub use build::{Builder, Built, auto_lists};
pub use check::{Problem, Report};
pub use error::{Error, Result};
pub use index::{Index, Kept};
pub use info::Info;
pub use kite_build::{Host, Phase, Resources, Scratch, ScratchFile, Stopped, TempFiles};
pub use options::{Codes, Options, Payload};
pub use search::{Distance, Limit, Order, Row, Scan, ScanOptions};
pub use vacuum::{VacuumOptions, VacuumStats};
