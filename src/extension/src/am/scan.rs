//! `ambeginscan`, `amrescan`, `amgettuple`, `amendscan`: rows, nearest first.

use crate::am::cache::Remembered;
use crate::am::error::{Failure, OrRaise};
use crate::am::exact::Exact;
use crate::am::hook;
use crate::am::method::Method;
use crate::am::notices::{refuse_beyond_table, refuse_unusable, tell_of_end, tell_of_turn};
use crate::am::patience::Patience;
use crate::am::quals::{Quals, Share};
use crate::am::scans::{Limit, Scans};
use crate::am::store::{Near, PgStore};
use crate::am::tid;
use crate::am::value::{Detoasted, refuse};
use kite_codecs::Value;
use kite_pages::ItemPointer;
use pgrx::PgMemoryContexts;
use pgrx::pg_sys::{self, Datum, IndexScanDesc, Relation, ScanDirection, ScanKey};
use pgrx::prelude::*;
use std::ffi::c_int;
use std::ptr;

/// How an access method searches.
pub(in crate::am) trait Search: Method {
    /// A query in progress.
    type Scan<'s>;

    /// Begins a query that goes as far as the settings of the session and what is asked for say. `None` is NULL.
    fn search<'s>(
        index: &mut Self::Index<'s>,
        query: Option<Value<'_>>,
        asked: Asked,
    ) -> Result<Self::Scan<'s>, Failure>;

    /// The next row that the filter lets pass. Where it answers `None` the search ends at once, and is of no more use.
    fn next_row_if(
        scan: &mut Self::Scan<'_>,
        filter: impl FnMut(ItemPointer) -> Option<bool>,
    ) -> Result<Option<Row>, Failure>;

    /// The limit that has ended the query while there was more to look at.
    fn ended_by(scan: &Self::Scan<'_>) -> Option<Limit>;

    /// How many matches a search begins to look for, if it may go far to find them.
    fn sought(_: &Asked) -> Option<usize> {
        None
    }

    /// Whether rows come in the order of their distances, also where the search goes on.
    fn keeps_order(_: &Self::Scan<'_>) -> bool {
        true
    }

    /// The row that comes after so many others, if that is known and nothing comes between.
    fn coming(scan: &Self::Scan<'_>, after: usize) -> Option<ItemPointer>;

    /// What was looked at by then, and the settings that let it look further.
    fn until(scan: &Self::Scan<'_>, limit: Limit) -> (String, &'static str);
}

/// How far a query goes.
#[derive(Debug, Clone, Copy)]
pub(in crate::am) struct Asked {
    /// Rows beyond this distance are not wanted, in the operator's unit.
    pub(in crate::am) within: f64,
    /// How many rows that match are wanted; 0 where nothing is known.
    pub(in crate::am) limit: usize,
    /// The share of rows that is expected to match.
    pub(in crate::am) share: Share,
}

impl Asked {
    /// How many rows are to be found for those that are wanted.
    pub(in crate::am) fn rows(&self) -> usize {
        (self.limit as f64 / self.share.kept()) as usize
    }
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub(in crate::am) struct Row {
    /// Where it is in the heap.
    pub(in crate::am) tid: ItemPointer,
    /// How far it is.
    pub(in crate::am) distance: Distance,
}

/// What is known of a row's distance, in the operator's unit.
#[derive(Debug, Clone, Copy)]
pub(in crate::am) enum Distance {
    /// What the operator computes in this process.
    Exact(f64),
    /// The operator computes no less: rows come in the order of these, and a recheck gives the exact one.
    AtLeast(f64),
    /// More or less what the operator computes, in the order of which rows come. Nothing better is known in the index, and a recheck
    /// would find rows out of order.
    Estimate(f64),
    /// The query orders nothing.
    Unordered,
}

/// What a scan keeps between calls. Dropped with the scan's memory context, after an ERROR too, when it touches nothing of
/// Postgres.
struct State<M: Search> {
    /// Begun by the first call for a row. It borrows the store, and so is dropped before it.
    scan: Option<M::Scan<'static>>,
    store: Option<Box<PgStore>>,
    /// Brings the next rows near, where no filter has fetched them.
    near: Option<Near>,
    /// What the query asks of rows besides the order, if the scan has been told.
    quals: Option<Quals>,
    /// The LIMIT that asks for its rows, if it has been told of one.
    limit: Option<hook::Limited>,
    /// What the scan goes on with if it has turned to the table.
    exact: Option<Exact>,
    /// The rows that were handed out, as long as it may turn, and the bound of the last.
    handed_out: Vec<ItemPointer>,
    last: f64,
    /// Blocks that the table has had.
    table_blocks: u32,
    /// Whether it has been told that a limit has ended the search.
    told: bool,
}

impl<M: Search> State<M> {
    fn new(asked: Option<hook::Told>) -> Self {
        let (quals, limit) = asked.map_or((None, None), |asked| (asked.quals, asked.limit));
        let (handed_out, last) = (Vec::new(), f64::NEG_INFINITY);
        Self {
            scan: None,
            store: None,
            near: None,
            quals,
            limit,
            exact: None,
            handed_out,
            last,
            table_blocks: 0,
            told: false,
        }
    }

    fn reset(&mut self) {
        // Field by field, from the first: the scan goes before what it borrows.
        let Self { scan, store, near, quals, limit: _, exact, handed_out, last, table_blocks, told } = self;
        (*scan, *near, *exact, *last, *table_blocks, *told) = (None, None, None, f64::NEG_INFINITY, 0, false);
        *store = None;
        handed_out.clear();
        if let Some(quals) = quals {
            quals.reset();
        }
    }

    /// The next row that matches.
    ///
    /// # Safety
    /// It is the state of this scan, whose relations are open.
    unsafe fn next_row(&mut self, desc: IndexScanDesc) -> Result<Option<Row>, Failure> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let blocks = &mut self.table_blocks;
        let Some(quals) = &mut self.quals else {
            if let Some(near) = &self.near {
                // SAFETY: the caller's promise.
                unsafe { near.learn(desc) };
            }
            let row = M::next_row_if(scan, |_| Some(true))?;
            if let Some(row) = row {
                // SAFETY: the caller's promise.
                unsafe {
                    refuse_beyond_table(desc, blocks, row.tid);
                    if let Some(near) = &mut self.near {
                        near.hand_out(desc, row.tid, [0, 1].map(|after| M::coming(scan, after)));
                    }
                }
            }
            return Ok(row);
        };
        if let Some(exact) = &mut self.exact {
            // SAFETY: the caller's promise.
            return unsafe { exact.next(desc, quals) };
        }
        loop {
            let row = M::next_row_if(scan, |tid| {
                // SAFETY: the caller's promise; nothing is locked while a filter is asked.
                unsafe {
                    refuse_beyond_table(desc, blocks, tid);
                    quals.steers(desc, tid)
                }
            });
            if quals.has_turned() {
                let nearest = if M::keeps_order(scan) { self.last } else { f64::NEG_INFINITY };
                // SAFETY: as above; it is a scan that has begun.
                unsafe {
                    let limit = self.limit.as_ref().map_or(0, |limit| limit.rows());
                    let before = std::mem::take(&mut self.handed_out);
                    let exact = self.exact.insert(Exact::new(before, nearest, limit));
                    tell_of_turn((*desc).indexRelation, quals.found().map(<[_]>::len));
                    return exact.next(desc, quals);
                }
            }
            let Some(row) = row? else { return Ok(None) };
            // SAFETY: as above.
            unsafe {
                refuse_beyond_table(desc, blocks, row.tid);
                if !quals.lets_pass(desc, row.tid) {
                    continue;
                }
            }
            if let Distance::Exact(distance) | Distance::AtLeast(distance) = row.distance {
                self.last = distance;
            }
            if quals.has_patience() {
                if self.handed_out.len() < MOST_HANDED_OUT {
                    self.handed_out.push(row.tid);
                } else {
                    quals.set_patience(None);
                }
            }
            return Ok(Some(row));
        }
    }
}

/// Rows that are kept in mind for a scan that may turn to the table: one that has handed out more does not.
const MOST_HANDED_OUT: usize = 1 << 14;

/// Begins a scan.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn begin<M: Search>(
    index: Relation,
    keys: c_int,
    order_bys: c_int,
) -> IndexScanDesc {
    // SAFETY: the executor passes an open relation. The memory context lives as long as the scan, and arrays of as many values as
    // there are order-by keys are what the executor expects to find filled.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(index, keys, order_bys);
        let count = order_bys.max(1) as usize;
        (*scan).xs_orderbyvals = pg_sys::palloc0(count * size_of::<Datum>()).cast();
        (*scan).xs_orderbynulls = pg_sys::palloc0(count * size_of::<bool>()).cast();
        let state = State::<M>::new(hook::pending());
        (*scan).opaque = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(state).cast();
        scan
    }
}

