//! The functions of the language, known by name, as Milvus knows them: in lower and in upper case only.

use crate::syntax::How;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Contains(How),
    Length,
    Sample,
    /// One that is read but not supported; its name in upper case.
    Other(&'static str),
}

/// Functions that need what a collection here has not: text analysers, geometry, arrays of structs.
const OTHERS: [&str; 16] = [
    "TEXT_MATCH",
    "PHRASE_MATCH",
    "ELEMENT_FILTER",
    "MATCH_ALL",
    "MATCH_ANY",
    "MATCH_LEAST",
    "MATCH_MOST",
    "MATCH_EXACT",
    "ST_EQUALS",
    "ST_TOUCHES",
    "ST_OVERLAPS",
    "ST_CROSSES",
    "ST_CONTAINS",
    "ST_INTERSECTS",
    "ST_WITHIN",
    "ST_DWITHIN",
];

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<Function> {
    let (lower, upper) = (name.to_ascii_lowercase(), name.to_ascii_uppercase());
    if name != lower && name != upper {
        return None;
    }
    match lower.as_str() {
        "array_length" => Some(Function::Length),
        "random_sample" => Some(Function::Sample),
        "st_isvalid" => Some(Function::Other("ST_ISVALID")),
        other => {
            let suffix = other.strip_prefix("json_").or_else(|| other.strip_prefix("array_"));
            suffix
                .and_then(How::named)
                .map(Function::Contains)
                .or_else(|| OTHERS.into_iter().find(|known| *known == upper).map(Function::Other))
        }
    }
}

/// Whether a word is the mark of a timestamp literal, when a string follows it.
pub(crate) fn is_iso(word: &str) -> bool {
    matches!(word, "iso" | "ISO" | "interval" | "INTERVAL")
}
