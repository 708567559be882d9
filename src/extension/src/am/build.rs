//! `ambuild` and `ambuildempty`: an index of all rows that there are.

use crate::am::error::{Failure, OrRaise, name_of};
use crate::am::host::{BufFiles, Server};
use crate::am::method::{Method, options_of};
use crate::am::progress::{self, Phase};
use crate::am::store::PgStore;
use crate::am::tid;
use crate::am::value::Detoasted;
use crate::call;
use kite_build::Resources;
use kite_codecs::{Spec, Value};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Datum, IndexBuildResult, IndexInfo, ItemPointer, MemoryContext, Relation};
use pgrx::prelude::*;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::ffi::{c_int, c_void};

/// How an access method builds the index of all rows.
pub(in crate::am) trait Build: Method {
    /// What takes the rows.
    type Builder;

    /// A build without rows.
    fn begin(
        options: &Self::Options,
        resources: Resources,
        scratch: BufFiles,
    ) -> Result<Self::Builder, Failure>;

    /// Takes a row. `false` for a value that is not indexed.
    fn push(
        builder: &mut Self::Builder,
        row: kite_pages::ItemPointer,
        value: Value<'_>,
    ) -> Result<bool, Failure>;

    /// Whether memory was not enough for the rows so far.
    fn is_spilled(builder: &Self::Builder) -> bool;

    /// What the user is told, once, where memory was not enough for more than so many rows.
    fn of_memory(index: &str, rows: u64) -> Option<Notice>;

    /// Makes the index in an empty store.
    fn finish(builder: Self::Builder, store: &PgStore, server: &Server) -> Result<Built, Failure>;
}

/// What a build has made.
#[derive(Debug)]
pub(in crate::am) struct Built {
    /// Rows that are in the index.
    pub(in crate::am) rows: u64,
    /// What the user is told of it.
    pub(in crate::am) notice: Option<Notice>,
}

/// Something that the user is told.
#[derive(Debug)]
pub(in crate::am) struct Notice {
    pub(in crate::am) message: String,
    pub(in crate::am) detail: String,
    pub(in crate::am) hint: &'static str,
}

impl Notice {
    fn report(self) {
        ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, self.message, "pgkite")
            .set_detail(self.detail)
            .set_hint(self.hint)
            .report(PgLogLevel::NOTICE);
    }
}

/// A build that takes rows.
struct Loading<M: Build> {
    index: Relation,
    builder: M::Builder,
    spec: Spec,
    /// For what a row leaves behind.
    context: MemoryContext,
    rows: u64,
    /// Whether the user knows that memory was not enough.
    told: bool,
}

/// Builds the index of a table.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn build<M: Build>(
    table: Relation,
    index: Relation,
    info: *mut IndexInfo,
) -> *mut IndexBuildResult {
    // SAFETY: the server passes open relations; the callback below gets the state passed here, which nothing else borrows meanwhile.
    unsafe {
        let options = options_of::<M>(index);
        let resources = Resources { threads: threads(table), memory: memory() };
        let mut loading = Loading::<M> {
            index,
            builder: M::begin(&options, resources, BufFiles::new()).or_raise(index),
            spec: M::spec(&options),
            context: new_context(),
            rows: 0,
            told: false,
        };
        progress::phase(Phase::Loading);
        progress::tuples_total((*(*table).rd_rel).reltuples.max(0.0) as u64);
        let state = (&raw mut loading).cast::<c_void>();
        let heap_tuples = pg_sys::table_index_build_scan(
            table,
            index,
            info,
            // From the first page on, so that the same rows give the same index.
            false,
            true,
            Some(take_row::<M>),
            state,
            std::ptr::null_mut(),
        );
        let Loading { builder, context, rows, .. } = loading;
        pg_sys::MemoryContextDelete(context);
        progress::tuples_total(rows);
        let (store, server) = (PgStore::new(index).of_table(table), Server::default());
        let built = M::finish(builder, &store, &server);
        // What stopped it, rather than that it was stopped.
        server.raise();
        let built = built.or_raise(index);
        store.publish_space();
        if let Some(notice) = built.notice {
            notice.report();
        }
        let result = pg_sys::palloc0(size_of::<IndexBuildResult>()).cast::<IndexBuildResult>();
        (*result).heap_tuples = heap_tuples;
        (*result).index_tuples = built.rows as f64;
        result
    }
}

/// Makes the empty index that an unlogged one begins with after a crash.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn build_empty<M: Build>(index: Relation) {
    // SAFETY: the server passes an open relation.
    unsafe {
        let options = options_of::<M>(index);
        let store = PgStore::new(index).init_fork();
        M::create(&store, &options).or_raise(index);
        store.log_all();
    }
}

/// Takes a row of the table.
#[pg_guard]
unsafe extern "C-unwind" fn take_row<M: Build>(
    _index: Relation,
    row: ItemPointer,
    values: *mut Datum,
    nulls: *mut bool,
    _alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the scan passes one value with its flag and the row's place, and the state that it was given.
    unsafe {
        if *nulls {
            return;
        }
        let loading = &mut *state.cast::<Loading<M>>();
        let index = loading.index;
        let before = pg_sys::MemoryContextSwitchTo(loading.context);
        let value = Detoasted::new(*values);
        let vector = value.value(&loading.spec).unwrap_or_else(|error| call::raise(&error));
        let indexed = M::push(&mut loading.builder, tid::from_server(&*row), vector).or_raise(index);
        drop(value);
        pg_sys::MemoryContextSwitchTo(before);
        loading.rows += u64::from(indexed);
        if loading.rows.is_multiple_of(64) {
            progress::tuples_done(loading.rows);
        }
        if M::is_spilled(&loading.builder) && !loading.told {
            loading.told = true;
            tell_of_memory::<M>(index, loading.rows);
        }
    }
}

#[cold]
unsafe fn tell_of_memory<M: Build>(index: Relation, rows: u64) {
    // SAFETY: the caller passes an open relation.
    if let Some(notice) = M::of_memory(&unsafe { name_of(index) }, rows) {
        notice.report();
    }
}

unsafe fn new_context() -> MemoryContext {
    // SAFETY: the name is a constant, as the server wants it; the context goes with its parent after an ERROR.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"pgkite build row".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

/// Bytes that a build may take.
fn memory() -> usize {
    // SAFETY: a setting of the server, read by its only thread.
    unsafe { pg_sys::maintenance_work_mem }.max(0) as usize * 1024
}

/// How many threads link: as many as there would be parallel workers with the leader, and no more than there are processors.
///
/// # Safety
/// The table is open.
unsafe fn threads(table: Relation) -> usize {
    // SAFETY: the caller's promise; options of a table or materialized view are of this type.
    let workers: c_int = unsafe {
        let most = pg_sys::max_parallel_maintenance_workers;
        let options = (*table).rd_options.cast::<pg_sys::StdRdOptions>();
        match options.as_ref().map(|options| options.parallel_workers) {
            Some(asked) if asked >= 0 => asked.min(most),
            _ => most,
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (workers.max(0) as usize + 1).min(processors)
}
