//! Tests inside a backend (`#[pg_test]`): what can only be seen from within the server's process.

use pgrx::{
    PgTryBuilder, Spi,
    pg_sys::{self, Datum, Oid, panic::CaughtError},
};

use std::panic::{RefUnwindSafe, UnwindSafe};

mod damage;
mod pages;
mod planner;
mod receive;

/// OID of a function by its signature.
fn function(signature: &str) -> Oid {
    Spi::get_one::<Oid>(&format!("SELECT '{signature}'::regprocedure::oid"))
        .unwrap()
        .expect("the function exists")
}

/// Runs a call, and answers its result or the SQLSTATE and message of the error that it raised.
fn attempt<R: Default>(call: impl FnOnce() -> R + UnwindSafe + RefUnwindSafe) -> Result<R, String> {
    let error = std::sync::Mutex::new(None);
    let result = PgTryBuilder::new(call)
        .catch_others(|caught| {
            let message = match &caught {
                CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic { ereport: report, .. } => {
                    format!("{:?}: {}", report.sql_error_code(), report.message())
                }
            };
            *error.lock().unwrap() = Some(message);
            R::default()
        })
        .execute();
    match error.into_inner().unwrap() {
        Some(message) => Err(message),
        None => Ok(result),
    }
}

/// A plain varlena of these bytes behind the header.
fn varlena(body: &[u8]) -> Datum {
    let size = 4 + body.len();
    // SAFETY: the memory holds header and body; `palloc` answers it aligned or raises an ERROR.
    unsafe {
        let pointer = pg_sys::palloc(size).cast::<u8>();
        pgrx::varlena::set_varsize_4b(pointer.cast(), size as i32);
        std::ptr::copy_nonoverlapping(body.as_ptr(), pointer.add(4), body.len());
        Datum::from(pointer)
    }
}

/// The bytes of a plain varlena behind its header.
fn body(datum: Datum) -> Vec<u8> {
    // SAFETY: the callers pass what a function of the extension answered: a valid, plain varlena.
    unsafe {
        let pointer: *const pg_sys::varlena = datum.cast_mut_ptr();
        std::slice::from_raw_parts(pointer.cast::<u8>().add(4), pgrx::varlena::varsize_any_exhdr(pointer))
            .to_vec()
    }
}
