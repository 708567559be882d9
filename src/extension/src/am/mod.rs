//! Index access methods: what stands between Postgres and the index crates.

mod build;
mod cache;
mod catalog;
mod cost;
mod error;
mod exact;
mod hnsw;
pub(crate) mod hook;
mod host;
mod insert;
mod inspect;
mod ivf;
mod method;
mod notices;
mod other;
mod patience;
mod progress;
mod quals;
mod reading;
mod reloptions;
mod scan;
mod scans;
mod spec;
pub(crate) mod store;
mod tid;
mod vacuum;
mod validate;
mod value;

pub(crate) use ivf::Probes;

use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys::panic::ErrorReport};

/// Tells Postgres of the options of indexes. To be called when the library is loaded.
pub(crate) fn define_options() {
    hnsw::define();
    ivf::define();
}

/// Why something cannot be indexed as it was asked for. An error only once it is [raised](Refusal::raise): the planner asks
/// the same questions and has to go on whatever the answer is.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: PgSqlErrorCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Raises it as an ERROR.
    #[cold]
    pub(crate) fn raise(self) -> ! {
        ErrorReport::new(self.code, self.message, "pgkite").report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}
