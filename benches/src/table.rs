//! The searched table, with its vectors where a bench wants them: in the rows, or in TOAST.

use crate::data::Dataset;
use crate::metric::Element;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use postgres::Client;
use postgres::binary_copy::BinaryCopyInWriter;
use serde::{Deserialize, Serialize};

/// A value of this many bytes makes any row too long to stay whole: the vector moves out with it.
const PADDING: usize = 2100;
/// What is too short to be moved out by itself.
const NEEDS_PADDING: usize = 2000;

/// Where the vectors lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Storage {
    /// In the table's own pages (STORAGE PLAIN).
    Inline,
    /// In the TOAST relation, not compressed (STORAGE EXTERNAL, the types' default).
    Toasted,
}

/// The shape of a table with a column `embedding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    pub(crate) element: Element,
    pub(crate) dims: usize,
    pub(crate) storage: Storage,
}

/// What the server says about the filled table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Placement {
    pub(crate) heap_bytes: i64,
    pub(crate) toast_bytes: i64,
}

impl Shape {
    pub(crate) fn column(&self) -> String {
        format!("{}({})", self.element.sql(), self.dims)
    }

    /// Makes the table, fills it by binary COPY, and proves that the vectors lie where they should.
    pub(crate) fn load(&self, client: &mut Client, data: &Dataset) -> Result<Placement> {
        client.batch_execute(&self.create("items", "id int4"))?;
        let types: Vec<_> = client
            .prepare("SELECT id, embedding FROM items")?
            .columns()
            .iter()
            .map(|column| column.type_().clone())
            .collect();
        let copy = client.copy_in("COPY items (id, embedding) FROM STDIN (FORMAT binary)")?;
        let mut writer = BinaryCopyInWriter::new(copy, &types);
        data.for_each_row(0..data.len(), |id, row| {
            Ok(writer.write(&[&i32::try_from(id)?, self.element.bind(row).as_ref()])?)
        })?;
        let copied = writer.finish()?;
        ensure!(copied == data.len() as u64, "{copied} rows were copied");
        client.batch_execute("VACUUM (FREEZE, ANALYZE) items")?;
        client.batch_execute("CHECKPOINT")?;
        self.placement(client, "items", data.len())
    }

    /// Statements that make a table of these columns and, behind them, `embedding`.
    pub(crate) fn create(&self, table: &str, columns: &str) -> String {
        let made = format!(
            "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({columns}, embedding {}",
            self.column()
        );
        match self.storage {
            Storage::Inline => format!("{made}); ALTER TABLE {table} ALTER embedding SET STORAGE PLAIN"),
            // The target only says how far a row is cut once it is too long; the padding makes it so.
            Storage::Toasted if self.padded() => format!(
                "{made}, padding text DEFAULT repeat('x', {PADDING})) WITH (toast_tuple_target = 128);
                 ALTER TABLE {table} ALTER embedding SET STORAGE EXTERNAL, ALTER padding SET STORAGE EXTERNAL"
            ),
            Storage::Toasted => format!(
                "{made}) WITH (toast_tuple_target = 128);
                 ALTER TABLE {table} ALTER embedding SET STORAGE EXTERNAL"
            ),
        }
    }

    fn padded(&self) -> bool {
        self.storage == Storage::Toasted
            && self.element.bytes(self.dims).is_some_and(|bytes| bytes <= NEEDS_PADDING)
    }

    /// Where the vectors of a table of so many rows lie; fails unless it is where they should.
    pub(crate) fn placement(&self, client: &mut Client, table: &str, rows: usize) -> Result<Placement> {
        let row = client.query_one(
            "SELECT pg_relation_size(oid), nullif(reltoastrelid, 0)::regclass::text,
                    coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0)
             FROM pg_class WHERE oid = to_regclass($1)",
            &[&table],
        )?;
        let (heap_bytes, toast, toast_bytes): (i64, Option<String>, i64) =
            (row.get(0), row.get(1), row.get(2));
        let outside: i64 = match toast {
            Some(toast) => client
                .query_one(
                    &format!("SELECT coalesce(sum(octet_length(chunk_data)), 0)::int8 FROM {toast}"),
                    &[],
                )?
                .get(0),
            None => 0,
        };
        // The varlena header of 4 stays behind.
        let value = self.element.bytes(self.dims).context("values of one length")?;
        let wanted = match self.storage {
            Storage::Inline => 0,
            Storage::Toasted => rows * (value - 4 + if self.padded() { PADDING } else { 0 }),
        };
        ensure!(
            usize::try_from(outside)? == wanted,
            "{} bytes of {} lie in TOAST instead of {wanted}",
            outside,
            self.column()
        );
        let sizes = client
            .query_one(
                &format!(
                    "SELECT min(pg_column_size(embedding)), max(pg_column_size(embedding)) FROM {table}"
                ),
                &[],
            )
            .context("no sizes")?;
        let stored = i32::try_from(if self.storage == Storage::Inline { value } else { value - 4 })?;
        ensure!(
            (sizes.get::<_, i32>(0), sizes.get::<_, i32>(1)) == (stored, stored),
            "values of {} are stored in other than {stored} bytes",
            self.column()
        );
        Ok(Placement { heap_bytes, toast_bytes })
    }
}
