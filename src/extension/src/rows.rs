//! Functions that return a set of rows.

use crate::call::Call;
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Datum, NodeTag, panic::ErrorReport},
};

/// Makes these rows the result of the call. `None` is NULL.
pub(crate) fn answer<const COLUMNS: usize>(
    call: &Call,
    rows: impl Iterator<Item = [Option<Datum>; COLUMNS]>,
) {
    let Some((store, descriptor)) = begin(call) else { return };
    for row in rows {
        let mut values = row.map(|value| value.unwrap_or_else(Datum::null));
        let mut nulls = row.map(|value| value.is_none());
        // SAFETY: store and descriptor belong to the running call, and each row has the columns that its function declares.
        unsafe {
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }
}

/// An empty store that is the result of the call, and the columns of its rows. `None` does not come back: it is an ERROR.
pub(crate) fn begin(call: &Call) -> Option<(*mut pg_sys::Tuplestorestate, pg_sys::TupleDesc)> {
    let result = call.result_info();
    // SAFETY: `result` is NULL or a node of some type, which is looked at first. Tuple store and descriptor must outlive the call,
    // hence their memory context; a row is copied into the store.
    unsafe {
        if result.is_null()
            || (*result).type_ != NodeTag::T_ReturnSetInfo
            || (*result).expectedDesc.is_null()
            || (*result).allowedModes & pg_sys::SetFunctionReturnMode::SFRM_Materialize as i32 == 0
        {
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "set-valued function called in context that cannot accept a set",
                "pgkite",
            )
            .report(PgLogLevel::ERROR);
            return None;
        }
        let before = pg_sys::MemoryContextSwitchTo((*(*result).econtext).ecxt_per_query_memory);
        let mut descriptor = call.result_descriptor();
        if descriptor.is_null() {
            // A set of scalars has no columns of its own; the executor has made one for it, and frees what it is given.
            descriptor = pg_sys::CreateTupleDescCopy((*result).expectedDesc);
        }
        let random = (*result).allowedModes & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random as i32;
        let store = pg_sys::tuplestore_begin_heap(random != 0, false, pg_sys::work_mem);
        pg_sys::MemoryContextSwitchTo(before);
        (*result).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        (*result).setResult = store;
        (*result).setDesc = descriptor;
        Some((store, descriptor))
    }
}
