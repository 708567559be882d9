//! A batch of rows: JSON objects as datums, a column for each field.

use super::catalog::{self, Collection, Column};
use super::sql::jsonb;
use super::table::{INSERTED_AT, META, PARTITION};
use super::value::{self, Fault, Values};
use kite_json::{Kind, Reader};
use kite_schema::{Code, DataType, Error, Result};
use pgrx::pg_sys::Datum;
use pgrx::{PgTryBuilder, pg_sys::panic::CaughtError};
use serde_json::Value;
use std::cell::Cell as Shared;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

/// What a row says of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell {
    /// Nothing.
    Missing,
    /// That it has its default: the field has one, and null was given.
    Default,
    /// Null.
    Null,
    /// This value.
    Value(Datum),
}

impl Cell {
    /// Whether the row says anything.
    pub(super) fn is_given(self) -> bool {
        !matches!(self, Self::Missing)
    }
}

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// New rows: keys that the server makes must not be given.
    Insert,
    /// Rows in place of others: each has a key, and none twice.
    Upsert,
    /// The same, in which fields may be missing.
    Partial,
}

/// Rows of a collection, in their order.
pub(super) struct Batch<'a> {
    /// The collection.
    pub(super) collection: &'a Collection,
    /// The number of the column `"$meta"`; 0 where there is none.
    pub(super) meta: i16,
    cells: Vec<Cell>,
    count: usize,
    verb: Verb,
}

/// Which row and which field are being read.
type Place<'a> = Shared<(usize, &'a str)>;

impl<'a> Batch<'a> {
    /// A batch without rows.
    ///
    /// # Errors
    /// Where a column no longer has the type of its field.
    pub(super) fn new(collection: &'a Collection, verb: Verb) -> Result<Self> {
        let types = catalog::types_schema();
        for column in &collection.fields {
            value::check_column(column, &types)?;
        }
        let meta = if collection.is_dynamic { catalog::column_number(collection.oid, META) } else { 0 };
        Ok(Self { collection, meta, cells: Vec::new(), count: 0, verb })
    }

    /// Columns of a row: those of the fields in their order, then `"$meta"`.
    pub(super) fn width(&self) -> usize {
        self.collection.fields.len() + usize::from(self.meta > 0)
    }

