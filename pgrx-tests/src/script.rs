//! Runs sqllogictest scripts on a PostgreSQL server.

use std::path::Path;

use postgres::{Client, SimpleQueryMessage};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner, TestError};

/// One session as sqllogictest sees it: statements in the simple protocol, so that every value is printed by
/// its type's output function.
pub struct Session {
    client: Client,
    engine: &'static str,
}

impl Session {
    /// Wraps an open connection. `engine` is what `onlyif` and `skipif` in scripts compare with.
    #[must_use]
    pub fn new(client: Client, engine: &'static str) -> Self {
        Self { client, engine }
    }
}

/// An error as scripts spell it: `SQLSTATE: message`, then `DETAIL:` and `HINT:` lines where there are any.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct SqlError {
    text: String,
}

/// What scripts compare an error with; a lost connection has no SQLSTATE and is printed as the driver says it.
#[must_use]
pub fn describe(error: &postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        return format!("no SQLSTATE: {error}");
    };
    let mut text = format!("{}: {}", db.code().code(), db.message());
    for (label, part) in [("DETAIL", db.detail()), ("HINT", db.hint())] {
        if let Some(part) = part {
            text.push_str(&format!("\n{label}: {part}"));
        }
    }
    text
}

impl From<postgres::Error> for SqlError {
    fn from(error: postgres::Error) -> Self {
        Self { text: describe(&error) }
    }
}

impl DB for Session {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let mut affected = 0;
        let mut table: Option<(usize, Vec<Vec<String>>)> = None;
        for message in self.client.simple_query(sql)? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => table = Some((columns.len(), Vec::new())),
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|i| cell(row.get(i))).collect();
                    if let Some((_, rows)) = &mut table {
                        rows.push(cells);
                    }
                }
                SimpleQueryMessage::CommandComplete(n) => affected = n,
                _ => {}
            }
        }
        Ok(match table {
            Some((columns, rows)) => DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows },
            None => DBOutput::StatementComplete(affected),
        })
    }

    fn engine_name(&self) -> &str {
        self.engine
    }
}

/// NULL and the empty string must differ in a script, and no value may look like a line break.
fn cell(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.replace('\n', "\\n"),
    }
}

/// A runner that compares rows character by character and counts columns.
fn runner(
    connect: impl Fn() -> Result<Session, SqlError> + 'static,
) -> Runner<Session, impl sqllogictest::MakeConnection<Conn = Session>> {
    let mut runner = Runner::new(move || {
        let session = connect();
        async move { session }
    });
    runner.with_normalizer(String::clone);
    runner.with_column_validator(|actual, expected| actual.len() == expected.len());
    runner
}

/// Runs one script; `connect` opens the sessions it asks for.
///
/// # Errors
/// The first record whose outcome is not the expected one.
pub fn run_script(
    path: &Path,
    connect: impl Fn() -> Result<Session, SqlError> + 'static,
) -> Result<(), TestError> {
    runner(connect).run_file(path)
}

/// The statements of a plain dump, without comments and without the key that each dump invents anew.
#[must_use]
pub fn dump_statements(dump: &str) -> Vec<&str> {
    let says_nothing =
        |line: &&str| ["--", "\\restrict ", "\\unrestrict "].iter().any(|start| line.starts_with(start));
    dump.lines().filter(|line| !says_nothing(line)).collect()
}