/// Begins the scan anew, with other keys.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn rescan<M: Search>(
    scan: IndexScanDesc,
    keys: ScanKey,
    key_count: c_int,
    order_bys: ScanKey,
    order_by_count: c_int,
) {
    // SAFETY: the scan is one of ours, and has room for as many keys as it was begun with, which come in these arrays or are NULL.
    unsafe {
        state_of::<M>(scan).reset();
        if !keys.is_null() && key_count > 0 {
            ptr::copy(keys, (*scan).keyData, key_count as usize);
        }
        if !order_bys.is_null() && order_by_count > 0 {
            ptr::copy(order_bys, (*scan).orderByData, order_by_count as usize);
        }
    }
}

/// The next row.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn next<M: Search>(
    scan: IndexScanDesc,
    direction: ScanDirection::Type,
) -> bool {
    // SAFETY: the scan is one of ours, its relation is open.
    unsafe {
        debug_assert_eq!(direction, ScanDirection::ForwardScanDirection);
        let index = (*scan).indexRelation;
        let state = state_of::<M>(scan);
        if state.scan.is_none() {
            start(state, scan);
        }
        let row = state.next_row(scan).or_raise(index);
        if state.exact.is_none()
            && let Some(rows) = &state.scan
            && let Some(limit) = M::ended_by(rows)
            && !state.told
        {
            tell_of_end(index, limit, M::until(rows, limit));
            state.told = true;
        }
        let Some(row) = row else { return false };
        hand_out(scan, row);
        true
    }
}

