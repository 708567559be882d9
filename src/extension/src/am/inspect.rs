//! `kite.index_info` and `kite.index_check`: an index seen from outside.

use crate::am::error::OrRaise;
use crate::am::scans::Scans;
use crate::am::store::PgStore;
use crate::am::{Refusal, catalog};
use crate::call::Call;
use crate::rows;
use kite_hnsw::{Error, Index, Info, Level, Options};
use kite_pages::PageStore;
use kite_vectors::Result;
use pgrx::{
    IntoDatum, JsonB, PgSqlErrorCode,
    pg_sys::{self, Datum, LOCKMODE, Oid},
};
use serde_json::{Value, json};
use std::ffi::CStr;

/// What a role must be granted on the table. A constant, since the types of the two differ from PostgreSQL 16 on only.
const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;

export! {
    "kite_index_info" => index_info,
    "kite_index_check" => index_check,
}

fn index_info(call: &Call) -> Result<Datum> {
    let oid = argument(call);
    let index = Opened::new(oid, pg_sys::AccessShareLock);
    // SAFETY: the index is open for as long as the store is used.
    let mut info = unsafe { info(&PgStore::new(index.index)).or_raise(index.index) };
    info["scans"] = scans_json(Scans::of(oid));
    Ok(JsonB(info).into_datum().unwrap_or_else(Datum::null))
}

fn index_check(call: &Call) -> Result<Datum> {
    // Whoever writes meanwhile would look like damage. What a standby replays cannot be kept out.
    // SAFETY: asks for the state of the server.
    let standby = unsafe { pg_sys::RecoveryInProgress() };
    let index =
        Opened::new(argument(call), if standby { pg_sys::AccessShareLock } else { pg_sys::ShareLock });
    // SAFETY: the index is open for as long as the store is used.
    let problems = unsafe { problems(&PgStore::new(index.index)).or_raise(index.index) };
    let row =
        |(block, problem): (Option<u32>, String)| [block.map(i64::from).into_datum(), problem.into_datum()];
    rows::answer(call, problems.into_iter().map(row));
    Ok(Datum::null())
}

fn argument(call: &Call) -> Oid {
    Oid::from_u32(call.int4(0).cast_unsigned())
}

/// An index of ours and its table, open and locked for as long as this lives.
struct Opened {
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    lock: LOCKMODE,
}

impl Opened {
    /// Opens an index for a role that may read the table. Anything else is an ERROR.
    fn new(oid: Oid, lock: u32) -> Self {
        let lock = lock as LOCKMODE;
        let table = readable_table(oid);
        // SAFETY: the table is locked before its index, as everywhere; relations that are gone by now are an ERROR.
        unsafe {
            let table = pg_sys::table_open(table, lock);
            let index = pg_sys::index_open(oid, lock);
            // The number of the index may have gone to another one while the lock was waited for.
            if pg_sys::IndexGetRelation(oid, false) != (*table).rd_id {
                Refusal::new(
                    PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                    format!("could not open the table of index {oid}"),
                )
                .raise();
            }
            let opened = Self { table, index, lock };
            opened.refuse_unreadable();
            opened
        }
    }

    /// Raises an ERROR where there are no pages of a whole index to be read by this session.
    fn refuse_unreadable(&self) {
        // SAFETY: the index is open, so its descriptor and catalog rows are there.
        let (persistence, is_own, is_valid, name) = unsafe {
            let row = (*self.index).rd_rel;
            let name = pgrx::name_data_to_str(&(*row).relname);
            (
                (*row).relpersistence as u8,
                (*self.index).rd_islocaltemp,
                (*(*self.index).rd_index).indisvalid,
                name,
            )
        };
        // SAFETY: asks for the state of the server.
        let standby = unsafe { pg_sys::RecoveryInProgress() };
        if persistence == pg_sys::RELPERSISTENCE_TEMP && !is_own {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "cannot access temporary indexes of other sessions",
            )
            .raise();
        }
        if persistence == pg_sys::RELPERSISTENCE_UNLOGGED && standby {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "cannot access temporary or unlogged relations during recovery",
            )
            .raise();
        }
        if !is_valid {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("index \"{name}\" is not valid"),
            )
            .raise();
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // An ERROR is under way: its transaction releases what it holds.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: both are open with this lock.
        unsafe {
            pg_sys::index_close(self.index, self.lock);
            pg_sys::table_close(self.table, self.lock);
        }
    }
}

