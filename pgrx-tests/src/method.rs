//! The access methods, for tests that hold for each of them.

/// An access method, and how a test uses it.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Options under which an index has all of its parts, however few rows there are: codes, lists.
    pub with: &'static str,
    /// Settings under which a search looks far enough to find nearly all: what is missing then is missing in the index.
    pub thorough: &'static str,
    /// What its builds report, in their order, by how the names begin.
    pub phases: &'static [&'static str],
}

/// The graph.
pub const HNSW: Method = Method {
    name: "hnsw",
    with: "WITH (codes = 2)",
    thorough: "SET hnsw.ef_search = 200",
    phases: &["loading", "dividing", "linking", "writing"],
};

/// Lists with codes.
pub const IVF: Method = Method {
    name: "ivf",
    with: "WITH (lists = 30, codes = rabitq)",
    thorough: "SET kite.ivf_probes = 1000",
    phases: &["loading", "performing", "assigning", "writing"],
};

/// Lists as pgvector has them.
pub const IVFFLAT: Method = Method {
    name: "ivfflat",
    with: "WITH (lists = 30)",
    thorough: "SET ivfflat.probes = 1000",
    phases: &["loading", "performing", "assigning", "writing"],
};

impl Method {
    /// The statement that makes index `name`, of defaults: `on` is a table with a column and its operator class, `t (v vector_l2_ops)`.
    #[must_use]
    pub fn index(&self, name: &str, on: &str) -> String {
        let (table, column) = on.split_once(' ').unwrap_or((on, ""));
        format!("CREATE INDEX {name} ON {table} USING {} {column}", self.name)
    }
}

/// Makes a test for each access method of functions that take one.
#[macro_export]
macro_rules! for_each_method {
    ($($test:ident),* $(,)?) => {
        $crate::for_each_method!(@in hnsw, HNSW, $($test),*);
        $crate::for_each_method!(@in ivf, IVF, $($test),*);
        $crate::for_each_method!(@in ivfflat, IVFFLAT, $($test),*);
    };
    (@in $module:ident, $method:ident, $($test:ident),*) => {
        mod $module {
            $(
                #[test]
                fn $test() -> ::anyhow::Result<()> {
                    super::$test($crate::method::$method)
                }
            )*
        }
    };
}
