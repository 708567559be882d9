use super::*;
use crate::DataType::{
    Array, BinaryVector, Bool, FloatVector, Int64, Json, SparseFloatVector, Timestamptz, VarChar,
};
use serde_json::{Value, json};

fn field(kind: DataType) -> Field {
    let mut field = Field::new("f", kind);
    field.dim = Some(384);
    field.max_length = Some(100);
    field.element_type = Some(DataType::Int64);
    field
}

fn plan(kind: DataType, request: Value, available: Available) -> Result<IndexPlan> {
    let mut request = request;
    request["field_name"] = "f".into();
    IndexRequest::read_all(&request)?[0].plan(&field(kind), available)
}

fn options(plan: &IndexPlan) -> String {
    let each = plan.options.iter().map(|(name, value)| format!("{name}={value}"));
    each.collect::<Vec<_>>().join(" ")
}

#[test]
fn names_are_built_as_the_nearest() {
    let ivf = Available { inverted_file: Some(InvertedFile::Ivf), trigrams: true };
    let flat = Available { inverted_file: Some(InvertedFile::IvfFlat), trigrams: true };
    let none = Available::default();
    for (kind, request, available, method, expected, noted) in [
        (FloatVector, json!({"index_type": "FLAT"}), none, Method::Scan, "", false),
        (FloatVector, json!({}), none, Method::Hnsw, "m=18 ef_construction=240", false),
        (FloatVector, json!({"index_type": "hnsw"}), none, Method::Hnsw, "m=30 ef_construction=360", false),
        (
            FloatVector,
            json!({"index_type": "HNSW", "params": {"M": "16", "efConstruction": 200}}),
            none,
            Method::Hnsw,
            "m=16 ef_construction=200",
            false,
        ),
        (
            FloatVector,
            json!({"index_type": "HNSW", "M": 2048, "efConstruction": 1}),
            none,
            Method::Hnsw,
            "m=100 ef_construction=200",
            true,
        ),
        (
            FloatVector,
            json!({"index_type": "HNSW_SQ", "sq_type": "fp16"}),
            none,
            Method::Hnsw,
            "m=30 ef_construction=360 payload=half",
            false,
        ),
        (
            FloatVector,
            json!({"index_type": "HNSW_PQ"}),
            none,
            Method::Hnsw,
            "m=30 ef_construction=360 payload=sq8",
            true,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_FLAT"}),
            ivf,
            Method::Ivf,
            "lists=128 codes=none payload=full",
            false,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_PQ", "m": 8}),
            ivf,
            Method::Ivf,
            "lists=128 codes=pq m=8 nbits=8",
            false,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_PQ", "nbits": 6}),
            ivf,
            Method::Ivf,
            "lists=128 codes=pq nbits=8",
            true,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_SQ8", "nlist": 65536}),
            ivf,
            Method::Ivf,
            "lists=32768 codes=sq8",
            true,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_RABITQ"}),
            ivf,
            Method::Ivf,
            "lists=128 codes=rabitq nbits=1",
            false,
        ),
        (
            FloatVector,
            json!({"index_type": "IVF_RABITQ", "rbq_bits": 7}),
            ivf,
            Method::Ivf,
            "lists=128 codes=rabitq nbits=2",
            true,
        ),
        (
            FloatVector,
            json!({"index_type": "SCANN"}),
            ivf,
            Method::Ivf,
            "lists=128 codes=pq m=192 nbits=4",
            true,
        ),
        (
            BinaryVector,
            json!({"index_type": "BIN_IVF_FLAT"}),
            ivf,
            Method::Ivf,
            "lists=128 codes=none",
            false,
        ),
        (FloatVector, json!({"index_type": "IVF_SQ8", "nlist": 5}), flat, Method::IvfFlat, "lists=5", true),
        (
            FloatVector,
            json!({"index_type": "IVF_RABITQ"}),
            none,
            Method::Hnsw,
            "m=18 ef_construction=240",
            true,
        ),
        (FloatVector, json!({"index_type": "DISKANN"}), ivf, Method::Hnsw, "m=28 ef_construction=100", true),
        (
            FloatVector,
            json!({"index_type": "GPU_CAGRA"}),
            ivf,
            Method::Hnsw,
            "m=32 ef_construction=128",
            true,
        ),
        (BinaryVector, json!({"index_type": "BIN_FLAT"}), none, Method::Scan, "", false),
        (BinaryVector, json!({}), none, Method::Hnsw, "m=18 ef_construction=240", false),
        (BinaryVector, json!({"metric_type": "SUPERSTRUCTURE"}), none, Method::Scan, "", false),
        (
            SparseFloatVector,
            json!({"index_type": "SPARSE_WAND"}),
            none,
            Method::Hnsw,
            "m=18 ef_construction=240",
            true,
        ),
        (Int64, json!({"index_type": "STL_SORT"}), none, Method::Btree, "", false),
        (Bool, json!({"index_type": "BITMAP"}), none, Method::Btree, "", true),
        (VarChar, json!({"index_type": "Trie"}), none, Method::Btree, "", false),
        (
            VarChar,
            json!({"index_type": "NGRAM", "min_gram": 2, "max_gram": 4}),
            flat,
            Method::GinTrigrams,
            "",
            true,
        ),
        (Json, json!({"index_type": "INVERTED", "json_path": "f[\"a\"]"}), none, Method::GinPaths, "", true),
        (Array, json!({"index_type": "INVERTED"}), none, Method::GinElements, "", false),
    ] {
        let plan = plan(kind, request.clone(), available).expect("a plan");
        assert_eq!((plan.method, options(&plan).as_str()), (method, expected), "{request}");
        assert_eq!(plan.note.is_some(), noted, "{request}: {:?}", plan.note);
        assert_eq!(plan.ignored, Vec::<String>::new(), "{request}");
    }
}