/// The table of an index of ours, if the caller may read it. Nothing is locked yet.
fn readable_table(index: Oid) -> Oid {
    // SAFETY: plain catalog look-ups; names are NULL or strings that stay valid.
    unsafe {
        let name = pg_sys::get_rel_name(index);
        if name.is_null() {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation with OID {index} does not exist"),
            )
            .raise();
        }
        let name = CStr::from_ptr(name).to_string_lossy();
        let kind = pg_sys::get_rel_relkind(index) as u8;
        if kind == pg_sys::RELKIND_PARTITIONED_INDEX {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{name}\" is a partitioned index; each partition has an index of its own"),
            )
            .raise();
        }
        if kind != pg_sys::RELKIND_INDEX || catalog::index_handler(index).as_deref() != Some(super::HANDLER) {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{name}\" is not an hnsw index"),
            )
            .raise();
        }
        let table = pg_sys::IndexGetRelation(index, false);
        let access = pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), SELECT);
        if access != pg_sys::AclResult::ACLCHECK_OK {
            pg_sys::aclcheck_error(access, pg_sys::ObjectType::OBJECT_TABLE, pg_sys::get_rel_name(table));
        }
        table
    }
}

/// Damage, and a last row for what was not listed. Damage that keeps the index from being opened at all is a row, too.
fn problems<S: PageStore>(store: &S) -> kite_hnsw::Result<Vec<(Option<u32>, String)>> {
    let report = match Index::open(store).and_then(|mut index| index.check()) {
        Err(Error::Pages(kite_pages::Error::Corrupt { block, what })) => {
            return Ok(vec![(Some(block), what.to_owned())]);
        }
        other => other?,
    };
    let more = (report.more > 0).then(|| (None, format!("{} further problems", report.more)));
    let listed = report.problems.into_iter().map(|problem| (Some(problem.block), problem.what));
    Ok(listed.chain(more).collect())
}

/// The figures of an index under the names that [`Info`] has for them.
fn info<S: PageStore>(store: &S) -> kite_hnsw::Result<Value> {
    let Info {
        options,
        pages,
        bytes,
        free_bytes,
        rows,
        dead_vertices,
        unlinked_vertices,
        levels,
        coded_lists,
        bare_lists,
        postings,
        chunks,
        frame,
    } = Index::open(store)?.info()?;
    Ok(json!({
        "options": options_json(&options),
        "pages": pages,
        "bytes": bytes,
        "free_bytes": free_bytes,
        "rows": rows,
        "dead_vertices": dead_vertices,
        "unlinked_vertices": unlinked_vertices,
        "levels": levels.iter().map(level_json).collect::<Vec<_>>(),
        "coded_lists": coded_lists,
        "bare_lists": bare_lists,
        "postings": postings,
        "chunks": chunks,
        "frame": frame,
    }))
}

/// The options as `WITH (…)` spells them, and what the operator class and the column have decided.
fn options_json(options: &Options) -> Value {
    let spec = &options.spec;
    json!({
        "m": options.m,
        "ef_construction": options.ef_construction,
        "payload": spec.payload.to_string(),
        "codes": spec.code_bits,
        "type": spec.vector_type.to_string(),
        "metric": spec.metric.to_string(),
        "dimensions": spec.dims,
    })
}

/// What became of the scans of this session.
fn scans_json(scans: Scans) -> Value {
    let Scans { started, ended_by_max_scan_tuples, ended_by_memory } = scans;
    json!({
        "started": started,
        "ended_by_max_scan_tuples": ended_by_max_scan_tuples,
        "ended_by_memory": ended_by_memory,
    })
}

fn level_json(level: &Level) -> Value {
    json!({
        "vertices": level.vertices,
        "mean_degree": level.mean_degree(),
        "degrees": level.degrees,
    })
}
