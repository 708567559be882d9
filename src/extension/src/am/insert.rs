//! `aminsert`: one row.

use crate::am::cache::Remembered;
use crate::am::error::OrRaise;
use crate::am::method::Method;
use crate::am::tid;
use crate::am::value::{Detoasted, refuse};
use pgrx::pg_sys::{Datum, IndexInfo, IndexUniqueCheck, ItemPointer, Relation};
use pgrx::prelude::*;

/// Inserts a row into the index.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "the signature is the server's")]
pub(in crate::am) unsafe extern "C-unwind" fn insert<M: Method>(
    index: Relation,
    values: *mut Datum,
    nulls: *mut bool,
    row: ItemPointer,
    table: Relation,
    _check: IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut IndexInfo,
) -> bool {
    // SAFETY: the executor passes open relations, one value with its flag, and the row's place; all of it stays for the call.
    unsafe {
        if *nulls {
            return false;
        }
        let remembered = Remembered::of(index);
        let store = remembered.store(index).of_table(table);
        let mut opened = remembered.open::<M>(&store).or_raise(index);
        let value = Detoasted::new(*values);
        let spec = M::spec(&M::options(&opened));
        let vector = value.value(&spec).unwrap_or_else(|error| refuse(&error, &spec, index));
        M::insert(&mut opened, tid::from_server(&*row), vector).or_raise(index);
        remembered.keep::<M>(&opened);
    }
    false
}
