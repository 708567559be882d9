//! JSON values as datums of columns, by the type of the field. Vectors go from the text straight into their datum.

use super::catalog::{self, Column};
use super::sql::jsonb;
use crate::datum::{new_bit, new_dense, new_sparse};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use half::f16;
use kite_json::{Kind, Reader};
use kite_schema::{Code, DataType, Error, Field};
use kite_vectors::sparse::{MAX_ELEMENTS, SparseBuf};
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{IntoDatum, direct_function_call_as_datum};
use std::ffi::CString;

/// What is wrong with a value; who calls knows the row and the field.
pub(super) struct Fault(pub(super) Error);

impl From<kite_json::Error> for Fault {
    fn from(error: kite_json::Error) -> Self {
        Self(Error::invalid(error.to_string()))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<kite_vectors::Error> for Fault {
    fn from(error: kite_vectors::Error) -> Self {
        Self(Error::invalid(error.to_string()))
    }
}

type Result<T> = std::result::Result<T, Fault>;

fn fault<T>(message: impl Into<String>) -> Result<T> {
    Err(Fault(Error::invalid(message)))
}

/// Reads values, and keeps what they share.
#[derive(Default)]
pub(super) struct Values {
    floats: Vec<f32>,
}

impl Values {
    /// Reads a value of a field, which is no null.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
        Ok(match field.data_type {
            DataType::FloatVector | DataType::BFloat16Vector => self.vector(reader, field)?,
            DataType::Float16Vector | DataType::Int8Vector => self.half_vector(reader, field)?,
            DataType::SparseFloatVector => sparse(reader, field)?,
            DataType::BinaryVector => self.bits(reader, field)?,
            DataType::Array => array(reader, field)?,
            DataType::Json => jsonb(reader.skip()?),
            DataType::Timestamptz => timestamp(&reader.string()?)?,
            other => scalar(reader, other, field)?,
        })
    }

    /// The numbers of a dense vector, as many as the field has dimensions.
    fn floats(&mut self, reader: &mut Reader<'_>, field: &Field) -> Result<()> {
        let dim = dim(field);
        self.floats.clear();
        let count = reader.floats(&mut self.floats, dim)?;
        if count == dim { Ok(()) } else { wrong_dim(field, count) }
    }

    fn vector(&mut self, reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
        self.floats(reader, field)?;
        let floats = &self.floats;
        Ok(new_dense::<f32>(floats.len(), |out| {
            out.copy_from_slice(floats);
            Ok(())
        })?)
    }

    fn half_vector(&mut self, reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
        self.floats(reader, field)?;
        let is_int8 = |x: &f32| x.fract() == 0.0 && (-128.0..=127.0).contains(x);
        if field.data_type == DataType::Int8Vector && !self.floats.iter().all(is_int8) {
            return fault("its elements should be whole numbers from -128 to 127");
        }
        half_vector(&self.floats)
    }

    /// Bytes as numbers or as base64, or bits as numbers or digits.
    fn bits(&mut self, reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
        let dim = dim(field);
        let bytes = if reader.kind()? == Kind::String {
            let text = reader.string()?;
            if text.len() == dim && text.bytes().all(|digit| matches!(digit, b'0' | b'1')) {
                pack(text.bytes().map(|digit| digit == b'1'))
            } else {
                match BASE64_STANDARD.decode(text.as_bytes()) {
                    Ok(bytes) if bytes.len() == dim / 8 => bytes,
                    Ok(bytes) => return wrong_dim(field, bytes.len() * 8),
                    Err(_) => return fault(format!("expected {dim} binary digits, or bytes in base64")),
                }
            }
        } else {
            self.floats.clear();
            let count = reader.floats(&mut self.floats, dim)?;
            let whole = |most: f32| self.floats.iter().all(|x| x.fract() == 0.0 && (0.0..=most).contains(x));
            if count == dim / 8 {
                if !whole(255.0) {
                    return fault("its bytes should be whole numbers from 0 to 255");
                }
                self.floats.iter().map(|&byte| byte as u8).collect()
            } else if count == dim {
                if !whole(1.0) {
                    return fault("its bits should be 0 or 1");
                }
                pack(self.floats.iter().map(|&bit| bit == 1.0))
            } else {
                return wrong_dim(field, count * 8);
            }
        };
        Ok(new_bit(dim, |out| out.copy_from_slice(&bytes)))
    }
}

fn dim(field: &Field) -> usize {
    field.dim.map_or(0, |dim| dim as usize)
}

fn wrong_dim<T>(field: &Field, found: usize) -> Result<T> {
    fault(format!(
        "the dim ({found}) of field data({}) is not equal to schema dim ({})",
        field.name,
        dim(field)
    ))
}

/// Single precision as a `halfvec`.
pub(super) fn half_vector(floats: &[f32]) -> Result<Datum> {
    Ok(new_dense::<f16>(floats.len(), |out| {
        kite_vectors::dense::narrow(kite_kernels::kernels(), floats, out)
    })?)
}

fn pack(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, bit) in bits.enumerate() {
        if place % 8 == 0 {
            bytes.push(0);
        }
        if let Some(byte) = bytes.last_mut() {
            *byte |= u8::from(bit) << (7 - place % 8);
        }
    }
    bytes
}

