//! `.fvecs` and `.bvecs`: each row is its number of dimensions (four bytes, little-endian) and its values.

use super::flat::{Flat, Layout, Number};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// More dimensions than any vector type stores: a count above it means another kind of file.
const MOST_DIMS: usize = 1 << 20;

/// Opens a file of single precision (`Number::F32`, .fvecs) or of bytes (`Number::U8`, .bvecs).
pub(super) fn open(path: &Path, number: Number) -> Result<Flat> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let bytes = file.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
    let mut count = [0; 4];
    file.read_exact_at(&mut count, 0).with_context(|| format!("{} is too short", path.display()))?;
    let dims = u32::from_le_bytes(count) as usize;
    ensure!((1..=MOST_DIMS).contains(&dims), "{}: its first row has {dims} dimensions", path.display());
    let stride = (count.len() + dims * number.bytes()) as u64;
    ensure!(
        bytes.is_multiple_of(stride),
        "{} has {bytes} bytes, not a multiple of {stride} for its {dims} dimensions: copy it again",
        path.display()
    );
    let layout = Layout { start: 0, skip: 4, number, dims, len: usize::try_from(bytes / stride)? };
    Ok(Flat::new(path, file, layout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;

    #[test]
    fn rows_carry_their_dimensions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fvecs");
        let row = |dims: u32, values: [f32; 2]| {
            [dims.to_le_bytes().to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect()].concat()
        };
        let good = [row(2, [1.0, 2.0]), row(2, [3.0, 4.0])].concat();
        std::fs::write(&path, &good).unwrap();
        let rows = open(&path, Number::F32).unwrap();
        let mut out = [0.0; 4];
        rows.read(0, &mut out).unwrap();
        assert_eq!((rows.len(), rows.dims(), out), (2, 2, [1.0, 2.0, 3.0, 4.0]));
        rows.read(1, &mut out[..2]).unwrap();
        assert_eq!(out[..2], [3.0, 4.0]);

        std::fs::write(&path, [row(2, [1.0, 2.0]), row(3, [3.0, 4.0])].concat()).unwrap();
        let error = open(&path, Number::F32).unwrap().read(0, &mut out).unwrap_err().to_string();
        assert!(error.contains("row 1 has 3 dimensions") && error.contains("a.fvecs"), "{error}");
        for bad in [&good[..good.len() - 1], &[0; 8], &[255; 8], &[2]] {
            std::fs::write(&path, bad).unwrap();
            assert!(open(&path, Number::F32).unwrap_err().to_string().contains("a.fvecs"));
        }
        std::fs::write(&path, [3, 0, 0, 0, 7, 8, 255]).unwrap();
        let rows = open(&path, Number::U8).unwrap();
        let mut out = [0.0; 3];
        rows.read(0, &mut out).unwrap();
        assert_eq!((rows.len(), out), (1, [7.0, 8.0, 255.0]));
    }
}
