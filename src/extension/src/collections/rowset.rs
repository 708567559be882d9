//! Rows that a statement reads like a table: a tuple store with the columns of the collection's table, known to SPI by a name, as the
//! transition tables of triggers are. Nothing is copied into arrays, and one statement writes a whole batch.

use super::batch::{Batch, Cell};
use super::error::internal;
use super::spi::Spi;
use pgrx::pg_sys::{self, Datum, Relation};

/// The name of the rows in statements. It hides tables of that name, as any such relation does.
pub(super) const NAME: &str = "kite_rows";

/// Lends some rows of a batch to statements under [`NAME`], while `work` runs. The table is locked.
pub(super) fn lend<R>(spi: &Spi, batch: &Batch<'_>, rows: &[usize], work: impl FnOnce() -> R) -> R {
    let numbers: Vec<usize> = (0..batch.width())
        .map(|place| batch.column(place).map_or(batch.meta, |column| column.number))
        .map(|number| usize::try_from(number - 1).unwrap_or(0))
        .collect();
    // SAFETY: the relation is open while its descriptor is used, and locked by the caller until the transaction ends, which is what
    // analysing a statement on these rows needs. Values are datums of the columns' types, which `value::check_column` has seen to;
    // they are copied into the store. The name is known to SPI only as long as the store is there; an ERROR ends both.
    unsafe {
        let relation: Relation = pg_sys::table_open(batch.collection.oid, pg_sys::NoLock as i32);
        let descriptor = (*relation).rd_att;
        let columns = usize::try_from((*descriptor).natts).unwrap_or(0);
        if numbers.iter().any(|number| *number >= columns) {
            internal("a field without a column".into());
        }
        let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
        let (mut values, mut nulls) = (vec![Datum::null(); columns], vec![true; columns]);
        for &row in rows {
            nulls.fill(true);
            for (place, &number) in numbers.iter().enumerate() {
                if let Cell::Value(value) = batch.cell(row, place) {
                    values[number] = value;
                    nulls[number] = false;
                }
            }
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        let mut name: Vec<u8> = NAME.bytes().chain([0]).collect();
        let mut lent = pg_sys::EphemeralNamedRelationData::default();
        lent.md.name = name.as_mut_ptr().cast();
        lent.md.reliddesc = batch.collection.oid;
        lent.md.enrtype = pg_sys::EphemeralNameRelationType::ENR_NAMED_TUPLESTORE;
        lent.md.enrtuples = rows.len() as f64;
        lent.reldata = store.cast();
        spi.register(&raw mut lent);
        let result = work();
        spi.unregister(&raw mut lent);
        pg_sys::tuplestore_end(store);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        result
    }
}

/// Gives rows that do not say a field's value the default of its column, as COPY does: by the column's own expression.
pub(super) fn fill_defaults(batch: &mut Batch<'_>, rows: &[usize], place: usize) {
    let number = batch.column(place).map_or(batch.meta, |column| column.number);
    // SAFETY: the relation is locked by the caller and open while its default is built; the expression is a fresh copy, and lives with
    // its state as long as the memory context of SPI's connection. An ERROR frees all.
    unsafe {
        let relation: Relation = pg_sys::table_open(batch.collection.oid, pg_sys::NoLock as i32);
        let default = pg_sys::build_column_default(relation, i32::from(number));
        let state = if default.is_null() {
            None
        } else {
            let planned = pg_sys::expression_planner(default.cast());
            let executor = pg_sys::CreateExecutorState();
            let state = pg_sys::ExecInitExpr(planned, std::ptr::null_mut());
            Some((executor, state, pg_sys::MakePerTupleExprContext(executor)))
        };
        for &row in rows {
            if matches!(batch.cell(row, place), Cell::Value(_) | Cell::Null) {
                continue;
            }
            let mut cell = Cell::Null;
            if let Some((_, state, context)) = state {
                let mut is_null = false;
                let value = pg_sys::ExecEvalExpr(state, context, &raw mut is_null);
                cell = if is_null { Cell::Null } else { Cell::Value(value) };
            }
            batch.set(row, place, cell);
        }
        // Values may stand in the executor's memory, which goes with SPI's connection.
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
    }
}
