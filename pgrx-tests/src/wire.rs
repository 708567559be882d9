//! Values as clients send them, byte by byte, without a driver's help.

use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type};
use std::error::Error;

/// The binary format of a `vector`.
#[must_use]
pub fn vector(values: &[f32]) -> Vec<u8> {
    dense(values.iter().map(|value| value.to_be_bytes()))
}

/// The binary format of a `halfvec`, from the bits of its elements.
#[must_use]
pub fn halfvec(bits: &[u16]) -> Vec<u8> {
    dense(bits.iter().map(|half| half.to_be_bytes()))
}

/// The binary format of a `sparsevec`. Indices count from 0.
#[must_use]
pub fn sparsevec(dimensions: i32, elements: &[(i32, f32)]) -> Vec<u8> {
    let count = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    let mut bytes: Vec<u8> = [dimensions, count, 0].iter().flat_map(|field| field.to_be_bytes()).collect();
    bytes.extend(elements.iter().flat_map(|(index, _)| index.to_be_bytes()));
    bytes.extend(elements.iter().flat_map(|(_, value)| value.to_be_bytes()));
    bytes
}

fn dense<const N: usize>(elements: impl ExactSizeIterator<Item = [u8; N]>) -> Vec<u8> {
    let dimensions = u16::try_from(elements.len()).unwrap_or(u16::MAX);
    let mut bytes = dimensions.to_be_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(elements.flatten());
    bytes
}

/// Bytes that pass for a value of any type, in binary format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(
    /// The value's bytes.
    pub Vec<u8>,
);

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The file that `COPY … FROM STDIN (FORMAT binary)` reads, of one column.
#[must_use]
pub fn copy_file<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
    let mut file = b"PGCOPY\n\xff\r\n\0".to_vec();
    file.extend([0; 8]);
    for field in fields {
        file.extend(1_i16.to_be_bytes());
        let length = field.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        file.extend(length.to_be_bytes());
        file.extend(field.unwrap_or_default());
    }
    file.extend((-1_i16).to_be_bytes());
    file
}