/// Ends a scan.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn end<M: Search>(scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours. The state itself goes with the memory context.
    unsafe { state_of::<M>(scan).reset() }
}

/// # Safety
/// The scan was begun by [`begin`], and nothing else borrows its state.
unsafe fn state_of<'a, M: Search>(scan: IndexScanDesc) -> &'a mut State<M> {
    // SAFETY: `begin` has put a `State` there, which lives as long as the scan.
    unsafe { &mut *(*scan).opaque.cast::<State<M>>() }
}

/// Begins the search for the query of the scan.
unsafe fn start<M: Search>(state: &mut State<M>, scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours, its relation is open until its end, and the key's argument stays in place for the scan.
    unsafe {
        let index = (*scan).indexRelation;
        refuse_unusable::<M>(scan);
        count_scan(index);
        let remembered = Remembered::of(index);
        let store: *const PgStore = &raw const **state.store.insert(Box::new(remembered.store(index)));
        // It stands in a box of the state, which drops the scan before it.
        let store: &'static PgStore = &*store;
        let mut opened = remembered.open::<M>(store).or_raise(index);
        let key = &*(*scan).orderByData;
        let is_null = key.sk_flags & pg_sys::SK_ISNULL as c_int != 0;
        let argument = (!is_null).then(|| Detoasted::new(key.sk_argument));
        let spec = M::spec(&M::options(&opened));
        let query = argument.as_ref();
        let query =
            query.map(|query| query.value(&spec).unwrap_or_else(|error| refuse(&error, &spec, index)));
        let within = state.quals.as_ref().map_or(f64::INFINITY, |quals| quals.within());
        let limit = state.limit.as_ref().map_or(0, |limit| limit.rows());
        let share = state.quals.as_ref().map_or(Share::ALL, Quals::share);
        let asked = Asked { within, limit, share };
        if let Some(quals) = &mut state.quals {
            let sought = M::sought(&asked).filter(|_| query.is_some());
            let table = (*scan).heapRelation;
            quals.set_patience(sought.map(|sought| Patience::of(table, &spec, share, sought)));
        }
        let begun = M::search(&mut opened, query, asked).or_raise(index);
        remembered.keep::<M>(&opened);
        if state.quals.is_none() {
            let pages = (*(*(*scan).heapRelation).rd_rel).relpages.max(0) as u32;
            state.near = Near::of(scan, remembered.recent_of_table(pages));
        }
        state.scan = Some(begun);
    }
}

/// `work_mem`, in bytes.
pub(in crate::am) fn work_mem() -> usize {
    // SAFETY: a setting of the server, read by its only thread.
    unsafe { pg_sys::work_mem }.max(0) as usize * 1024
}

/// Tells the executor of a row, and what is known of its distance.
unsafe fn hand_out(scan: IndexScanDesc, row: Row) {
    // SAFETY: the scan is one of ours, with arrays of as many values as it has order-by keys.
    unsafe {
        let scan = &mut *scan;
        let count = scan.numberOfOrderBys as usize;
        scan.xs_heaptid = tid::to_server(row.tid);
        scan.xs_recheck = false;
        let (value, is_null, recheck) = match row.distance {
            Distance::Exact(value) => (value, false, false),
            Distance::AtLeast(bound) => (bound, false, true),
            // To be rechecked for the sake of another key it has to be a bound.
            Distance::Estimate(_) if count > 1 => (f64::NEG_INFINITY, false, true),
            Distance::Estimate(value) => (value, false, false),
            Distance::Unordered => (0.0, true, false),
        };
        *scan.xs_orderbyvals = Datum::from(value.to_bits());
        *scan.xs_orderbynulls = is_null;
        // Of further keys nothing is known.
        for place in 1..count {
            *scan.xs_orderbyvals.add(place) = Datum::from(f64::NEG_INFINITY.to_bits());
            *scan.xs_orderbynulls.add(place) = false;
        }
        scan.xs_recheckorderby = recheck || count > 1;
    }
}

/// `pgstat_count_index_scan`, and what this session counts itself.
unsafe fn count_scan(index: Relation) {
    // SAFETY: the relation is open; its counters are there or NULL.
    unsafe {
        Scans::count((*index).rd_id);
        // A session's counters of a relation come with the first count; that this may be one is for whoever counts to know.
        #[cfg(not(feature = "pg14"))]
        if (*index).pgstat_info.is_null() && (*index).pgstat_enabled {
            pg_sys::pgstat_assoc_relation(index);
        }
        if let Some(info) = (*index).pgstat_info.as_mut() {
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            {
                info.t_counts.t_numscans += 1;
            }
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            {
                info.counts.numscans += 1;
            }
        }
    }
}
