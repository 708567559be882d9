//! The engines that the bench knows: what is created on their servers, and how their indexes are asked for.

use crate::metric::{Column, Element, Metric};

/// The name of the engine that this workspace builds.
pub(crate) const OWN: &str = "pgkite";

/// An engine by its name on the command line.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) home: Home,
    pub(crate) methods: &'static [Method],
    /// Arms that compete unless the caller names others.
    pub(crate) usual: &'static [&'static str],
}

/// Where an engine runs.
#[derive(Debug)]
pub(crate) enum Home {
    /// In a PostgreSQL server: its extensions in the order in which they are created, the last one being the engine's own.
    Server { extensions: &'static [&'static str], preload: Option<&'static str> },
    /// In the process that asks: no server, no protocol, no pages. What can be had at most.
    InProcess,
}

/// A way of searching that an engine offers.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// The access method; none: an exact search without an index.
    pub(crate) access_method: Option<&'static str>,
    /// What is indexed: the column's cast to this, or the column.
    pub(crate) cast: Option<Element>,
    /// Types that can be indexed, or cast.
    pub(crate) elements: &'static [Element],
    pub(crate) metrics: &'static [Metric],
    pub(crate) style: Style,
    pub(crate) sweep: Option<Sweep>,
}

/// How options reach CREATE INDEX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `WITH (m = 16)`
    Reloptions,
    /// `WITH (options = $$…$$)`: TOML, where these keys belong to the table `[build.internal]`.
    Toml { internal: &'static [&'static str] },
}

/// What trades recall for time.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// The session setting, or the library's name for the parameter.
    pub(crate) setting: &'static str,
    /// Further settings that get the same value.
    pub(crate) also: &'static [&'static str],
    /// Values from fast to exact, unless the caller names others.
    pub(crate) values: &'static [&'static str],
    /// The value for benches that look at one point only.
    pub(crate) steady: &'static str,
}

use Element::{Bit, Halfvec, Sparsevec, Vector};
use Metric::{Cosine, Hamming, Ip, Jaccard, L1, L2};

const TYPES: &[Element] = &[Vector, Halfvec, Bit, Sparsevec];
/// What libraries and some extensions know.
const PLAIN: &[Element] = &[Vector];
const ALL: &[Metric] = &[L2, Ip, Cosine, L1, Hamming, Jaccard];
const LISTS: &[Metric] = &[L2, Ip, Cosine, Hamming];
const COMMON: &[Metric] = &[L2, Ip, Cosine];
const EF: &[&str] =
    &["10", "12", "14", "16", "20", "24", "32", "40", "64", "100", "160", "250", "400", "600", "1000"];
const PROBES: &[&str] = &["1", "2", "4", "6", "8", "12", "16", "24", "40", "64", "100", "160"];
/// VectorChord's graph searches wider than its setting says.
const VCHORDG: &[&str] = &["1", "2", "4", "8", "16", "32", "64", "96", "128", "200", "400"];
/// How many candidates are ranked by their full vectors decides nearly alone over pgvectorscale's recall; the list size of its
/// search adds time.
const RESCORE: &[&str] = &["3", "5", "10", "15", "30", "50", "100", "150", "200", "400"];
const VCHORD: Style = Style::Toml {
    internal: &["lists", "spherical_centroids", "sampling_factor", "kmeans_iterations", "build_threads"],
};

const fn exact() -> Method {
    Method {
        name: "exact",
        access_method: None,
        cast: None,
        elements: TYPES,
        metrics: ALL,
        style: Style::Reloptions,
        sweep: None,
    }
}