/// A sparse vector: `{"index": value}`, or `{"indices": [...], "values": [...]}`. Indices count from 0.
fn sparse(reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
    let dims = dim(field);
    let mut elements: Vec<(i32, f32)> = Vec::new();
    let (mut indices, mut values) = (None, None);
    reader.object(|reader, key| -> Result<()> {
        match key {
            "indices" => {
                let mut list = Vec::new();
                reader.array(|reader, place| {
                    check_count(place)?;
                    list.push(index(reader.number()?, dims)?);
                    Ok::<_, Fault>(())
                })?;
                indices = Some(list);
            }
            "values" => {
                let mut list = Vec::new();
                let count = reader.floats(&mut list, MAX_ELEMENTS)?;
                check_count(count.saturating_sub(1))?;
                values = Some(list);
            }
            key => {
                check_count(elements.len())?;
                elements.push((index(key, dims)?, reader.float()?));
            }
        }
        Ok(())
    })?;
    match (indices, values) {
        (None, None) => {}
        (Some(indices), Some(values)) if elements.is_empty() && indices.len() == values.len() => {
            elements = indices.into_iter().zip(values).collect();
        }
        _ => return fault("indices and values of a sparse vector should be arrays of the same length"),
    }
    elements.sort_unstable_by_key(|(index, _)| *index);
    if let Some(twice) = elements.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return fault(format!("index {} of a sparse vector is given twice", twice[0].0));
    }
    elements.retain(|(_, value)| *value != 0.0);
    let (indices, values) = elements.into_iter().unzip();
    Ok(new_sparse(&SparseBuf { dims, indices, values }))
}

fn check_count(place: usize) -> Result<()> {
    if place < MAX_ELEMENTS {
        return Ok(());
    }
    fault(format!("a sparse vector cannot have more than {MAX_ELEMENTS} elements"))
}

fn index(text: &str, dims: usize) -> Result<i32> {
    let index = text.parse::<i32>().ok();
    match index.filter(|index| usize::try_from(*index).is_ok_and(|index| index < dims)) {
        Some(index) => Ok(index),
        None => fault(format!("index {} of a sparse vector is not in 0 ~ {}", quote(text), dims - 1)),
    }
}

/// The beginning of a text for a message.
fn quote(text: &str) -> String {
    text.chars().take(64).collect()
}

fn scalar(reader: &mut Reader<'_>, data_type: DataType, field: &Field) -> Result<Datum> {
    let datum = match data_type {
        DataType::Bool => reader.boolean()?.into_datum(),
        DataType::Float => reader.float()?.into_datum(),
        DataType::Double => {
            let text = reader.number()?;
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => value.into_datum(),
                _ => return fault(format!("{} is out of range of Double", quote(text))),
            }
        }
        DataType::VarChar => {
            let text = reader.string()?;
            let (length, most) = (text.len(), field.max_length.unwrap_or(kite_schema::MAX_LENGTH));
            if length > most as usize {
                return fault(format!(
                    "length of varchar field {} exceeds max length, length: {length}, max length: {most}",
                    field.name
                ));
            }
            text.as_ref().into_datum()
        }
        integer => {
            let value = whole(reader, integer)?;
            match integer {
                DataType::Int8 | DataType::Int16 => i16::try_from(value).ok().into_datum(),
                DataType::Int32 => i32::try_from(value).ok().into_datum(),
                _ => value.into_datum(),
            }
        }
    };
    Ok(datum.unwrap_or_else(Datum::null))
}

