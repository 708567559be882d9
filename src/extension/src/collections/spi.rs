//! Statements inside of a function: a thin layer over SPI. Plans are kept per backend, by the text of their statement and the types of
//! its parameters, so that a call that comes again is not parsed again.

use super::error::internal;
use crate::call::Call;
use crate::rows;
use pgrx::pg_sys::{self, Datum, MemoryContext, Oid, SPIPlanPtr};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::marker::PhantomData;
use std::rc::Rc;

unsafe extern "C-unwind" {
    /// `executor/tstoreReceiver.h`: where a receiver puts rows, and the columns that they are to have. May raise an ERROR.
    fn SetTuplestoreDestReceiverParams(
        receiver: *mut pg_sys::DestReceiver,
        store: *mut pg_sys::Tuplestorestate,
        context: MemoryContext,
        detoast: bool,
        columns: pg_sys::TupleDesc,
        refusal: *const std::ffi::c_char,
    );
}

/// Plans that a backend keeps; beyond that the one used longest ago goes.
const MOST: usize = 256;

/// What a statement may see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Reads with the snapshot of the calling query.
    Reads,
    /// Sees what was done before it in this transaction, and may write.
    Writes,
}

/// A plan that outlives the call that made it.
#[derive(Debug)]
pub(super) struct Plan {
    plan: SPIPlanPtr,
    used: Cell<u64>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        // Not freed here: this may be dropped while an ERROR is under way, or inside of an invalidation.
        let _ = DROPPED.try_with(|dropped| {
            if let Ok(mut dropped) = dropped.try_borrow_mut() {
                dropped.push(self.plan);
            }
        });
    }
}

/// A plan and the types of its parameters.
type Typed = (Box<[Oid]>, Rc<Plan>);

#[derive(Default)]
struct Plans {
    clock: u64,
    count: usize,
    /// By the text of the statement; most texts have parameters of one list of types only.
    plans: HashMap<Box<str>, Vec<Typed>>,
}

impl Plans {
    /// A look-up allocates nothing, as a call of a data function makes one.
    fn find(&mut self, sql: &str, types: &[Oid]) -> Option<Rc<Plan>> {
        self.clock += 1;
        let (_, plan) = self.plans.get(sql)?.iter().find(|(known, _)| **known == *types)?;
        plan.used.set(self.clock);
        Some(Rc::clone(plan))
    }

    fn keep(&mut self, sql: &str, types: &[Oid], plan: &Rc<Plan>) {
        if self.count >= MOST {
            self.forget_oldest();
        }
        plan.used.set(self.clock);
        self.count += 1;
        self.plans.entry(sql.into()).or_default().push((types.into(), Rc::clone(plan)));
    }

    fn forget_oldest(&mut self) {
        let used = self.plans.values().flatten().map(|(_, plan)| plan.used.get());
        let Some(oldest) = used.min() else { return };
        self.plans.retain(|_, plans| {
            plans.retain(|(_, plan)| plan.used.get() != oldest);
            !plans.is_empty()
        });
        self.count = self.plans.values().map(Vec::len).sum();
    }
}

thread_local! {
    // Only the thread that runs the backend has any.
    static PLANS: RefCell<Plans> = RefCell::default();
    static DROPPED: RefCell<Vec<SPIPlanPtr>> = const { RefCell::new(Vec::new()) };
}

/// A connection to SPI, for as long as [`connect`] runs its work.
pub(super) struct Spi {
    /// Made by [`connect`] alone.
    _private: (),
}

/// Connects to SPI for a piece of work. What the work allocates is gone afterwards. An ERROR disconnects by itself.
pub(super) fn connect<R>(work: impl FnOnce(&Spi) -> R) -> R {
    // SAFETY: connecting changes the memory context; finishing changes it back and frees what was allocated in between.
    unsafe {
        let spi = Spi { _private: () };
        check("SPI_connect", pg_sys::SPI_connect());
        let result = work(&spi);
        check("SPI_finish", pg_sys::SPI_finish());
        result
    }
}

impl Spi {
    /// Runs statements that are not worth keeping: definitions.
    pub(super) fn run(&self, sql: &str) {
        let sql = c_string(sql);
        // SAFETY: the text ends with NUL and is there for the time of the call.
        check("SPI_execute", unsafe { pg_sys::SPI_execute(sql.as_ptr(), false, 0) });
    }

    /// The plan of a statement, kept from an earlier call or made now. It is analysed under the search path of that first call, and
    /// again whenever it is executed under another one: see `access::pinned`.
    pub(super) fn plan(&self, sql: &str, types: &[Oid]) -> Rc<Plan> {
        free_dropped();
        if let Some(plan) = PLANS.with_borrow_mut(|plans| plans.find(sql, types)) {
            return plan;
        }
        let plan = Rc::new(Plan { plan: prepare(sql, types), used: Cell::new(0) });
        PLANS.with_borrow_mut(|plans| plans.keep(sql, types, &plan));
        plan
    }

