//! Settings, with pgvector's names, ranges and meaning. A single default differs: scans of hnsw go on until enough rows are found.
//! What pgvector has no name for is called `kite.…`.

use crate::am::Probes;
use kite_hnsw::Order;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum, pg_sys};
use std::ffi::{CStr, CString};

/// `hnsw.iterative_scan`, and `kite.ivf_iterative_scan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
enum IterativeScan {
    #[name = c"off"]
    Off,
    #[name = c"relaxed_order"]
    RelaxedOrder,
    #[name = c"strict_order"]
    StrictOrder,
}

/// `ivfflat.iterative_scan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
enum IvfflatIterativeScan {
    #[name = c"off"]
    Off,
    #[name = c"relaxed_order"]
    RelaxedOrder,
}

static EF_SEARCH: GucSetting<i32> = GucSetting::<i32>::new(40);
static ITERATIVE_SCAN: GucSetting<IterativeScan> =
    GucSetting::<IterativeScan>::new(IterativeScan::StrictOrder);
static MAX_SCAN_TUPLES: GucSetting<i32> = GucSetting::<i32>::new(50_000);
static SCAN_MEM_MULTIPLIER: GucSetting<f64> = GucSetting::<f64>::new(1.0);

static IVFFLAT_PROBES: GucSetting<i32> = GucSetting::<i32>::new(1);
static IVFFLAT_MAX_PROBES: GucSetting<i32> = GucSetting::<i32>::new(MOST_LISTS);
static IVFFLAT_ITERATIVE_SCAN: GucSetting<IvfflatIterativeScan> =
    GucSetting::<IvfflatIterativeScan>::new(IvfflatIterativeScan::Off);

static IVF_PROBES: GucSetting<i32> = GucSetting::<i32>::new(0);
static IVF_MAX_PROBES: GucSetting<i32> = GucSetting::<i32>::new(MOST_LISTS);
static IVF_ITERATIVE_SCAN: GucSetting<IterativeScan> =
    GucSetting::<IterativeScan>::new(IterativeScan::StrictOrder);

static DATABASE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"default"));

/// The most lists of an index.
const MOST_LISTS: i32 = 32_768;

/// Names that begin so belong to us: a misspelt one is an ERROR.
const PREFIXES: [&CStr; 3] = [c"hnsw", c"ivfflat", c"kite"];

