//! `kite.insert` with keys and vectors as arrays of SQL types: nothing is parsed but what else a row has.

use super::{insert_batch, open, partition};
use crate::call::Call;
use crate::collections::batch::{Batch, Cell, Verb, located};
use crate::collections::spi;
use crate::collections::value::half_vector;
use crate::plain::Plain;
use kite_schema::{DataType, Error, Result};
use pgrx::JsonB;
use pgrx::pg_sys::{self, Datum};

export! { Error;
    "kite_insert_arrays" => insert,
}

fn insert(call: &Call) -> Result<JsonB> {
    let collection = open(call)?;
    let partition = partition(call, 4, &collection)?;
    spi::connect(|spi| {
        let mut batch = Batch::new(&collection, Verb::Insert)?;
        let (ids, vectors) = (elements(call, 1), elements(call, 2));
        if let (Some(ids), Some(vectors)) = (&ids, &vectors)
            && ids.len() != vectors.len()
        {
            return Err(Error::invalid(format!("there are {} ids and {} vectors", ids.len(), vectors.len())));
        }
        let count = ids.as_ref().or(vectors.as_ref()).map_or(0, Vec::len);
        for _ in 0..count {
            batch.add()?;
        }
        if let Some(ids) = ids {
            let place = batch.primary()?;
            check_key_type(&batch, place, call)?;
            for (row, id) in ids.into_iter().enumerate() {
                batch.set(row, place, id.map_or(Cell::Null, Cell::Value));
            }
        }
        if let Some(vectors) = vectors {
            let place = vector_field(&batch)?;
            for (row, vector) in vectors.into_iter().enumerate() {
                let cell = vector.map_or(Ok(Cell::Null), |vector| cell(&batch, place, row, vector))?;
                batch.set(row, place, cell);
            }
        }
        match call.get::<String>(3) {
            Some(rest) => batch.read(&rest, true)?,
            None => batch.check()?,
        }
        insert_batch(spi, &mut batch, partition.as_deref())
    })
}

/// The elements of an array argument; `None` where it is NULL.
fn elements(call: &Call, argument: usize) -> Option<Vec<Option<Datum>>> {
    if call.is_null(argument) {
        return None;
    }
    // SAFETY: the SQL declaration types the argument as an array; detoasting makes it plain. What is taken from it points into it, and
    // it stays as long as SPI's connection, whose memory it is in, or the call.
    unsafe {
        let array: *mut pg_sys::ArrayType =
            pg_sys::pg_detoast_datum(call.datum(argument).cast_mut_ptr()).cast();
        let kind = (*array).elemtype;
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(kind, &raw mut length, &raw mut by_value, &raw mut alignment);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            kind,
            i32::from(length),
            by_value,
            alignment,
            &raw mut values,
            &raw mut nulls,
            &raw mut count,
        );
        let value = |place| (!*nulls.add(place)).then_some(*values.add(place));
        Some((0..usize::try_from(count).unwrap_or(0)).map(value).collect())
    }
}

/// The array of keys is of the type of the primary key.
fn check_key_type(batch: &Batch<'_>, place: usize, call: &Call) -> Result<()> {
    let Some(column) = batch.column(place) else { return Ok(()) };
    // SAFETY: the argument is an array that is not NULL; detoasting makes it plain.
    let kind = unsafe {
        let array: *mut pg_sys::ArrayType = pg_sys::pg_detoast_datum(call.datum(1).cast_mut_ptr()).cast();
        (*array).elemtype
    };
    let is_integer = kind == pg_sys::INT8OID;
    if is_integer == (column.field.data_type == DataType::Int64) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the ids are {}, and the type of field {} is {}",
        if is_integer { "bigint" } else { "text" },
        column.field.name,
        column.field.data_type.label()
    )))
}

/// The field that vectors go to: the first vector field.
fn vector_field(batch: &Batch<'_>) -> Result<usize> {
    let fields = &batch.collection.fields;
    let place = fields.iter().position(|column| column.field.data_type.is_vector());
    let place = place.ok_or_else(|| Error::invalid("the collection has no vector field"))?;
    match fields[place].field.data_type {
        DataType::FloatVector | DataType::BFloat16Vector | DataType::Float16Vector => Ok(place),
        other => Err(Error::invalid(format!(
            "vectors of type vector do not fit field {}, which is a {}",
            fields[place].field.name,
            other.label()
        ))),
    }
}

fn cell(batch: &Batch<'_>, place: usize, row: usize, vector: Datum) -> Result<Cell> {
    let Some(column) = batch.column(place) else { return Ok(Cell::Null) };
    let field = &column.field;
    let fault = |message: String| located(Error::invalid(message), (row, &field.name));
    // SAFETY: an element of a `vector[]`, which stays as long as the call.
    let plain = unsafe { Plain::of(vector) };
    let floats = plain.dense::<f32>().map_err(|error| fault(error.to_string()))?;
    let dim = field.dim.map_or(0, |dim| dim as usize);
    if floats.len() != dim {
        return Err(fault(format!(
            "the dim ({}) of field data({}) is not equal to schema dim ({dim})",
            floats.len(),
            field.name
        )));
    }
    if field.data_type != DataType::Float16Vector {
        return Ok(Cell::Value(vector));
    }
    half_vector(floats).map(Cell::Value).map_err(|error| fault(error.0.message))
}
