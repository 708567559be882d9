//! What is built for an index that a client asks for by one of Milvus's names: the nearest that there is, and a note where that is
//! not the algorithm named.

mod inverted;
mod params;

use crate::{Code, DataType, Error, Field, IndexRequest, Metric, Result};
use inverted::Codes;
use params::Params;

/// Bytes of a VARCHAR up to which every value fits into an entry of a b-tree (a third of a page, less its headers).
const BTREE_BYTES: u32 = 2_600;

/// The range of `m` and of `ef_construction` of access method `hnsw`.
const HNSW_M: (i64, i64) = (2, 100);
const HNSW_EF: (i64, i64) = (4, 1000);

/// What a server can build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Available {
    /// An access method of inverted files for the type and metric at hand.
    pub inverted_file: Option<InvertedFile>,
    /// Operator classes of trigrams.
    pub trigrams: bool,
}

/// An access method of inverted files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvertedFile {
    /// `ivf`, which can quantise.
    Ivf,
    /// `ivfflat`, which only has lists.
    IvfFlat,
}

/// An access method, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of access methods")]
pub enum Method {
    /// Nothing is built: the table is scanned.
    Scan,
    Hnsw,
    Ivf,
    IvfFlat,
    Btree,
    Hash,
    /// Of the keys and values of JSON.
    GinPaths,
    /// Of the elements of an array.
    GinElements,
    /// Of the trigrams of a text.
    GinTrigrams,
}

/// What is to be built.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexPlan {
    /// How vectors are compared; of a vector field only.
    pub metric: Option<Metric>,
    /// By which access method.
    pub method: Method,
    /// Its options.
    pub options: Vec<(&'static str, String)>,
    /// How this differs from what the name says.
    pub note: Option<String>,
    /// Parameters that were given and say nothing to this index.
    pub ignored: Vec<String>,
}

impl IndexRequest {
    /// The metric asked for on a vector field, or the one that Milvus takes; `None` on any other field.
    ///
    /// # Errors
    /// Where the field's type has no such metric.
    pub fn metric(&self, field: DataType) -> Result<Option<Metric>> {
        match &self.metric_type {
            _ if !field.is_vector() => Ok(None),
            Some(name) => Metric::read(name, field).map(Some),
            None => Ok(Some(Metric::default_for(field))),
        }
    }

    /// What is to be built for this request on this field.
    ///
    /// # Errors
    /// Where a parameter is out of its range, or the type of index and the type of field do not go together.
    pub fn plan(&self, field: &Field, available: Available) -> Result<IndexPlan> {
        if self.index_type == "ANNOY" {
            return Err(Error::new(Code::IndexNotSupported, "index type ANNOY is not supported").with_hint(
                "Milvus removed it in version 2.3. HNSW takes its place: a graph, with M and efConstruction for n_trees.",
            ));
        }
        let metric = self.metric(field.data_type)?;
        let mut params = Params::new(self);
        let built = match field.data_type {
            DataType::BinaryVector => binary(&mut params, metric, available)?,
            DataType::SparseFloatVector => sparse(&mut params)?,
            kind if kind.is_vector() => dense(&mut params, field, available)?,
            _ => scalar(&mut params, field, available)?,
        };
        Ok(IndexPlan {
            metric,
            method: built.method,
            options: built.options,
            note: (!built.note.is_empty()).then_some(built.note),
            ignored: params.left(),
        })
    }
}

/// The part of a plan that depends on the name.
struct Built {
    method: Method,
    options: Vec<(&'static str, String)>,
    note: String,
}

impl Built {
    fn new(method: Method) -> Self {
        Self { method, options: Vec::new(), note: String::new() }
    }

    fn option(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.options.push((name, value.to_string()));
        self
    }