#[test]
fn a_long_text_goes_into_no_btree() {
    let mut long = field(DataType::VarChar);
    long.max_length = Some(65_535);
    let request =
        IndexRequest::read_all(&json!({"field_name": "f", "index_type": "INVERTED"})).expect("read");
    assert_eq!(request[0].plan(&long, Available::default()).expect("a plan").method, Method::Hash);
}

#[test]
fn what_does_not_fit_is_refused() {
    for (kind, request, code) in [
        (FloatVector, json!({"index_type": "ANNOY"}), Code::IndexNotSupported),
        (FloatVector, json!({"index_type": "MINHASH_LSH"}), Code::IndexNotSupported),
        (FloatVector, json!({"index_type": "BIN_FLAT"}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "NOTHING"}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "HNSW", "M": 1}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "HNSW", "M": "x"}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "IVF_FLAT", "nlist": 65_537}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "IVF_PQ", "m": 7}), Code::ParameterInvalid),
        (FloatVector, json!({"index_type": "HNSW_SQ", "sq_type": "SQ9"}), Code::ParameterInvalid),
        (FloatVector, json!({"metric_type": "HAMMING"}), Code::ParameterInvalid),
        (
            BinaryVector,
            json!({"index_type": "BIN_IVF_FLAT", "metric_type": "SUBSTRUCTURE"}),
            Code::ParameterInvalid,
        ),
        (SparseFloatVector, json!({"index_type": "HNSW"}), Code::ParameterInvalid),
        (SparseFloatVector, json!({"drop_ratio_build": 1}), Code::ParameterInvalid),
        (Int64, json!({"index_type": "Trie"}), Code::ParameterInvalid),
        (Int64, json!({"index_type": "HNSW"}), Code::ParameterInvalid),
        (Json, json!({"index_type": "BITMAP"}), Code::ParameterInvalid),
        (Array, json!({"index_type": "STL_SORT"}), Code::ParameterInvalid),
        (Timestamptz, json!({"index_type": "INVERTED"}), Code::ParameterInvalid),
        (VarChar, json!({"index_type": "NGRAM"}), Code::ParameterMissing),
        (VarChar, json!({"index_type": "NGRAM", "min_gram": 2, "max_gram": 3}), Code::IndexNotSupported),
    ] {
        let error = plan(kind, request.clone(), Available::default()).expect_err("refused");
        assert_eq!(error.code, code, "{request}: {error}");
    }
}

#[test]
fn what_says_nothing_is_named() {
    let request = json!({"index_type": "HNSW", "efconstruction": 9, "mmap.enabled": true});
    let plan = plan(DataType::FloatVector, request, Available::default()).expect("a plan");
    assert_eq!(plan.ignored, ["efconstruction"]);
}
