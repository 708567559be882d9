//! What a distance costs, told to the planner.
//!
//! Postgres takes every function for equally cheap, and it does not see that a vector of more than about 2 kB lives in the
//! table's TOAST relation, where reading it costs an index descent and several tuples. This support function
//! (`SupportRequestCost`, `nodes/supportnodes.h`) answers from the dimensions, and from how much of the column is stored
//! outside, so that a plan which computes a million distances is priced as what it is.
//!
//! Out-of-line storage is read off the statistics: ANALYZE keeps a column's average width *as stored*, and a value that was
//! moved out leaves a pointer of 18 bytes behind. A column of type `vector(768)` with an average width of 18 is stored
//! outside whole; one with 3,080 is inline.

use crate::call::Call;
use half::f16;
use kite_vectors::Result;
use pgrx::{
    PgList,
    pg_sys::{self, Datum, NodeTag, Oid},
};
use std::mem::size_of;

/// Bytes of a value's pointer into TOAST, header included (`TOAST_POINTER_SIZE`).
const POINTER_BYTES: f64 = 18.0;
/// Payload of one TOAST tuple (`TOAST_MAX_CHUNK_SIZE` with 8 kB pages).
const CHUNK_BYTES: f64 = 1996.0;
/// A row beyond this size has its widest values moved out (`TOAST_TUPLE_THRESHOLD`), unless storage is PLAIN.
const INLINE_BYTES: f64 = 2000.0;
/// Size taken for a column that declares no dimensions and has no statistics: 768 single-precision elements.
const UNKNOWN_BYTES: f64 = 3080.0;

/// Costs in units of `cpu_operator_cost`, which stands for 7.5 ns: a row's share of a sequential scan, `cpu_tuple_cost`, is
/// four of them, and takes 30 ns. The README of this crate holds the measurements.
const CALL_OPERATORS: f64 = 3.0;
const OPERATORS_PER_BYTE: f64 = 3.0 / 1024.0;
const OPERATORS_PER_TOASTED_VALUE: f64 = 300.0;
const OPERATORS_PER_CHUNK: f64 = 17.0;

/// What is known of an argument before its partner is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Known {
    /// Size by its declaration or as it stands in the query.
    bytes: Option<f64>,
    /// Average width as stored, of a column with statistics.
    width: Option<f64>,
    /// Whether its values may be moved out of their row.
    may_move: bool,
}

/// Size of an argument, and how much of it is stored outside its row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Operand {
    bytes: f64,
    outside: f64,
}

impl Known {
    /// Both sides of a distance have the same dimensions: what is not known of one is taken from the other.
    fn resolve(self, other: Option<f64>) -> Operand {
        let width = self.width.filter(|&width| width > POINTER_BYTES + 2.0);
        let bytes = self.bytes.or(other).or(width).unwrap_or(UNKNOWN_BYTES);
        Operand { bytes, outside: share_outside(bytes, self.width, self.may_move) }
    }
}

/// Cost of one call that reads these arguments.
fn call_cost(operands: &[Operand], cpu_operator_cost: f64, seq_page_cost: f64) -> f64 {
    let widest = operands.iter().map(|operand| operand.bytes).fold(0.0, f64::max);
    let toast: f64 = operands
        .iter()
        .map(|operand| {
            let chunks = (operand.bytes / CHUNK_BYTES).ceil();
            let cpu = cpu_operator_cost * (OPERATORS_PER_TOASTED_VALUE + OPERATORS_PER_CHUNK * chunks);
            // The relation's own pages are in no scan's estimate. Values written in row order are read in row order.
            let io = seq_page_cost * operand.bytes / f64::from(pg_sys::BLCKSZ);
            operand.outside * (cpu + io)
        })
        .sum();
    cpu_operator_cost * (CALL_OPERATORS + OPERATORS_PER_BYTE * widest) + toast
}

/// The share of a column's values that is stored outside: from the average stored width, or by size where nothing is known.
fn share_outside(bytes: f64, average_width: Option<f64>, may_move: bool) -> f64 {
    // A value below 127 bytes is stored with a header of one byte instead of four.
    let inline = if bytes - 3.0 < 127.0 { bytes - 3.0 } else { bytes };
    match average_width {
        Some(width) if may_move && inline > POINTER_BYTES => {
            ((inline - width) / (inline - POINTER_BYTES)).clamp(0.0, 1.0)
        }
        None if may_move && bytes > INLINE_BYTES => 1.0,
        _ => 0.0,
    }
}

/// Bytes of a value of a type that declares its dimensions. Those of a sparse vector do not tell.
fn declared_bytes(oid: Oid, modifier: i32) -> Option<f64> {
    let dims = (modifier > 0).then(|| f64::from(modifier))?;
    match type_name(oid).as_str() {
        "vector" => Some(8.0 + dims * size_of::<f32>() as f64),
        "halfvec" => Some(8.0 + dims * size_of::<f16>() as f64),
        "bit" => Some(8.0 + (dims / 8.0).ceil()),
        _ => None,
    }
}