/// A whole number in the range of its type; of 64 bits also as a string, since many a reader of JSON has only doubles.
fn whole(reader: &mut Reader<'_>, data_type: DataType) -> Result<i64> {
    let text = match data_type {
        DataType::Int64 if reader.kind()? == Kind::String => reader.string()?,
        _ => reader.number()?.into(),
    };
    let (least, most) = data_type.integer_range().unwrap_or((i64::MIN, i64::MAX));
    match text.parse::<i64>().ok().filter(|value| (least..=most).contains(value)) {
        Some(value) => Ok(value),
        None => fault(format!("{} is not in the range of {}", quote(&text), data_type.label())),
    }
}

fn array(reader: &mut Reader<'_>, field: &Field) -> Result<Datum> {
    let element = field.element_type.unwrap_or(DataType::Int64);
    let most = field.max_capacity.unwrap_or(kite_schema::MAX_CAPACITY) as usize;
    let mut elements = Vec::new();
    reader.array(|reader, place| -> Result<()> {
        if place == most {
            return fault(format!("the length of the array exceeds max capacity ({most})"));
        }
        elements.push(scalar(reader, element, field)?);
        Ok(())
    })?;
    // SAFETY: the elements are datums of the type whose form the catalog tells; they are copied.
    unsafe {
        let kind = scalar_oid(element);
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(kind, &raw mut length, &raw mut by_value, &raw mut alignment);
        let array = pg_sys::construct_array(
            elements.as_mut_ptr(),
            elements.len() as i32,
            kind,
            i32::from(length),
            by_value,
            alignment,
        );
        Ok(Datum::from(array))
    }
}

fn timestamp(text: &str) -> Result<Datum> {
    let Ok(text) = CString::new(text) else { return fault("a timestamp has no U+0000") };
    let arguments =
        [Some(Datum::from(text.as_ptr())), Some(Datum::from(pg_sys::InvalidOid)), Some(Datum::from(-1_i32))];
    // SAFETY: the input function of `timestamptz` takes a string, which it only reads, and two numbers.
    let value = unsafe { direct_function_call_as_datum(pg_sys::timestamptz_in, &arguments) };
    value.map_or_else(|| fault("not a timestamp"), Ok)
}

fn scalar_oid(data_type: DataType) -> Oid {
    match data_type {
        DataType::Bool => pg_sys::BOOLOID,
        DataType::Int8 | DataType::Int16 => pg_sys::INT2OID,
        DataType::Int32 => pg_sys::INT4OID,
        DataType::Float => pg_sys::FLOAT4OID,
        DataType::Double => pg_sys::FLOAT8OID,
        DataType::VarChar => pg_sys::TEXTOID,
        DataType::Json => pg_sys::JSONBOID,
        DataType::Timestamptz => pg_sys::TIMESTAMPTZOID,
        _ => pg_sys::INT8OID,
    }
}

/// Refuses a column that does not hold what is made here: `ALTER TABLE` may have given it any type.
///
/// # Errors
/// Where the column is not of the type that its field has at creation.
pub(super) fn check_column(column: &Column, types: &str) -> kite_schema::Result<()> {
    let field = &column.field;
    let expected = match field.data_type {
        DataType::FloatVector | DataType::BFloat16Vector => catalog::type_oid(types, c"vector"),
        DataType::Float16Vector | DataType::Int8Vector => catalog::type_oid(types, c"halfvec"),
        DataType::SparseFloatVector => catalog::type_oid(types, c"sparsevec"),
        DataType::BinaryVector => pg_sys::BITOID,
        // SAFETY: a catalog look-up.
        DataType::Array => unsafe {
            pg_sys::get_array_type(scalar_oid(field.element_type.unwrap_or(DataType::Int64)))
        },
        other => scalar_oid(other),
    };
    // A `varchar` is a `text` whose length is limited; the table's own limit counts characters.
    let is_text = column.type_oid == pg_sys::VARCHAROID && column.type_modifier < 0;
    // The modifier of a vector's column is its dimensions, that of a bit string its length.
    let fits = !field.data_type.is_vector()
        || column.type_modifier < 0
        || u32::try_from(column.type_modifier).ok() == field.dim;
    if fits && (column.type_oid == expected || (expected == pg_sys::TEXTOID && is_text)) {
        return Ok(());
    }
    Err(Error::new(
        Code::CollectionSchemaMismatch,
        format!(
            "column \"{}\" no longer has the type of field \"{}\" ({})",
            column.name,
            field.name,
            field.data_type.label()
        ),
    ))
}