    fn note(mut self, note: &str) -> Self {
        if !self.note.is_empty() && !note.is_empty() {
            self.note += " ";
        }
        self.note += note;
        self
    }
}

/// A graph of this many links and candidates, within the ranges of `hnsw`.
fn graph(m: i64, ef_construction: i64) -> Built {
    let built_m = m.clamp(HNSW_M.0, HNSW_M.1);
    let built_ef = ef_construction.max(2 * built_m).clamp(HNSW_EF.0, HNSW_EF.1);
    let built = Built::new(Method::Hnsw).option("m", &built_m).option("ef_construction", &built_ef);
    if (built_m, built_ef) == (m, ef_construction) {
        return built;
    }
    let asked =
        format!("M = {m} and efConstruction = {ef_construction} are built as {built_m} and {built_ef}.");
    built.note(&asked)
}

fn hnsw(params: &mut Params<'_>) -> Result<Built> {
    let m = params.integer("M", (2, 2048), 30)?;
    let ef = params.integer("efConstruction", (1, i32::MAX.into()), 360)?;
    Ok(graph(m, ef))
}

const REFINE: [&str; 5] = ["SQ6", "SQ8", "FP16", "BF16", "FP32"];

fn refine(params: &mut Params<'_>) -> Result<()> {
    params.text("refine_type", &REFINE, "FP32")?;
    params.ignore(&["refine", "refine_k"]);
    Ok(())
}

fn dense(params: &mut Params<'_>, field: &Field, available: Available) -> Result<Built> {
    let dim = i64::from(field.dim.unwrap_or(0));
    let exact = "the executor ranks by the vectors themselves";
    Ok(match params.index_type() {
        "FLAT" => Built::new(Method::Scan),
        "GPU_BRUTE_FORCE" => {
            Built::new(Method::Scan).note("There is no GPU: every row is compared on the CPU.")
        }
        "AUTOINDEX" => graph(18, 240),
        "HNSW" => hnsw(params)?,
        "HNSW_SQ" => {
            let kind = params.text("sq_type", &["SQ4U", "SQ6", "SQ8", "BF16", "FP16"], "SQ8")?;
            refine(params)?;
            let payload = if matches!(kind, "BF16" | "FP16") { "half" } else { "sq8" };
            let note = match kind {
                "SQ4U" | "SQ6" => format!("{kind} is built with eight bits a dimension, and {exact}."),
                "BF16" => "BF16 is built as half precision of IEEE 754, with a scale.".to_owned(),
                _ => String::new(),
            };
            hnsw(params)?.option("payload", payload).note(&note)
        }
        "HNSW_PQ" | "HNSW_PRQ" => {
            let (name, default_m) = match params.index_type() {
                "HNSW_PQ" => ("HNSW_PQ", 32),
                _ => ("HNSW_PRQ", 2),
            };
            // Where nobody gives `m`, no dimension is wrong.
            let default_m = if dim % default_m == 0 { default_m } else { 1 };
            inverted::quantiser(params, dim, default_m)?;
            params.integer("nrq", (1, 16), 2)?;
            refine(params)?;
            let note = format!("{name} is built with a byte a dimension in place of its codes, and {exact}.");
            hnsw(params)?.option("payload", "sq8").note(&note)
        }
        "IVF_FLAT" | "IVF_FLAT_CC" | "IVF_SQ8" | "IVF_PQ" | "IVF_RABITQ" | "SCANN" | "GPU_IVF_FLAT"
        | "GPU_IVF_PQ" => inverted::dense(params, dim, available)?,
        "DISKANN" => {
            let degree = params.integer("max_degree", (1, 2048), 56)?;
            let list = params.integer("search_list_size", (1, i32::MAX.into()), 100)?;
            params.ignore(&[
                "pq_code_budget_gb_ratio",
                "search_cache_budget_gb_ratio",
                "pq_code_budget_gb",
                "search_cache_budget_gb",
                "beamwidth_ratio",
                "beamwidth",
                "build_dram_budget_gb",
                "num_build_thread_ratio",
            ]);
            // The lowest level of hnsw has 2 m links.
            graph((degree / 2).max(2), list).note(
                "DISKANN is built as a graph of several levels; like it, it lies on disk and steers by codes beside its links.",
            )
        }
        "GPU_CAGRA" => {
            let degree = params.integer("graph_degree", (1, 2048), 64)?;
            let list = params.integer("intermediate_graph_degree", (1, 4096), 128)?;
            params.ignore(&["build_algo", "cache_dataset_on_device", "adapt_for_cpu", "nn_descent_niter"]);
            graph((degree / 2).max(2), list)
                .note("There is no GPU: GPU_CAGRA is built as a graph on the CPU.")
        }
        name => return Err(mismatch(name, field.data_type)),
    })
}

fn binary(params: &mut Params<'_>, metric: Option<Metric>, available: Available) -> Result<Built> {
    let built = match params.index_type() {
        "BIN_FLAT" => Built::new(Method::Scan),
        "AUTOINDEX" if matches!(metric, Some(Metric::Substructure | Metric::Superstructure)) => {
            Built::new(Method::Scan)
        }
        "AUTOINDEX" => graph(18, 240),
        "BIN_IVF_FLAT" => inverted::lists(params, available, &Codes::none("BIN_IVF_FLAT"))?,
        name => return Err(mismatch(name, DataType::BinaryVector)),
    };
    match metric {
        Some(metric @ (Metric::Substructure | Metric::Superstructure)) if built.method != Method::Scan => {
            Err(Error::invalid(format!("metric type {} is only supported by BIN_FLAT", metric.name())))
        }
        _ => Ok(built),
    }
}

fn sparse(params: &mut Params<'_>) -> Result<Built> {
    let name = params.index_type();
    if !matches!(name, "SPARSE_INVERTED_INDEX" | "SPARSE_WAND" | "AUTOINDEX") {
        return Err(mismatch(name, DataType::SparseFloatVector));
    }
    params.text("inverted_index_algo", &["DAAT_MAXSCORE", "DAAT_WAND", "TAAT_NAIVE"], "DAAT_MAXSCORE")?;
    params.ratio("drop_ratio_build")?;
    params.ignore(&["bm25_k1", "bm25_b"]);
    let built = graph(18, 240);
    Ok(if name == "AUTOINDEX" {
        built
    } else {
        built.note(&format!("{name} is built as a graph of sparse vectors."))
    })
}

fn scalar(params: &mut Params<'_>, field: &Field, available: Available) -> Result<Built> {
    let name = params.index_type();
    let kind = field.data_type;
    let element = field.element_type;
    let is_integer = |kind: DataType| kind.integer_range().is_some();
    let is_real = |kind: DataType| matches!(kind, DataType::Float | DataType::Double);
    let allowed = match name {
        "AUTOINDEX" | "" => true,
        "INVERTED" => kind != DataType::Timestamptz,
        "BITMAP" => match (kind, element) {
            (DataType::Array, Some(element)) => !is_real(element),
            (kind, _) => is_integer(kind) || matches!(kind, DataType::Bool | DataType::VarChar),
        },
        "STL_SORT" => {
            is_integer(kind) || is_real(kind) || matches!(kind, DataType::VarChar | DataType::Timestamptz)
        }
        "TRIE" => kind == DataType::VarChar,
        "NGRAM" => matches!(kind, DataType::VarChar | DataType::Json),
        _ => false,
    };
    if !allowed {
        return Err(mismatch(name, kind));
    }
    params.ignore(&["bitmap_cardinality_limit"]);
    if name == "NGRAM" {
        return trigrams(params, kind, available);
    }
    Ok(match kind {
        DataType::Json => {
            params.ignore(&["json_path", "json_cast_type", "json_cast_function"]);
            Built::new(Method::GinPaths)
                .note("All paths of the field are indexed together, for tests of equality and json_contains.")
        }
        DataType::Array => Built::new(Method::GinElements),
        DataType::VarChar if field.max_length.is_none_or(|length| length > BTREE_BYTES) => Built::new(
            Method::Hash,
        )
        .note(&format!(
            "Values of more than {BTREE_BYTES} bytes fit into no b-tree: only tests of equality are served."
        )),
        _ => {
            let built = Built::new(Method::Btree);
            if name == "BITMAP" { built.note("A b-tree whose equal entries share a key.") } else { built }
        }
    })
}

fn trigrams(params: &mut Params<'_>, kind: DataType, available: Available) -> Result<Built> {
    for key in ["min_gram", "max_gram"] {
        if params.get(key).is_none() {
            return Err(Error::new(
                Code::ParameterMissing,
                "Ngram index must specify both min_gram and max_gram",
            ));
        }
    }
    let least = params.integer("min_gram", (1, i32::MAX.into()), 3)?;
    let most = params.integer("max_gram", (1, i32::MAX.into()), 3)?;
    if least > most {
        return Err(Error::invalid(format!("min_gram {least} should not be more than max_gram {most}")));
    }
    if kind == DataType::Json || !available.trigrams {
        return Err(Error::new(Code::IndexNotSupported, "index type NGRAM is not supported here")
            .with_hint("It needs a VARCHAR field, and CREATE EXTENSION pg_trgm."));
    }
    Ok(Built::new(Method::GinTrigrams).note("Always of three letters."))
}

fn mismatch(index_type: &str, field: DataType) -> Error {
    const KNOWN: [&str; 27] = [
        "FLAT",
        "AUTOINDEX",
        "HNSW",
        "HNSW_SQ",
        "HNSW_PQ",
        "HNSW_PRQ",
        "IVF_FLAT",
        "IVF_FLAT_CC",
        "IVF_SQ8",
        "IVF_PQ",
        "IVF_RABITQ",
        "SCANN",
        "DISKANN",
        "GPU_BRUTE_FORCE",
        "GPU_IVF_FLAT",
        "GPU_IVF_PQ",
        "GPU_CAGRA",
        "BIN_FLAT",
        "BIN_IVF_FLAT",
        "SPARSE_INVERTED_INDEX",
        "SPARSE_WAND",
        "INVERTED",
        "BITMAP",
        "STL_SORT",
        "TRIE",
        "NGRAM",
        "",
    ];
    if KNOWN.contains(&index_type) {
        let label = field.label();
        return Error::invalid(format!("data type {label} can't build with this index {index_type}"));
    }
    match index_type {
        "MINHASH_LSH" | "RTREE" => {
            Error::new(Code::IndexNotSupported, format!("index type {index_type} is not supported"))
        }
        _ => Error::invalid(format!("invalid index type: {index_type}")),
    }
}

#[cfg(test)]
mod tests;