const fn index(
    name: &'static str,
    access_method: &'static str,
    elements: &'static [Element],
    metrics: &'static [Metric],
    style: Style,
    (setting, values): (&'static str, &'static [&'static str]),
) -> Method {
    // A good recall on most data: what happens to it shows better there than near 1.
    let steady = values[values.len() / 2];
    let sweep = Some(Sweep { setting, also: &[], values, steady });
    Method { name, access_method: Some(access_method), cast: None, elements, metrics, style, sweep }
}

/// The same index of vectors cast to half precision.
const fn halved(name: &'static str, method: Method) -> Method {
    Method { name, cast: Some(Halfvec), elements: PLAIN, ..method }
}

/// Indexes by the names and settings that pgvector gave them.
const HNSW: Method = index("hnsw", "hnsw", TYPES, ALL, Style::Reloptions, ("hnsw.ef_search", EF));
const IVFFLAT: Method = index(
    "ivfflat",
    "ivfflat",
    &[Vector, Halfvec, Bit],
    LISTS,
    Style::Reloptions,
    ("ivfflat.probes", PROBES),
);

const PGKITE: &[Method] = &[
    HNSW,
    halved("halfvec", HNSW),
    index("ivf", "ivf", &[Vector, Halfvec, Bit], ALL, Style::Reloptions, ("kite.ivf_probes", PROBES)),
    IVFFLAT,
    exact(),
];

/// All engines. `pgkite-other` is another build of this workspace's, to see what a change does.
pub(crate) const KNOWN: &[Kind] = &[
    Kind {
        name: OWN,
        usual: &["pgkite:hnsw", "pgkite:exact"],
        home: Home::Server { extensions: &["pgkite"], preload: None },
        methods: PGKITE,
    },
    Kind {
        name: "pgkite-other",
        usual: &["pgkite-other:hnsw", "pgkite-other:exact"],
        home: Home::Server { extensions: &["pgkite"], preload: None },
        methods: PGKITE,
    },
    Kind {
        name: "pgvector",
        usual: &["pgvector:hnsw", "pgvector:halfvec", "pgvector:ivfflat,lists=auto"],
        home: Home::Server { extensions: &["vector"], preload: None },
        methods: &[HNSW, halved("halfvec", HNSW), IVFFLAT, halved("ivfflat-halfvec", IVFFLAT), exact()],
    },
    Kind {
        name: "vchord",
        usual: &[
            "vchord:vchordrq,lists=auto,residual_quantization=true,spherical_centroids=true,build_threads=2,as=vchord:vchordrq",
            "vchord:vchordg",
        ],
        home: Home::Server { extensions: &["vector", "vchord"], preload: Some("vchord") },
        methods: &[
            index("vchordrq", "vchordrq", &[Vector, Halfvec], COMMON, VCHORD, ("vchordrq.probes", PROBES)),
            index("vchordg", "vchordg", &[Vector, Halfvec], COMMON, VCHORD, ("vchordg.ef_search", VCHORDG)),
        ],
    },
    Kind {
        name: "pgvectorscale",
        usual: &["pgvectorscale:diskann,diskann.query_search_list_size=10,as=pgvectorscale:diskann"],
        home: Home::Server { extensions: &["vector", "vectorscale"], preload: None },
        methods: &[index(
            "diskann",
            "diskann",
            PLAIN,
            COMMON,
            Style::Reloptions,
            ("diskann.query_rescore", RESCORE),
        )],
    },
    Kind {
        name: "hnswlib",
        usual: &["hnswlib:hnsw,m=16,ef_construction=64"],
        home: Home::InProcess,
        methods: &[index("hnsw", "hnsw", PLAIN, COMMON, Style::Reloptions, ("ef", EF))],
    },
    Kind {
        name: "faiss",
        usual: &["faiss:hnsw,m=16,ef_construction=64"],
        home: Home::InProcess,
        methods: &[
            index("hnsw", "hnsw", PLAIN, COMMON, Style::Reloptions, ("ef", EF)),
            index("ivfflat", "ivfflat", PLAIN, COMMON, Style::Reloptions, ("nprobe", PROBES)),
        ],
    },
];

/// The engine of this name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KNOWN.iter().find(|kind| kind.name == name)
}

impl Kind {
    pub(crate) fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    pub(crate) fn in_process(&self) -> bool {
        matches!(self.home, Home::InProcess)
    }
}

impl Sweep {
    /// All settings that get the value.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.setting).chain(self.also.iter().copied())
    }
}

impl Method {
    /// The type of what is indexed and searched with, where the column is of this type.
    pub(crate) fn searched(&self, column: Element) -> Element {
        self.cast.unwrap_or(column)
    }

    /// The operator class for a column, by the names that all engines took over from pgvector.
    pub(crate) fn opclass(&self, column: Column) -> String {
        let metric = match column.metric {
            L2 => "l2",
            Ip => "ip",
            Cosine => "cosine",
            L1 => "l1",
            Hamming => "hamming",
            Jaccard => "jaccard",
        };
        format!("{}_{metric}_ops", self.searched(column.element).sql())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (n, kind) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..n].iter().all(|other| other.name != kind.name), "{}", kind.name);
            for arm in kind.usual {
                let arm: super::super::Arm = arm.parse().unwrap();
                assert_eq!(arm.kind.name, kind.name);
            }
            for (n, method) in kind.methods.iter().enumerate() {
                assert!(kind.methods[..n].iter().all(|other| other.name != method.name), "{}", method.name);
                assert_eq!(method.access_method.is_none(), method.sweep.is_none(), "{}", method.name);
            }
        }
    }

    #[test]
    fn opclasses() {
        let pgvector = kind("pgvector").unwrap();
        let opclass = |method: &str, element, metric| {
            pgvector.method(method).unwrap().opclass(Column { element, dims: 8, metric })
        };
        assert_eq!(opclass("hnsw", Vector, Cosine), "vector_cosine_ops");
        assert_eq!(opclass("halfvec", Vector, L1), "halfvec_l1_ops");
        assert_eq!(opclass("hnsw", Bit, Jaccard), "bit_jaccard_ops");
        assert_eq!(opclass("hnsw", Sparsevec, Ip), "sparsevec_ip_ops");
        assert!(kind("milvus").is_none() && pgvector.method("diskann").is_none());
    }
}
