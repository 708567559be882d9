//! The access method `hnsw`: what Postgres is told of it.

mod build;
mod host;
mod insert;
mod inspect;
mod scan;
mod vacuum;

use super::{cost, options, progress, validate};
use pgrx::{
    PgBox,
    pg_sys::{self, Datum, IndexAmRoutine, NodeTag, Oid},
};

/// The C symbol of the handler, by which an index of ours is known.
const HANDLER: &str = "kite_hnsw_handler";

/// The routine that describes the access method, allocated in the current memory context.
fn routine() -> *mut IndexAmRoutine {
    // SAFETY: the node is of this type; `alloc_node` zeroes what is not set below: false, NULL or invalid.
    let mut routine = unsafe { PgBox::<IndexAmRoutine>::alloc_node(NodeTag::T_IndexAmRoutine) };
    // The one strategy of all operator classes orders; 0 leaves it to them, as in pgvector's catalog.
    routine.amstrategies = 0;
    routine.amsupport = 3;
    routine.amcanorderbyop = true;
    // Without it the planner makes no path that only orders.
    routine.amoptionalkey = true;
    // A vacuum takes memory for each vertex, and parallel workers share what there is.
    routine.amusemaintenanceworkmem = true;
    routine.amparallelvacuumoptions =
        (pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL | pg_sys::VACUUM_OPTION_PARALLEL_COND_CLEANUP) as u8;
    routine.amkeytype = Oid::INVALID;
    // `amcanbuildparallel` stays false: a build has threads, not parallel workers.

    routine.ambuild = Some(build::build);
    routine.ambuildempty = Some(build::build_empty);
    routine.aminsert = Some(insert::insert);
    routine.ambulkdelete = Some(vacuum::bulk_delete);
    routine.amvacuumcleanup = Some(vacuum::cleanup);
    routine.amcostestimate = Some(cost::estimate);
    routine.amoptions = Some(options::parse);
    routine.ambuildphasename = Some(progress::phase_name);
    routine.amvalidate = Some(validate::validate);
    routine.ambeginscan = Some(scan::begin);
    routine.amrescan = Some(scan::rescan);
    routine.amgettuple = Some(scan::next);
    routine.amendscan = Some(scan::end);
    routine.into_pg()
}

export! {
    "kite_hnsw_handler" => |_| Ok(Datum::from(routine())),
    // pgvector's catalog names a function per type that describes it. Nothing calls ours: the opclass itself says all.
    "kite_hnsw_type_support" => |_| Ok(None::<Datum>),
}