    /// The column of a place in a row; `None` is `"$meta"`.
    pub(super) fn column(&self, place: usize) -> Option<&'a Column> {
        self.collection.fields.get(place)
    }

    /// Where the primary key stands in a row.
    pub(super) fn primary(&self) -> Result<usize> {
        let place = self.collection.fields.iter().position(|column| column.field.is_primary);
        place.ok_or_else(|| {
            Error::new(
                Code::CollectionIllegalSchema,
                format!("collection {} has lost its primary key", self.collection.name),
            )
        })
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// What a row says.
    pub(super) fn cell(&self, row: usize, place: usize) -> Cell {
        self.cells[row * self.width() + place]
    }

    /// Changes what a row says.
    pub(super) fn set(&mut self, row: usize, place: usize, cell: Cell) {
        let width = self.width();
        self.cells[row * width + place] = cell;
    }

    /// Adds a row that says nothing.
    pub(super) fn add(&mut self) -> Result<()> {
        let width = self.width();
        if self.cells.try_reserve(width).is_err() {
            return Err(Error::new(Code::ParameterTooLarge, "the batch has too many rows for the memory"));
        }
        self.cells.extend(std::iter::repeat_n(Cell::Missing, width));
        self.count += 1;
        Ok(())
    }

    /// Reads rows from a JSON array of objects, or a single object: new ones, or with `filled`, more fields of the rows that are there.
    ///
    /// # Errors
    /// What is wrong, in which field of which row. Rows count from 0.
    pub(super) fn read(&mut self, text: &str, filled: bool) -> Result<()> {
        let place = Place::new((0, ""));
        // A refusal of the server (of a timestamp, of numbers that `jsonb` does not take) is given its place, too.
        let read = PgTryBuilder::new(AssertUnwindSafe(|| self.rows(text, filled, &place)));
        let read = read.catch_others(|error| match error {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                if is_about_data(report.sql_error_code()) =>
            {
                Err(Fault(Error::invalid(report.message())))
            }
            other => other.rethrow(),
        });
        read.execute().map_err(|Fault(error)| located(error, place.get()))
    }

    fn rows(&mut self, text: &str, filled: bool, place: &Place<'a>) -> std::result::Result<(), Fault> {
        let mut reader = Reader::new(text);
        let mut values = Values::default();
        let (rows, mut read) = (self.count, 0);
        let mut each = |reader: &mut Reader<'_>, row: usize| {
            place.set((row, ""));
            read = row + 1;
            if !filled {
                self.add()?;
            } else if row >= rows {
                return Err(Fault(Error::invalid(format!("there are only {rows} ids or vectors"))));
            }
            if row.is_multiple_of(256) {
                pgrx::check_for_interrupts!();
            }
            if reader.kind()? != Kind::Object {
                return Err(Fault(Error::invalid(
                    "wrong type of argument 'data', expected an object of fields",
                )));
            }
            self.row(reader, row, &mut values, place)
        };
        if reader.kind()? == Kind::Object {
            each(&mut reader, 0)?;
        } else {
            reader.array(&mut each)?;
        }
        reader.end()?;
        if filled && read < rows {
            return Err(Fault(Error::invalid(format!("only {read} of {rows} rows have a rest"))));
        }
        Ok(())
    }

    fn row(
        &mut self,
        reader: &mut Reader<'_>,
        row: usize,
        values: &mut Values,
        place: &Place<'a>,
    ) -> std::result::Result<(), Fault> {
        let fields = &self.collection.fields;
        let mut dynamic = String::new();
        // Rows are mostly alike: the next key is the next field.
        let mut next = 0;
        reader.object(|reader, key| -> std::result::Result<(), Fault> {
            let is = |column: &Column| column.field.name == key;
            let found = fields.get(next).filter(|column| is(column)).map(|_| next);
            let Some(at) = found.or_else(|| fields.iter().position(is)) else {
                place.set((row, ""));
                return self.dynamic(key, reader.skip()?, &mut dynamic);
            };
            next = at + 1;
            let field = &fields[at].field;
            place.set((row, &field.name));
            if self.cell(row, at).is_given() {
                return Err(Fault(Error::invalid("given twice")));
            }
            let cell = if !reader.null()? {
                Cell::Value(values.read(reader, field)?)
            } else if field.default_value.is_some() {
                Cell::Default
            } else {
                Cell::Null
            };
            self.set(row, at, cell);
            Ok(())
        })?;
        if !dynamic.is_empty() {
            dynamic.push('}');
            place.set((row, META));
            self.set(row, fields.len(), Cell::Value(jsonb(&dynamic)));
        }
        self.check_row(row, place)?;
        // What comes behind the row is no matter of its last field.
        place.set((row, ""));
        Ok(())
    }

    /// Adds a key that no field has.
    fn dynamic(&self, key: &str, value: &str, keys: &mut String) -> std::result::Result<(), Fault> {
        if self.meta == 0 {
            return Err(Fault(Error::invalid(format!(
                "Attempt to insert an unexpected field `{key}` to collection without enabling dynamic field"
            ))));
        }
        if [META, PARTITION, INSERTED_AT].contains(&key) {
            return Err(Fault(Error::invalid(format!("`{key}` cannot be the name of a dynamic field"))));
        }
        keys.push(if keys.is_empty() { '{' } else { ',' });
        keys.push_str(&Value::from(key).to_string());
        keys.push(':');
        keys.push_str(value);
        Ok(())
    }

    /// Checks the key of a row, nulls, and unless the verb allows it, that nothing is missing.
    pub(super) fn check_row(&self, row: usize, place: &Place<'a>) -> std::result::Result<(), Fault> {
        for (at, column) in self.collection.fields.iter().enumerate() {
            let (field, cell) = (&column.field, self.cell(row, at));
            place.set((row, &field.name));
            let refuse = |message: String| Err(Fault(Error::invalid(message)));
            match cell {
                Cell::Null if !field.nullable => {
                    return refuse(format!("the value of field {} should not be null", field.name));
                }
                Cell::Value(_) if self.verb == Verb::Insert && field.auto_id && !self.allows_ids() => {
                    return refuse(format!(
                        "the value of field {} is made by the server (auto_id) and cannot be given",
                        field.name
                    ));
                }
                Cell::Missing if field.is_primary && self.verb != Verb::Insert => {
                    return refuse("an upsert needs the primary key of each row".into());
                }
                Cell::Missing if self.verb != Verb::Partial => self.check_missing(column)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_missing(&self, column: &Column) -> std::result::Result<(), Fault> {
        if column.field.nullable || catalog::has_default(self.collection.oid, column.number) {
            return Ok(());
        }
        Err(Fault(Error::invalid(format!(
            "Insert missed an field `{}` to collection without set nullable==true or set default_value",
            column.field.name
        ))))
    }

    /// Checks that rows which are new are whole.
    ///
    /// # Errors
    /// Names the first field that is missing.
    pub(super) fn check_whole(&self, rows: &[usize]) -> Result<()> {
        for &row in rows {
            for (at, column) in self.collection.fields.iter().enumerate() {
                if !self.cell(row, at).is_given() {
                    self.check_missing(column)
                        .map_err(|Fault(error)| located(error, (row, &column.field.name)))?;
                }
            }
        }
        Ok(())
    }

    fn allows_ids(&self) -> bool {
        match self.collection.properties.get("allow_insert_auto_id") {
            Some(Value::Bool(allows)) => *allows,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Checks rows that came without JSON.
    ///
    /// # Errors
    /// What is wrong with a field of a row.
    pub(super) fn check(&self) -> Result<()> {
        let place = Place::new((0, ""));
        (0..self.count)
            .try_for_each(|row| self.check_row(row, &place))
            .map_err(|Fault(error)| located(error, place.get()))
    }

    /// The primary keys of rows as values; null where the server makes them.
    pub(super) fn keys(&self) -> Result<Vec<Value>> {
        let at = self.primary()?;
        let is_integer = self.collection.fields[at].field.data_type == DataType::Int64;
        Ok((0..self.count)
            .map(|row| match self.cell(row, at) {
                // SAFETY: a datum of the column's type, which `check_column` has found to be the field's.
                Cell::Value(datum) => unsafe { key(datum, is_integer) },
                _ => Value::Null,
            })
            .collect())
    }

    /// Refuses a batch in which two rows have the same key: which of them should win?
    pub(super) fn check_unique(&self, keys: &[Value]) -> Result<()> {
        let mut seen = HashSet::with_capacity(keys.len());
        match keys.iter().position(|key| !key.is_null() && !seen.insert(key)) {
            None => Ok(()),
            Some(row) => {
                let name = &self.collection.fields[self.primary()?].field.name;
                let message = "duplicate primary keys are not allowed in the same batch";
                Err(located(Error::invalid(message), (row, name)))
            }
        }
    }
}

/// A primary key as a value.
///
/// # Safety
/// The datum is a `bigint`, or a `text` or `varchar`.
pub(super) unsafe fn key(datum: Datum, is_integer: bool) -> Value {
    use pgrx::FromDatum;
    // SAFETY: the caller's promise.
    unsafe {
        if is_integer {
            i64::from_datum(datum, false).into()
        } else {
            String::from_datum(datum, false).into()
        }
    }
}

/// An error with its place.
pub(super) fn located(error: Error, (row, field): (usize, &str)) -> Error {
    let place = if field.is_empty() { format!("row {row}") } else { format!("row {row}: field \"{field}\"") };
    Error { message: format!("{place}: {}", error.message), ..error }
}

/// Classes 22 (data exceptions) and 54 (limits), and what JSON raises beside them.
fn is_about_data(code: pgrx::PgSqlErrorCode) -> bool {
    let sqlstate = code as i32;
    let class = |letters: &[u8; 2]| {
        (i32::from(letters[0] - b'0') & 0x3F) | ((i32::from(letters[1] - b'0') & 0x3F) << 6)
    };
    let of = sqlstate & 0xFFF;
    of == class(b"22") || of == class(b"54")
}