    /// Executes a plan. The parameters are of the types that it was made with; `None` is NULL. `most` rows are answered, 0: all.
    pub(super) fn execute<'spi>(
        &'spi self,
        plan: &Plan,
        parameters: &[Option<Datum>],
        effect: Effect,
        most: usize,
    ) -> Rows<'spi> {
        let mut values: Vec<Datum> =
            parameters.iter().map(|value| value.unwrap_or_else(Datum::null)).collect();
        let nulls: Vec<std::ffi::c_char> = parameters
            .iter()
            .map(|value| if value.is_some() { b' ' } else { b'n' } as std::ffi::c_char)
            .collect();
        // SAFETY: the plan is alive as long as it is borrowed, and was made for so many parameters, which the count proves.
        unsafe {
            let expected = usize::try_from(pg_sys::SPI_getargcount(plan.plan)).unwrap_or(0);
            if expected != parameters.len() {
                internal(format!("a plan has {expected} parameters, not {}", parameters.len()));
            }
            check(
                "SPI_execute_plan",
                pg_sys::SPI_execute_plan(
                    plan.plan,
                    values.as_mut_ptr(),
                    nulls.as_ptr(),
                    effect == Effect::Reads,
                    most as std::ffi::c_long,
                ),
            );
            Rows { table: pg_sys::SPI_tuptable, processed: pg_sys::SPI_processed, connection: PhantomData }
        }
    }

    /// Executes a plan that reads, and makes its rows the result of the call: they go to where the caller looks for them without being
    /// held here, and to disk where they are more than `work_mem`.
    pub(super) fn answer(&self, plan: &Plan, parameters: &[Option<Datum>], call: &Call) {
        // SAFETY: the plan is alive as long as it is borrowed, and was made for so many parameters, which the count proves; the list
        // has room for them. The receiver puts rows into a store that lives as long as the calling query.
        unsafe {
            let expected = usize::try_from(pg_sys::SPI_getargcount(plan.plan)).unwrap_or(0);
            if expected != parameters.len() {
                internal(format!("a plan has {expected} parameters, not {}", parameters.len()));
            }
            let list = pg_sys::makeParamList(parameters.len() as i32);
            for (number, (parameter, value)) in
                (*list).params.as_mut_slice(expected).iter_mut().zip(parameters).enumerate()
            {
                *parameter = pg_sys::ParamExternData {
                    value: value.unwrap_or_else(Datum::null),
                    isnull: value.is_none(),
                    pflags: pg_sys::PARAM_FLAG_CONST as u16,
                    ptype: pg_sys::SPI_getargtypeid(plan.plan, number as i32),
                };
            }
            let Some((store, descriptor)) = rows::begin(call) else { return };
            let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                SetTuplestoreDestReceiverParams(
                    receiver,
                    store,
                    pg_sys::CurrentMemoryContext,
                    false,
                    descriptor,
                    c"the rows of a statement do not fit".as_ptr(),
                );
            });
            let options = pg_sys::SPIExecuteOptions {
                params: list,
                read_only: true,
                dest: receiver,
                ..Default::default()
            };
            check("SPI_execute_plan", pg_sys::SPI_execute_plan_extended(plan.plan, &raw const options));
        }
    }

    /// Makes rows known to statements of this connection, by a name.
    ///
    /// # Safety
    /// `rows` is a named tuple store whose table is locked; it stays as it is until it is taken back by [`Spi::unregister`].
    pub(super) unsafe fn register(&self, rows: pg_sys::EphemeralNamedRelation) {
        // SAFETY: the caller's promise.
        check("SPI_register_relation", unsafe { pg_sys::SPI_register_relation(rows) });
    }

    /// Takes back what [`Spi::register`] made known.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn unregister(&self, rows: pg_sys::EphemeralNamedRelation) {
        // SAFETY: the caller's promise.
        check("SPI_unregister_relation", unsafe { pg_sys::SPI_unregister_relation((*rows).md.name) });
    }

    /// Executes a plan that reads, to be fetched piece by piece.
    pub(super) fn cursor<'spi>(&'spi self, plan: &Plan, parameters: &[Option<Datum>]) -> Cursor<'spi> {
        let mut values: Vec<Datum> =
            parameters.iter().map(|value| value.unwrap_or_else(Datum::null)).collect();
        let nulls: Vec<std::ffi::c_char> = parameters
            .iter()
            .map(|value| if value.is_some() { b' ' } else { b'n' } as std::ffi::c_char)
            .collect();
        // SAFETY: as in `execute`.
        unsafe {
            let expected = usize::try_from(pg_sys::SPI_getargcount(plan.plan)).unwrap_or(0);
            if expected != parameters.len() {
                internal(format!("a plan has {expected} parameters, not {}", parameters.len()));
            }
            let (values, nulls) = (values.as_mut_ptr(), nulls.as_ptr());
            let portal = pg_sys::SPI_cursor_open(std::ptr::null(), plan.plan, values, nulls, true);
            Cursor { portal, connection: PhantomData }
        }
    }

    /// Executes a statement whose plan is kept, and that may write.
    pub(super) fn write(&self, sql: &str, parameters: &[(Oid, Option<Datum>)]) -> Rows<'_> {
        let types: Vec<Oid> = parameters.iter().map(|(kind, _)| *kind).collect();
        let values: Vec<Option<Datum>> = parameters.iter().map(|(_, value)| *value).collect();
        self.execute(&self.plan(sql, &types), &values, Effect::Writes, 0)
    }
}

