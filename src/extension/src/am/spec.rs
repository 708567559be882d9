//! Which distances an index ranks by: read off its operator class, so that the SQL decides.

use super::{Refusal, catalog};
use kite_codecs::{Metric, PayloadKind, Spec, VectorType};
use pgrx::{
    PgSqlErrorCode,
    pg_sys::{self, Oid},
};
use std::ffi::CStr;

/// The support functions of an operator class that say what an index ranks by, as in pgvector's catalog.
pub(super) const DISTANCE: i16 = 1;
/// What makes an inner product a cosine distance, where it is there.
pub(super) const NORM: i16 = 2;

const TYPES: [(&str, VectorType); 4] = [
    ("kite_vector_", VectorType::Vector),
    ("kite_halfvec_", VectorType::Halfvec),
    ("kite_sparsevec_", VectorType::Sparsevec),
    ("kite_bit_", VectorType::Bit),
];

/// Splits the C symbol of a function into the type that it is about and the rest of its name.
fn about(symbol: &str) -> Option<(VectorType, &str)> {
    TYPES.iter().find_map(|&(prefix, vector_type)| Some((vector_type, symbol.strip_prefix(prefix)?)))
}

/// Type and metric of an operator class whose support function 1 has this C symbol. `None` for other functions.
pub(super) fn ranks_by(symbol: &str, has_norm: bool) -> Option<(VectorType, Metric)> {
    let (vector_type, name) = about(symbol)?;
    let metric = match (name, has_norm) {
        ("l2_squared_distance", false) => Metric::L2,
        ("negative_inner_product", false) => Metric::InnerProduct,
        ("negative_inner_product", true) => Metric::Cosine,
        ("l1_distance", false) => Metric::L1,
        ("hamming_distance", false) => Metric::Hamming,
        ("jaccard_distance", false) => Metric::Jaccard,
        _ => return None,
    };
    Some((vector_type, metric))
}

/// Type and metric of the operator whose function has this C symbol. `None` for other operators.
pub(super) fn operator(symbol: &str) -> Option<(VectorType, Metric)> {
    let (vector_type, name) = about(symbol)?;
    let metric = match name {
        "l2_distance" => Metric::L2,
        "negative_inner_product" => Metric::InnerProduct,
        "cosine_distance" => Metric::Cosine,
        "l1_distance" => Metric::L1,
        "hamming_distance" => Metric::Hamming,
        "jaccard_distance" => Metric::Jaccard,
        _ => return None,
    };
    Some((vector_type, metric))
}

/// Type, metric and dimensions of an index, with its vectors in full and without codes: what the SQL decides and options do not.
///
/// # Safety
/// `index` is an open index of one of our access methods.
pub(super) unsafe fn of(index: pg_sys::Relation) -> Result<Spec, Refusal> {
    // SAFETY: by the caller's promise; our access methods have two support functions or more and one column.
    let (distance, norm, (column_type, modifier), input_type) = unsafe {
        let support = |number: i16| pg_sys::index_getprocid(index, 1, number as u16);
        (support(DISTANCE), support(NORM), column(index), *(*index).rd_opcintype)
    };
    // SAFETY: by the caller's promise.
    let method = || unsafe { method_of(index) };
    let symbol = catalog::c_symbol(distance).unwrap_or_default();
    let ranks_by = ranks_by(&symbol, norm != Oid::INVALID);
    // A `bit varying` passes for a `bit`, but its values differ in length.
    let Some((vector_type, metric)) = ranks_by.filter(|_| column_type == input_type) else {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("type not supported for {} index", method()),
        ));
    };
    let Some(dims) = usize::try_from(modifier).ok().filter(|&dims| dims > 0) else {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "column does not have dimensions",
        ));
    };
    let most = vector_type.max_dims();
    if dims > most {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("column cannot have more than {most} dimensions for {} index", method()),
        ));
    }
    Ok(Spec { vector_type, metric, payload: PayloadKind::Full, code_bits: 0, dims })
}

/// The name of an index's access method.
///
/// # Safety
/// `index` is an open index.
unsafe fn method_of(index: pg_sys::Relation) -> String {
    // SAFETY: by the caller's promise; the answer is NULL or a string.
    unsafe {
        let name = pg_sys::get_am_name((*(*index).rd_rel).relam);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Type of the indexed column, and its modifier, which is the number of dimensions or of bits. Of a domain, those that it
/// stands for.
///
/// # Safety
/// `index` is an open index.
unsafe fn column(index: pg_sys::Relation) -> (Oid, i32) {
    let (mut declared, mut modifier, mut collation) = (Oid::INVALID, -1, Oid::INVALID);
    // SAFETY: by the caller's promise; an index has a first column.
    unsafe {
        let (modifier_out, collation_out) = (&raw mut modifier, &raw mut collation);
        pg_sys::get_atttypetypmodcoll((*index).rd_id, 1, &raw mut declared, modifier_out, collation_out);
        (pg_sys::getBaseTypeAndTypmod(declared, &raw mut modifier), modifier)
    }
}
