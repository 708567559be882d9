//! The searched tables: one for each arm, so that no arm's index is in the way of another's.

use crate::data::{Attributes, Dataset};
use crate::interrupt;
use crate::metric::Column;
use crate::progress::Progress;
use crate::table::Storage;
use anyhow::{Result, ensure};
use postgres::Client;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::ToSql;
use std::ops::Range;

/// Makes a table `(id int4, spread int4, near int4, embedding …)`, by default with the types' storage. The two integers are
/// only filled where attributes are given.
pub(crate) fn create(
    client: &mut Client,
    table: &str,
    column: Column,
    storage: Option<Storage>,
) -> Result<()> {
    let columns = "id int4, spread int4, near int4";
    let statements = match storage {
        None => format!(
            "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({columns}, embedding {})",
            column.sql()
        ),
        Some(storage) => column.stored(storage).create(table, columns),
    };
    Ok(client.batch_execute(&statements)?)
}

/// Fills a table with some of the rows, whose numbers are their ids.
pub(crate) fn copy(
    client: &mut Client,
    table: &str,
    data: &Dataset,
    rows: Range<usize>,
    attributes: Option<&Attributes>,
) -> Result<()> {
    let progress = Progress::new(&format!("loading {table}"));
    let types: Vec<_> = client
        .prepare(&format!("SELECT id, spread, near, embedding FROM {table}"))?
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    let copy =
        client.copy_in(&format!("COPY {table} (id, spread, near, embedding) FROM STDIN (FORMAT binary)"))?;
    let mut writer = BinaryCopyInWriter::new(copy, &types);
    let total = rows.len();
    data.for_each_row(rows.clone(), |row, values| {
        let id = i32::try_from(row)?;
        let of = |values: &[u32]| values.get(row).map(|value| value.cast_signed());
        let (spread, near) =
            (attributes.and_then(|all| of(all.uncorrelated())), attributes.and_then(|all| of(all.near())));
        let embedding = data.element().bind(values);
        let fields: [&(dyn ToSql + Sync); 4] = [&id, &spread, &near, embedding.as_ref()];
        writer.write(&fields)?;
        if row.is_multiple_of(1000) {
            interrupt::check()?;
            progress.say("rows", (row - rows.start) as u64, total as u64);
        }
        Ok(())
    })?;
    let copied = writer.finish()?;
    ensure!(copied == total as u64, "{copied} of {total} rows were copied");
    Ok(())
}

/// Brings statistics and visibility into the state that an unchanging table has.
pub(crate) fn settle(client: &mut Client, table: &str) -> Result<()> {
    Ok(client.batch_execute(&format!("VACUUM (FREEZE, ANALYZE) {table}"))?)
}
