//! The seams between Postgres and an index crate. What Postgres calls is written once, generic over these traits; `hnsw/` and
//! `ivf/` have a file per seam.

use super::error::Failure;
use super::store::PgStore;
use super::{Refusal, build, cost, insert, progress, scan, vacuum, validate};
use kite_codecs::Spec;
use pgrx::{
    PgBox,
    pg_sys::{self, Datum, IndexAmRoutine, NodeTag, Oid, Relation, bytea},
};

/// An access method: what it is called, and the indexes that it makes.
pub(in crate::am) trait Method: 'static {
    /// Its name in SQL.
    const NAME: &'static str;
    /// The C symbol of the handler, by which an index of ours is known.
    const HANDLER: &'static str;
    /// What the support functions of an operator class are, from number 1 on.
    const SUPPORT: &'static [validate::Support];
    /// What an index is made with.
    type Options: Copy;
    /// An index in a store.
    type Index<'s>;
    /// What a backend keeps of an index.
    type Kept: Clone + 'static;

    /// `amoptions`
    ///
    /// # Safety
    /// As Postgres calls it.
    unsafe extern "C-unwind" fn parse(options: Datum, validate: bool) -> *mut bytea;

    /// What an index is to be made with by its operator class, its column and its options.
    ///
    /// # Errors
    /// What goes with no index; it is an error only where the index is made, as the planner asks, too.
    ///
    /// # Safety
    /// `index` is an open index of this access method.
    unsafe fn resolve(index: Relation) -> Result<Self::Options, Refusal>;

    /// Type, metric and dimensions of what is indexed.
    fn spec(options: &Self::Options) -> Spec;

    /// Writes an index without rows to an empty store.
    fn create(store: &PgStore, options: &Self::Options) -> Result<(), Failure>;

    /// Opens an index, of which this may be known.
    fn open<'s>(store: &'s PgStore, known: Option<&Self::Kept>) -> Result<Self::Index<'s>, Failure>;

    /// What to keep of it.
    fn keep(index: &Self::Index<'_>) -> Self::Kept;

    /// What an index was made with.
    fn options(index: &Self::Index<'_>) -> Self::Options;

    /// Inserts a row. `false` for a value that is not indexed.
    fn insert(
        index: &mut Self::Index<'_>,
        row: kite_pages::ItemPointer,
        value: kite_codecs::Value<'_>,
    ) -> Result<bool, Failure>;
}

/// What an index is to be made with. Options that go with no index of this operator class and these dimensions are an ERROR.
///
/// # Safety
/// `index` is an open index of this access method.
pub(in crate::am) unsafe fn options_of<M: Method>(index: Relation) -> M::Options {
    // SAFETY: by the caller's promise.
    unsafe { M::resolve(index) }.unwrap_or_else(|refusal| refusal.raise())
}

/// The routine that describes the access method, allocated in the current memory context.
pub(in crate::am) fn routine<M>() -> *mut IndexAmRoutine
where
    M: build::Build + scan::Search + vacuum::Vacuum + cost::Priced,
{
    // SAFETY: the node is of this type; `alloc_node` zeroes what is not set below: false, NULL or invalid.
    let mut routine = unsafe { PgBox::<IndexAmRoutine>::alloc_node(NodeTag::T_IndexAmRoutine) };
    // The one strategy of all operator classes orders; 0 leaves it to them, as in pgvector's catalog.
    routine.amstrategies = 0;
    routine.amsupport = M::SUPPORT.len() as u16;
    routine.amcanorderbyop = true;
    // Without it the planner makes no path that only orders.
    routine.amoptionalkey = true;
    // A vacuum takes memory for what it has to remember of the index, and parallel workers share what there is.
    routine.amusemaintenanceworkmem = true;
    routine.amparallelvacuumoptions =
        (pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL | pg_sys::VACUUM_OPTION_PARALLEL_COND_CLEANUP) as u8;
    routine.amkeytype = Oid::INVALID;
    // `amcanbuildparallel` stays false: a build has threads, not parallel workers.

    routine.ambuild = Some(build::build::<M>);
    routine.ambuildempty = Some(build::build_empty::<M>);
    routine.aminsert = Some(insert::insert::<M>);
    routine.ambulkdelete = Some(vacuum::bulk_delete::<M>);
    routine.amvacuumcleanup = Some(vacuum::cleanup::<M>);
    routine.amcostestimate = Some(cost::estimate::<M>);
    routine.amoptions = Some(M::parse);
    routine.ambuildphasename = Some(progress::phase_name);
    routine.amvalidate = Some(validate::validate::<M>);
    routine.ambeginscan = Some(scan::begin::<M>);
    routine.amrescan = Some(scan::rescan::<M>);
    routine.amgettuple = Some(scan::next::<M>);
    routine.amendscan = Some(scan::end::<M>);
    routine.into_pg()
}