fn type_name(oid: Oid) -> String {
    // SAFETY: a plain catalog look-up; the name is copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, Datum::from(oid));
        if tuple.is_null() {
            return String::new();
        }
        let form: *const pg_sys::FormData_pg_type = pg_sys::heap_tuple_get_struct(tuple);
        let name = pgrx::name_data_to_str(&(*form).typname).to_owned();
        pg_sys::ReleaseSysCache(tuple);
        name
    }
}

/// Whether values of the column may be moved out of their row.
fn may_move(relation: Oid, column: i16) -> bool {
    // SAFETY: a plain catalog look-up by keys of the right types.
    unsafe {
        let tuple = pg_sys::SearchSysCache2(
            pg_sys::SysCacheIdentifier::ATTNUM as i32,
            Datum::from(relation),
            Datum::from(column),
        );
        if tuple.is_null() {
            return false;
        }
        let form: *const pg_sys::FormData_pg_attribute = pg_sys::heap_tuple_get_struct(tuple);
        let storage = (*form).attstorage as u8;
        pg_sys::ReleaseSysCache(tuple);
        matches!(storage, b'e' | b'x')
    }
}

/// The table that a column reference of this query level points into.
///
/// # Safety
/// `root` is NULL or a valid planner state, `var` a valid column reference.
unsafe fn table_of(root: *mut pg_sys::PlannerInfo, var: *const pg_sys::Var) -> Option<Oid> {
    // SAFETY: by the caller's promise; the range table of a planner state's query is a list of range table entries, and `PgList`
    // checks the index.
    unsafe {
        if root.is_null() || (*root).parse.is_null() || (*var).varlevelsup != 0 {
            return None;
        }
        let tables = PgList::<pg_sys::RangeTblEntry>::from_pg((*(*root).parse).rtable);
        let entry = tables.get_ptr(usize::try_from((*var).varno).ok()?.checked_sub(1)?)?;
        ((*entry).rtekind == pg_sys::RTEKind::RTE_RELATION).then(|| (*entry).relid)
    }
}

/// What is known of one argument.
///
/// # Safety
/// `root` is NULL or a valid planner state, `node` a valid expression.
unsafe fn known(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Known {
    // SAFETY: by the caller's promise; each cast follows a test of the node's tag.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const => {
                let constant = node.cast::<pg_sys::Const>();
                let size = || pg_sys::toast_raw_datum_size((*constant).constvalue) as f64;
                let has_size = !(*constant).constisnull && (*constant).constlen == -1;
                Known { bytes: has_size.then(size), ..Known::default() }
            }
            NodeTag::T_Var => {
                let var = node.cast::<pg_sys::Var>();
                let bytes = declared_bytes((*var).vartype, (*var).vartypmod);
                let Some(table) = table_of(root, var) else {
                    return Known { bytes, ..Known::default() };
                };
                let width = pg_sys::get_attavgwidth(table, (*var).varattno);
                let width = (width > 0).then(|| f64::from(width));
                Known { bytes, width, may_move: may_move(table, (*var).varattno) }
            }
            NodeTag::T_RelabelType => known(root, (*node.cast::<pg_sys::RelabelType>()).arg.cast()),
            _ => Known {
                bytes: declared_bytes(pg_sys::exprType(node), pg_sys::exprTypmod(node)),
                ..Known::default()
            },
        }
    }
}

fn distance_support(call: &Call) -> Result<Datum> {
    let request: *mut pg_sys::Node = call.datum(0).cast_mut_ptr();
    // SAFETY: a support function is handed a node of some request type; the tag is tested before the cast, and an expression
    // that is a call or an operator has its arguments in a list of expressions.
    unsafe {
        if (*request).type_ != NodeTag::T_SupportRequestCost {
            return Ok(Datum::null());
        }
        let request = request.cast::<pg_sys::SupportRequestCost>();
        let node = (*request).node;
        let arguments = if node.is_null() {
            std::ptr::null_mut()
        } else {
            match (*node).type_ {
                NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).args,
                NodeTag::T_OpExpr => (*node.cast::<pg_sys::OpExpr>()).args,
                _ => std::ptr::null_mut(),
            }
        };
        let arguments = PgList::<pg_sys::Node>::from_pg(arguments);
        let known: Vec<Known> =
            arguments.iter_ptr().map(|argument| known((*request).root, argument)).collect();
        let bytes = known.iter().filter_map(|known| known.bytes).reduce(f64::max);
        let operands: Vec<Operand> = known.iter().map(|known| known.resolve(bytes)).collect();
        (*request).startup = 0.0;
        (*request).per_tuple = call_cost(&operands, pg_sys::cpu_operator_cost, pg_sys::seq_page_cost);
        Ok(Datum::from(request))
    }
}

export! { "kite_distance_support" => distance_support }
