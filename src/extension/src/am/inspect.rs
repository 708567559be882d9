//! `kite.index_info` and `kite.index_check`: an index seen from outside.

use crate::am::error::{Failure, OrRaise};
use crate::am::hnsw::Hnsw;
use crate::am::ivf::{Ivf, IvfFlat};
use crate::am::method::Method;
use crate::am::scans::{Limit, Scans};
use crate::am::store::PgStore;
use crate::am::{Refusal, catalog};
use crate::call::Call;
use crate::rows;
use kite_vectors::Result;
use pgrx::{
    IntoDatum, JsonB, PgSqlErrorCode,
    pg_sys::{self, Datum, LOCKMODE, Oid},
};
use serde_json::Value;
use std::ffi::CStr;

/// What a role must be granted on the table. A constant, since the types of the two differ from PostgreSQL 16 on only.
const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;

type Outcome<T> = std::result::Result<T, Failure>;

/// How an index of an access method is looked at.
pub(in crate::am) trait Inspect: Method {
    /// What ends its searches.
    const LIMITS: &'static [Limit];

    /// The figures of an index.
    fn info(store: &PgStore) -> Outcome<Value>;

    /// What is wrong with an index. Damage that keeps it from being opened at all may be an error.
    fn check(store: &PgStore) -> Outcome<Damage>;
}

/// What a check has found.
#[derive(Debug)]
pub(in crate::am) struct Damage {
    /// Pages, and what is wrong there.
    pub(in crate::am) problems: Vec<(u32, String)>,
    /// Further problems, which are not listed.
    pub(in crate::am) more: u64,
}

/// [`Inspect`] of one access method.
struct Inspector {
    name: &'static str,
    handler: &'static str,
    limits: &'static [Limit],
    info: fn(&PgStore) -> Outcome<Value>,
    check: fn(&PgStore) -> Outcome<Damage>,
}

impl Inspector {
    const ALL: &[Self] = &[Self::of::<Hnsw>(), Self::of::<Ivf>(), Self::of::<IvfFlat>()];

    const fn of<M: Inspect>() -> Self {
        Self { name: M::NAME, handler: M::HANDLER, limits: M::LIMITS, info: M::info, check: M::check }
    }
}

export! {
    "kite_index_info" => index_info,
    "kite_index_check" => index_check,
}

fn index_info(call: &Call) -> Result<Datum> {
    let oid = argument(call);
    let index = Opened::new(oid, pg_sys::AccessShareLock);
    // SAFETY: the index is open for as long as the store is used.
    let mut info = unsafe { (index.inspector.info)(&PgStore::new(index.index)).or_raise(index.index) };
    info["scans"] = scans_json(Scans::of(oid), index.inspector.limits);
    Ok(JsonB(info).into_datum().unwrap_or_else(Datum::null))
}

fn index_check(call: &Call) -> Result<Datum> {
    // Whoever writes meanwhile would look like damage. What a standby replays cannot be kept out.
    // SAFETY: asks for the state of the server.
    let standby = unsafe { pg_sys::RecoveryInProgress() };
    let index =
        Opened::new(argument(call), if standby { pg_sys::AccessShareLock } else { pg_sys::ShareLock });
    // SAFETY: the index is open for as long as the store is used.
    let found = unsafe {
        match (index.inspector.check)(&PgStore::new(index.index)) {
            Err(Failure::Pages(kite_pages::Error::Corrupt { block, what })) => {
                Damage { problems: vec![(block, what.to_owned())], more: 0 }
            }
            other => other.or_raise(index.index),
        }
    };
    // A last row for what was not listed.
    let more = (found.more > 0).then(|| (None, format!("{} further problems", found.more)));
    let listed = found.problems.into_iter().map(|(block, what)| (Some(i64::from(block)), what));
    let row = |(block, problem): (Option<i64>, String)| [block.into_datum(), problem.into_datum()];
    rows::answer(call, listed.chain(more).map(row));
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
    inspector: &'static Inspector,
}

impl Opened {
    /// Opens an index for a role that may read the table. Anything else is an ERROR.
    fn new(oid: Oid, lock: u32) -> Self {
        let lock = lock as LOCKMODE;
        let (table, inspector) = readable_table(oid);
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
            let opened = Self { table, index, lock, inspector };
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

/// The table of an index of ours, if the caller may read it, and how the index is looked at. Nothing is locked yet.
fn readable_table(index: Oid) -> (Oid, &'static Inspector) {
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
        let handler = catalog::index_handler(index).filter(|_| kind == pg_sys::RELKIND_INDEX);
        let inspector = Inspector::ALL.iter().find(|known| handler.as_deref() == Some(known.handler));
        let Some(inspector) = inspector else {
            let known: Vec<&str> = Inspector::ALL.iter().map(|known| known.name).collect();
            let known = known.join(", ");
            Refusal::new(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{name}\" is not an index of one of the access methods {known}"),
            )
            .raise();
        };
        let table = pg_sys::IndexGetRelation(index, false);
        let access = pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), SELECT);
        if access != pg_sys::AclResult::ACLCHECK_OK {
            pg_sys::aclcheck_error(access, pg_sys::ObjectType::OBJECT_TABLE, pg_sys::get_rel_name(table));
        }
        (table, inspector)
    }
}

/// What became of the scans of this session.
fn scans_json(scans: Scans, limits: &[Limit]) -> Value {
    let ended = limits.iter().map(|&limit| (format!("ended_by_{}", limit.name()), scans.ended_by(limit)));
    let all = std::iter::once(("started".to_owned(), scans.started)).chain(ended);
    all.map(|(name, count)| (name, Value::from(count))).collect()
}
