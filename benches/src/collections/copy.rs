//! Rows as binary COPY has them, made beforehand so that only the server's work is timed.

use anyhow::Result;

/// What begins a binary COPY: the signature, no flags, no extension of the header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Rows of a `bigint`, a `vector` and perhaps a `text`, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Binary(Vec<u8>);

impl Binary {
    pub(super) fn new() -> Self {
        Self(HEADER.to_vec())
    }

    /// Adds a row; either all have a title or none.
    pub(super) fn row(&mut self, id: i64, vector: &[f32], title: Option<&str>) -> Result<()> {
        let mut number = |bytes: &[u8]| self.0.extend_from_slice(bytes);
        number(&(2 + i16::from(title.is_some())).to_be_bytes());
        number(&8_i32.to_be_bytes());
        number(&id.to_be_bytes());
        number(&i32::try_from(4 + 4 * vector.len())?.to_be_bytes());
        number(&i16::try_from(vector.len())?.to_be_bytes());
        number(&0_i16.to_be_bytes());
        vector.iter().for_each(|x| number(&x.to_be_bytes()));
        if let Some(title) = title {
            number(&i32::try_from(title.len())?.to_be_bytes());
            number(title.as_bytes());
        }
        Ok(())
    }

    /// The rows with what ends them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_fields_with_their_lengths() -> Result<()> {
        let mut rows = Binary::new();
        rows.row(7, &[1.0], Some("a"))?;
        let bytes = rows.finish();
        let key = [0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7];
        let rest = [0, 0, 0, 8, 0, 1, 0, 0, 0x3f, 0x80, 0, 0, 0, 0, 0, 1, b'a', 0xff, 0xff];
        assert_eq!(bytes[HEADER.len()..], [&key[..], &rest].concat());
        Ok(())
    }
}
