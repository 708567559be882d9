//! Tables of cases: rows, and for each expression those that match, or the error.
//!
//! A file has sections. `row NAME {entity}` adds a row to the section (its id is its number there), `with {parameters}` binds template variables from there on,
//! `EXPRESSION => NAMES` is a case: the names of the rows that match, in their order. `EXPRESSION => error POSITION: TEXT` is an
//! expression that is refused. An expression goes on in the next line where a line ends in ` \`.

use super::row::Row;
use super::schema;
use serde_json::{Map, Value as Json};

/// The files, by name.
const FILES: [(&str, &str); 7] = [
    ("scalars", include_str!("../../tests/cases/scalars.txt")),
    ("logic", include_str!("../../tests/cases/logic.txt")),
    ("arithmetic", include_str!("../../tests/cases/arithmetic.txt")),
    ("arrays", include_str!("../../tests/cases/arrays.txt")),
    ("json", include_str!("../../tests/cases/json.txt")),
    ("strings", include_str!("../../tests/cases/strings.txt")),
    ("errors", include_str!("../../tests/cases/errors.txt")),
];

/// Rows, and the expressions that are tried on them.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The file's name and the section's.
    pub name: String,
    /// The rows by name.
    pub rows: Vec<(String, Row)>,
    /// Expressions.
    pub cases: Vec<Case>,
}

/// An expression and what becomes of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The expression.
    pub expression: String,
    /// The values of template variables.
    pub parameters: Map<String, Json>,
    /// What is expected.
    pub expected: Expected,
}

/// What becomes of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The names of the rows that match.
    Rows(Vec<String>),
    /// Its position and its message.
    Error(usize, String),
}

/// All sections of all files.
///
/// # Panics
/// Where a file is not in the format.
#[must_use]
pub fn sections() -> Vec<Section> {
    FILES.iter().flat_map(|(name, text)| read(name, text)).collect()
}

fn read(file: &str, text: &str) -> Vec<Section> {
    let schema = schema();
    let mut sections: Vec<Section> = Vec::new();
    let mut parameters = Map::new();
    let text = text.replace(" \\\n", " ");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: format!("{file}: {name}"), ..Section::default() });
            parameters = Map::new();
            continue;
        }
        let section = sections.last_mut().expect("a line before the first section");
        if let Some((name, entity)) = line.strip_prefix("row ").and_then(|rest| rest.split_once(' ')) {
            let mut entity = object(entity);
            entity.entry("id").or_insert_with(|| (section.rows.len() + 1).into());
            let row = Row::from_json(&schema, &entity).unwrap_or_else(|message| panic!("{line}: {message}"));
            section.rows.push((name.into(), row));
        } else if let Some(values) = line.strip_prefix("with ") {
            parameters = object(values);
        } else {
            let (expression, expected) = line.rsplit_once("=>").unwrap_or_else(|| panic!("{file}: {line}"));
            section.cases.push(Case {
                expression: expression.trim().into(),
                parameters: parameters.clone(),
                expected: expected_of(expected.trim()),
            });
        }
    }
    sections
}

fn object(text: &str) -> Map<String, Json> {
    match serde_json::from_str(text) {
        Ok(Json::Object(map)) => map,
        other => panic!("{text}: {other:?}"),
    }
}

fn expected_of(text: &str) -> Expected {
    match text.strip_prefix("error ").and_then(|rest| rest.split_once(": ")) {
        Some((position, message)) => Expected::Error(position.parse().expect("a position"), message.into()),
        None => Expected::Rows(text.split_whitespace().map(str::to_owned).collect()),
    }
}