/// A statement that is being executed. One that is not closed ends with its transaction.
pub(super) struct Cursor<'spi> {
    portal: pg_sys::Portal,
    connection: PhantomData<&'spi Spi>,
}

impl<'spi> Cursor<'spi> {
    /// The next rows, at most so many; none at the end.
    pub(super) fn fetch(&self, most: usize) -> Rows<'spi> {
        // SAFETY: the portal is open, as closing takes the cursor.
        unsafe {
            pg_sys::SPI_cursor_fetch(self.portal, true, most as std::ffi::c_long);
            Rows { table: pg_sys::SPI_tuptable, processed: pg_sys::SPI_processed, connection: PhantomData }
        }
    }

    /// Ends the statement. Not done by dropping, which may come while an ERROR is under way.
    pub(super) fn close(self) {
        // SAFETY: as for `fetch`.
        unsafe { pg_sys::SPI_cursor_close(self.portal) };
    }
}

/// What a statement answered. Values are lent from SPI's memory.
pub(super) struct Rows<'spi> {
    table: *mut pg_sys::SPITupleTable,
    processed: u64,
    connection: PhantomData<&'spi Spi>,
}

impl Rows<'_> {
    /// Rows that the statement answered or changed.
    pub(super) fn processed(&self) -> u64 {
        self.processed
    }

    /// Rows that can be looked at.
    pub(super) fn len(&self) -> usize {
        if self.table.is_null() {
            return 0;
        }
        // SAFETY: the table lives as long as the connection, which this borrows.
        usize::try_from(unsafe { (*self.table).numvals }).unwrap_or(0)
    }

    /// Gives the memory back before the connection ends; values that are passed by reference are gone.
    pub(super) fn free(self) {
        // SAFETY: the table is NULL or one of this connection's, and nobody has it any more.
        unsafe { pg_sys::SPI_freetuptable(self.table) };
    }

    /// Columns of a row.
    pub(super) fn columns(&self) -> usize {
        if self.table.is_null() {
            return 0;
        }
        // SAFETY: as for `len`; a table has a description of its rows.
        usize::try_from(unsafe { (*(*self.table).tupdesc).natts }).unwrap_or(0)
    }

    /// A value, both counted from 0; `None` for NULL. One that is passed by reference lives as long as the connection.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<Datum> {
        assert!(row < self.len(), "a row that is there");
        let mut is_null = false;
        // SAFETY: the row is one of the table's; a column that is not there is answered as NULL, with an error code.
        let value = unsafe {
            let tuple = *(*self.table).vals.add(row);
            pg_sys::SPI_getbinval(tuple, (*self.table).tupdesc, column as i32 + 1, &raw mut is_null)
        };
        (!is_null).then_some(value)
    }
}

fn prepare(sql: &str, types: &[Oid]) -> SPIPlanPtr {
    let text = c_string(sql);
    // SAFETY: text and types are read during the call only; the plan is moved to memory that stays.
    unsafe {
        let plan = pg_sys::SPI_prepare_cursor(
            text.as_ptr(),
            types.len() as i32,
            types.as_ptr().cast_mut(),
            pg_sys::CURSOR_OPT_PARALLEL_OK as i32,
        );
        if plan.is_null() {
            check("SPI_prepare", pg_sys::SPI_result);
            internal("SPI_prepare made no plan".into());
        }
        check("SPI_keepplan", pg_sys::SPI_keepplan(plan));
        plan
    }
}

fn free_dropped() {
    while let Some(plan) = DROPPED.with_borrow_mut(Vec::pop) {
        // SAFETY: the last owner of the plan has dropped it. Plans in use are pinned by the server until they are done.
        unsafe { pg_sys::SPI_freeplan(plan) };
    }
}

fn check(function: &str, code: i32) {
    if code < 0 {
        // SAFETY: answers a constant string for any code.
        let name = unsafe { std::ffi::CStr::from_ptr(pg_sys::SPI_result_code_string(code)) };
        internal(format!("{function} failed: {}", name.to_string_lossy()));
    }
}

fn c_string(sql: &str) -> CString {
    // Names and values come from the server's text, which holds no NUL, or from JSON, whose NUL is refused before.
    CString::new(sql).unwrap_or_else(|_| internal("a statement holds a NUL".into()))
}
