//! Building a graph.

use super::Hnsw;
use crate::am::build::{Build, Built, Notice};
use crate::am::error::Failure;
use crate::am::host::{BufFiles, Server};
use crate::am::store::PgStore;
use kite_build::Resources;
use kite_codecs::Value;
use kite_hnsw::{Builder, Options};
use kite_pages::ItemPointer;

impl Build for Hnsw {
    type Builder = Builder<BufFiles>;

    fn begin(options: &Options, resources: Resources, scratch: BufFiles) -> Result<Self::Builder, Failure> {
        Ok(Builder::new(options, resources, scratch)?)
    }

    fn push(builder: &mut Self::Builder, row: ItemPointer, value: Value<'_>) -> Result<bool, Failure> {
        Ok(builder.push(row, value)?)
    }

    fn is_spilled(builder: &Self::Builder) -> bool {
        builder.is_spilled()
    }

    fn of_memory(index: &str, rows: u64) -> Option<Notice> {
        Some(Notice {
            message: format!("hnsw graph no longer fits into maintenance_work_mem after {rows} tuples"),
            detail: format!(
                "Index \"{index}\" is built in parts by way of temporary files, in about twice the time."
            ),
            hint: "Increase maintenance_work_mem to speed up builds.",
        })
    }

    fn finish(builder: Self::Builder, store: &PgStore, server: &Server) -> Result<Built, Failure> {
        Ok(Built { rows: builder.finish(store, server)?.rows, notice: None })
    }
}
