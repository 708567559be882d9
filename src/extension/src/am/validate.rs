//! `amvalidate`: whether an operator class says what an index can do.

use super::method::Method;
use super::{catalog, spec};
use kite_codecs::{Metric, VectorType};
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Oid, panic::ErrorReport},
};

/// The strategy of all operator classes: order by distance.
const ORDER_BY_DISTANCE: i16 = 1;

/// What a support function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::am) enum Support {
    /// Of two values.
    Distance,
    /// Of a value.
    Norm,
    /// pgvector's description of a type; nothing here calls it.
    OfType,
}

/// `amvalidate`: says what is wrong, as INFO, and answers whether nothing is.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn validate<M: Method>(operator_class: Oid) -> bool {
    let Some(class) = catalog::operator_class(operator_class) else {
        pgrx::error!("cache lookup failed for operator class {operator_class}");
    };
    let problems = problems(&class, M::SUPPORT);
    for problem in &problems {
        let text = format!("operator class \"{}\" of access method {} {problem}", class.name, M::NAME);
        ErrorReport::new(PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION, text, "pgkite")
            .report(PgLogLevel::INFO);
    }
    problems.is_empty()
}

fn problems(class: &catalog::OperatorClass, support: &[Support]) -> Vec<String> {
    let mut problems = Vec::new();
    let ranks_by = functions(class, support, &mut problems);
    operators(class, ranks_by, &mut problems);
    problems
}

/// Looks at the support functions; answers what they rank by.
fn functions(
    class: &catalog::OperatorClass,
    support: &[Support],
    problems: &mut Vec<String>,
) -> Option<(VectorType, Metric)> {
    let (mut distance, mut has_norm) = (None, false);
    for member in catalog::family_functions(class.family) {
        let value = class.input_type;
        if (member.amproclefttype, member.amprocrighttype) != (value, value) {
            problems.push("has a support function for another type".to_owned());
            continue;
        }
        let number = member.amprocnum;
        let means = usize::try_from(number - 1).ok().and_then(|place| support.get(place));
        let (arguments, result): (&[Oid], Oid) = match means {
            Some(Support::Distance) => (&[value, value], pg_sys::FLOAT8OID),
            Some(Support::Norm) => (&[value], pg_sys::FLOAT8OID),
            Some(Support::OfType) => (&[pg_sys::INTERNALOID], pg_sys::INTERNALOID),
            None => {
                problems.push(format!("has a support function of number {number}, which means nothing"));
                continue;
            }
        };
        if catalog::signature(member.amproc) != (arguments.to_vec(), result) {
            problems.push(format!("has a support function {number} of wrong signature"));
        }
        distance = if number == spec::DISTANCE { catalog::c_symbol(member.amproc) } else { distance };
        has_norm |= number == spec::NORM;
    }
    let ranks_by = distance.and_then(|symbol| spec::ranks_by(&symbol, has_norm));
    if ranks_by.is_none() {
        problems.push("lacks a distance that an index can rank by as support function 1".to_owned());
    }
    ranks_by
}

/// Looks at the operators: there has to be one, which orders by what the support functions rank by.
fn operators(
    class: &catalog::OperatorClass,
    ranks_by: Option<(VectorType, Metric)>,
    problems: &mut Vec<String>,
) {
    let mut is_there = false;
    for member in catalog::family_operators(class.family) {
        let value = class.input_type;
        let strategy = member.amopstrategy;
        if (member.amoplefttype, member.amoprighttype) != (value, value) {
            problems.push("has an operator for another type".to_owned());
        } else if strategy != ORDER_BY_DISTANCE {
            problems.push(format!("has an operator of strategy {strategy}, which means nothing"));
        } else {
            is_there = true;
            problems.extend(operator(&member, ranks_by).map(str::to_owned));
        }
    }
    if !is_there {
        problems.push("lacks an operator to order by".to_owned());
    }
}

/// What is wrong with an operator of the right types and strategy.
fn operator(
    member: &pg_sys::FormData_pg_amop,
    ranks_by: Option<(VectorType, Metric)>,
) -> Option<&'static str> {
    // SAFETY: plain catalog look-ups.
    let (function, float_order) = unsafe {
        let order = pg_sys::GetDefaultOpClass(pg_sys::FLOAT8OID, pg_sys::BTREE_AM_OID);
        (pg_sys::get_opcode(member.amopopr), pg_sys::get_opclass_family(order))
    };
    let computes = catalog::c_symbol(function).and_then(|symbol| spec::operator(&symbol));
    if member.amoppurpose as u8 != b'o' {
        Some("has an operator that does not order")
    } else if member.amopsortfamily != float_order {
        Some("has an operator that does not order by float_ops")
    } else if ranks_by.is_some() && computes != ranks_by {
        Some("has an operator that computes something else than support function 1 ranks by")
    } else {
        None
    }
}