/// Tells Postgres of the settings. Values that were given to them before are taken over; bad ones are dropped with a WARNING.
pub(crate) fn define() {
    GucRegistry::define_int_guc(
        c"hnsw.ef_search",
        c"How many of the nearest vertices a search of an hnsw index keeps while it runs.",
        c"More find more of the true neighbours and take longer.",
        &EF_SEARCH,
        1,
        1000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"hnsw.iterative_scan",
        c"Whether a scan of an hnsw index goes on after the first hnsw.ef_search rows, and in which order.",
        c"",
        &ITERATIVE_SCAN,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"hnsw.max_scan_tuples",
        c"How many vertices a scan of an hnsw index that goes on may visit.",
        c"The first hnsw.ef_search rows are found whatever it is.",
        &MAX_SCAN_TUPLES,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"hnsw.scan_mem_multiplier",
        c"How much memory a scan of an hnsw index that goes on may take, as a multiple of work_mem.",
        c"",
        &SCAN_MEM_MULTIPLIER,
        1.0,
        1000.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    define_ivf();
    GucRegistry::define_string_guc(
        c"kite.database",
        c"The database of collections whose names say none.",
        c"A database is a schema; \"default\" is the schema public.",
        &DATABASE,
        GucContext::Userset,
        GucFlags::default(),
    );
    PREFIXES.into_iter().for_each(reserve);
}

fn define_ivf() {
    let int = |name, short, long, setting, from, to| {
        GucRegistry::define_int_guc(
            name,
            short,
            long,
            setting,
            from,
            to,
            GucContext::Userset,
            GucFlags::default(),
        );
    };
    int(
        c"ivfflat.probes",
        c"How many lists a search of an ivfflat index reads.",
        c"More find more of the true neighbours and take longer.",
        &IVFFLAT_PROBES,
        1,
        MOST_LISTS,
    );
    int(
        c"ivfflat.max_probes",
        c"How many lists a scan of an ivfflat index that goes on may read.",
        c"",
        &IVFFLAT_MAX_PROBES,
        1,
        MOST_LISTS,
    );
    GucRegistry::define_enum_guc(
        c"ivfflat.iterative_scan",
        c"Whether a scan of an ivfflat index goes on after the first ivfflat.probes lists.",
        c"",
        &IVFFLAT_ITERATIVE_SCAN,
        GucContext::Userset,
        GucFlags::default(),
    );
    int(
        c"kite.ivf_probes",
        c"How many lists a search of an ivf index reads; 0: three times the root of their number.",
        c"More find more of the true neighbours and take longer.",
        &IVF_PROBES,
        0,
        MOST_LISTS,
    );
    int(
        c"kite.ivf_max_probes",
        c"How many lists a scan of an ivf index that goes on may read.",
        c"The first kite.ivf_probes lists are read whatever it is.",
        &IVF_MAX_PROBES,
        1,
        MOST_LISTS,
    );
    GucRegistry::define_enum_guc(
        c"kite.ivf_iterative_scan",
        c"Whether a scan of an ivf index goes on after the first kite.ivf_probes lists, and in which order.",
        c"",
        &IVF_ITERATIVE_SCAN,
        GucContext::Userset,
        GucFlags::default(),
    );
}

fn reserve(prefix: &CStr) {
    // SAFETY: the prefix is a NUL-terminated string, which is copied.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr());
    }
}

/// How many of the nearest vertices are kept while searching; the number of rows that a scan can give at first.
pub(crate) fn ef_search() -> usize {
    positive(EF_SEARCH.get())
}

/// What comes after those.
pub(crate) fn iterative_scan() -> Order {
    match ITERATIVE_SCAN.get() {
        IterativeScan::Off => Order::Off,
        IterativeScan::RelaxedOrder => Order::Relaxed,
        IterativeScan::StrictOrder => Order::Strict,
    }
}

/// How many vertices a scan that goes on may visit.
pub(crate) fn max_scan_tuples() -> usize {
    positive(MAX_SCAN_TUPLES.get())
}

/// How much memory a scan that goes on may take, in multiples of `work_mem`.
pub(crate) fn scan_mem_multiplier() -> f64 {
    SCAN_MEM_MULTIPLIER.get()
}

/// How a scan of an `ivfflat` index goes on.
pub(crate) fn ivfflat() -> Probes {
    Probes {
        at_once: positive(IVFFLAT_PROBES.get()),
        most: positive(IVFFLAT_MAX_PROBES.get()),
        order: match IVFFLAT_ITERATIVE_SCAN.get() {
            IvfflatIterativeScan::Off => kite_ivf::Order::Off,
            IvfflatIterativeScan::RelaxedOrder => kite_ivf::Order::Relaxed,
        },
    }
}

/// How a scan of an `ivf` index goes on.
pub(crate) fn ivf() -> Probes {
    Probes {
        at_once: usize::try_from(IVF_PROBES.get()).unwrap_or_default(),
        most: positive(IVF_MAX_PROBES.get()),
        order: match IVF_ITERATIVE_SCAN.get() {
            IterativeScan::Off => kite_ivf::Order::Off,
            IterativeScan::RelaxedOrder => kite_ivf::Order::Relaxed,
            IterativeScan::StrictOrder => kite_ivf::Order::Strict,
        },
    }
}

/// The database of collections whose names say none.
pub(crate) fn database() -> String {
    DATABASE.get().map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Postgres keeps a setting within its range.
fn positive(value: i32) -> usize {
    usize::try_from(value).unwrap_or(1)
}
