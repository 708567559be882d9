//! Building lists.

use super::Lists;
use crate::am::build::{Build, Built, Notice};
use crate::am::error::Failure;
use crate::am::host::{BufFiles, Server};
use crate::am::method::Method;
use crate::am::store::PgStore;
use kite_build::Resources;
use kite_codecs::Value;
use kite_ivf::{Builder, Options, auto_lists};
use kite_pages::ItemPointer;

/// A build, and the lists that it is asked for.
pub(in crate::am) struct Asked {
    builder: Builder<BufFiles>,
    lists: usize,
}

impl<const FLAT: bool> Build for Lists<FLAT> {
    type Builder = Asked;

    fn begin(options: &Options, resources: Resources, scratch: BufFiles) -> Result<Asked, Failure> {
        Ok(Asked { builder: Builder::new(options, resources, scratch)?, lists: options.lists })
    }

    fn push(build: &mut Asked, row: ItemPointer, value: Value<'_>) -> Result<bool, Failure> {
        Ok(build.builder.push(row, value)?)
    }

    fn is_spilled(build: &Asked) -> bool {
        build.builder.is_spilled()
    }

    /// Rows in temporary files are read twice more, as by a sort: nothing to speak of.
    fn of_memory(_: &str, _: u64) -> Option<Notice> {
        None
    }

    fn finish(build: Asked, store: &PgStore, server: &Server) -> Result<Built, Failure> {
        let rows = build.builder.finish(store, server)?.rows;
        Ok(Built { rows, notice: of_little_data::<FLAT>(build.lists, rows) })
    }
}

/// What the user is told of an index of few rows.
fn of_little_data<const FLAT: bool>(lists: usize, rows: u64) -> Option<Notice> {
    let little = match lists {
        0 => auto_lists(rows) <= 1,
        lists => rows < lists as u64,
    };
    let message = format!("{} index created with little data", Lists::<FLAT>::NAME);
    // In pgvector's words for the index that has its name.
    let (detail, hint) = if FLAT {
        ("This will cause low recall.", "Drop the index until the table has more data.")
    } else {
        ("Its lists do not fit rows that come later.", "REINDEX it when the table has more data.")
    };
    little.then(|| Notice { message, detail: detail.to_owned(), hint })
}
