//! Reads NumPy's `.npy` files of half precision.

use anyhow::{Context, Result, ensure};
use half::f16;

/// A two-dimensional array in row order.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    /// Values of a row.
    pub(crate) columns: usize,
    values: Vec<f16>,
}

impl Rows {
    /// Reads a file's bytes: little-endian float16, two dimensions, C order.
    pub(crate) fn read(file: &[u8]) -> Result<Self> {
        let (header, body) = split(file).context("not a NumPy file")?;
        let field = |name: &str| header.split_once(&format!("'{name}':")).map(|(_, rest)| rest.trim_start());
        ensure!(field("descr").is_some_and(|kind| kind.starts_with("'<f2'")), "not float16: {header}");
        ensure!(
            field("fortran_order").is_some_and(|order| order.starts_with("False")),
            "not in C order: {header}"
        );
        let shape =
            field("shape").and_then(|shape| shape.strip_prefix('(')?.split_once(')')).map(|(shape, _)| shape);
        let sizes: Vec<usize> = shape
            .context("no shape")?
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("a shape of numbers is expected: {header}"))?;
        let &[rows, columns] = sizes.as_slice() else { anyhow::bail!("not two-dimensional: {header}") };
        let (pairs, rest) = body.as_chunks::<2>();
        ensure!(
            rest.is_empty() && columns > 0 && rows.checked_mul(columns) == Some(pairs.len()),
            "{} bytes do not hold {rows} × {columns} values",
            body.len()
        );
        Ok(Self { columns, values: pairs.iter().map(|pair| f16::from_le_bytes(*pair)).collect() })
    }

    /// The rows, first to last.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[f16]> {
        self.values.chunks_exact(self.columns)
    }
}

/// Header text and data. The header's length takes two bytes in version 1 of the format and four afterwards.
fn split(file: &[u8]) -> Option<(&str, &[u8])> {
    let (version, rest) = file.strip_prefix(b"\x93NUMPY")?.split_first_chunk::<2>()?;
    let (length, rest) = match version {
        [1, _] => {
            rest.split_first_chunk().map(|(length, rest)| (u32::from(u16::from_le_bytes(*length)), rest))
        }
        [2 | 3, _] => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length), rest)),
        _ => None,
    }?;
    let (header, body) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((str::from_utf8(header).ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, values: &[f32]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()));
        bytes
    }

    #[test]
    fn rows_come_in_order() {
        let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }   \n";
        let rows = Rows::read(&file(header, &[1.0, -0.5, 0.0, 65504.0, 2.0, 3.0])).unwrap();
        let found: Vec<Vec<f32>> =
            rows.iter().map(|row| row.iter().map(|value| value.to_f32()).collect()).collect();
        assert_eq!(found, [[1.0, -0.5, 0.0], [65504.0, 2.0, 3.0]]);
    }

    #[test]
    fn anything_else_is_refused() {
        for (header, values) in [
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", 2),
            ("{'descr': '<f2', 'fortran_order': True, 'shape': (1, 2), }", 2),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", 2),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }", 3),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (1, x), }", 2),
            ("{'descr': '<f2', 'fortran_order': False, }", 2),
        ] {
            assert!(Rows::read(&file(header, &vec![0.0; values])).is_err(), "{header}");
        }
        assert!(Rows::read(b"\x93NUMPY\x01\x00\xff\xff{}").is_err());
        assert!(Rows::read(b"").is_err());
    }
}
