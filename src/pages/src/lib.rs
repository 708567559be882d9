//! Pages, the store they live in and how they are changed: everything that an index needs of Postgres, without Postgres.
//!
//! An index reads a [`Page`] through a [`PageStore`] and changes up to four of them in one [`PageTxn`], which is one WAL record.
//! Whatever bytes a page holds, its accessors answer or report a [`Defect`]; none of them panics. [`ItemRef`] names an item
//! together with its generation, so that a pointer which outlived its item is found out. [`payload`] keeps values longer
//! than a page.
//!
//! The feature `testing` adds `MemStore`, `FaultStore` and `conformance`, which any store can be put through.
//! The README beside this crate has the page map, the lock rules and the states that a crash leaves.

#[cfg(target_endian = "big")]
compile_error!("pages are read in place, and their format is little-endian");

#[cfg(feature = "testing")]
pub mod conformance;
mod delta;
mod edit;
mod error;
#[cfg(feature = "testing")]
mod fault;
pub mod grow;
mod item;
#[cfg(feature = "testing")]
mod mem;
mod page;
pub mod payload;
mod space;
mod store;
mod view;

pub use error::{At, Defect, Error, Result};
#[cfg(feature = "testing")]
pub use fault::{FaultBulk, FaultStore, FaultTxn};
pub use item::{ItemHead, ItemPointer, ItemReader, ItemRef, ItemWriter};
#[cfg(feature = "testing")]
pub use mem::{Latency, MemBulk, MemRead, MemStore, MemTxn, Reads, Snapshot};
pub use page::{BlockNo, ItemNo, MAX_ITEM, NO_BLOCK, PAGE_SIZE, Page, PageKind};
pub use space::{Rooms, with_room, with_rooms};
pub use store::{Ahead, BulkWriter, MAX_PAGES, PageStore, PageTxn, Slot, Stamp};
pub use view::View;
