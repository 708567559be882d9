//! Rows that lie in a file one after another.

use super::hash::Hash;
use super::{BLOCK, Rows};
use anyhow::{Context, Result, ensure};
use half::f16;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The type of a stored number, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F16,
    F32,
    F64,
    U8,
    I8,
}

impl Number {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::U8 | Self::I8 => 1,
        }
    }

    /// Converts as many numbers as `out` holds, rounding those of double precision.
    fn convert(self, bytes: &[u8], out: &mut [f32]) {
        fn each<const N: usize>(bytes: &[u8], out: &mut [f32], number: impl Fn([u8; N]) -> f32) {
            let (numbers, _) = bytes.as_chunks::<N>();
            out.iter_mut().zip(numbers).for_each(|(out, &bytes)| *out = number(bytes));
        }
        match self {
            Self::F16 => each(bytes, out, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::F32 => each(bytes, out, f32::from_le_bytes),
            Self::F64 => each(bytes, out, |bytes| f64::from_le_bytes(bytes) as f32),
            Self::U8 => each(bytes, out, |[byte]| f32::from(byte)),
            Self::I8 => each(bytes, out, |[byte]| f32::from(byte.cast_signed())),
        }
    }
}

/// Where the numbers of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes before the first row.
    pub(super) start: u64,
    /// Bytes before the numbers of each row.
    pub(super) skip: usize,
    pub(super) number: Number,
    pub(super) dims: usize,
    pub(super) len: usize,
}

impl Layout {
    fn stride(&self) -> usize {
        self.skip + self.dims * self.number.bytes()
    }

    /// Bytes of a file with this layout, if they can be counted.
    pub(super) fn bytes(&self) -> Option<u64> {
        let row = self.dims.checked_mul(self.number.bytes())?.checked_add(self.skip)?;
        u64::try_from(row.checked_mul(self.len)?).ok()?.checked_add(self.start)
    }
}

/// A file whose layout is known.
#[derive(Debug)]
pub(super) struct Flat {
    path: PathBuf,
    file: File,
    layout: Layout,
}

impl Flat {
    pub(super) fn new(path: &Path, file: File, layout: Layout) -> Self {
        Self { path: path.into(), file, layout }
    }
}

impl Rows for Flat {
    fn dims(&self) -> usize {
        self.layout.dims
    }

    fn len(&self) -> usize {
        self.layout.len
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let Layout { start, skip, number, dims, .. } = self.layout;
        let stride = self.layout.stride();
        let mut bytes = Vec::new();
        let rows = (BLOCK / dims).max(1);
        for (n, out) in out.chunks_mut(rows * dims).enumerate() {
            bytes.resize(out.len() / dims * stride, 0);
            let place = start + ((first + n * rows) as u64) * stride as u64;
            self.file
                .read_exact_at(&mut bytes, place)
                .with_context(|| format!("cannot read {} at byte {place}", self.path.display()))?;
            for (row, (bytes, out)) in bytes.chunks_exact(stride).zip(out.chunks_exact_mut(dims)).enumerate()
            {
                // What comes before the numbers of a row repeats their count.
                let said = bytes[..skip].try_into().map_or(dims, |said| u32::from_le_bytes(said) as usize);
                ensure!(
                    said == dims,
                    "{}: row {} has {said} dimensions, the first has {dims}",
                    self.path.display(),
                    first + n * rows + row
                );
                number.convert(&bytes[skip..], out);
            }
        }
        Ok(())
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        identify(&self.path, &self.file, hash)
    }
}

/// Adds size, time of change and some blocks of a file.
pub(super) fn identify(path: &Path, file: &File, hash: &mut Hash) -> Result<()> {
    const BLOCKS: u64 = 64;
    let about = || format!("cannot read {}", path.display());
    let meta = file.metadata().with_context(about)?;
    let changed = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    hash.number(meta.len()).number(changed.map_or(0, |changed| changed.as_nanos() as u64));
    let mut block = [0; 4096];
    for n in 0..BLOCKS {
        let place = meta.len().saturating_sub(block.len() as u64) / (BLOCKS - 1) * n;
        let bytes = usize::try_from(meta.len() - place)?.min(block.len());
        file.read_exact_at(&mut block[..bytes], place).with_context(about)?;
        hash.bytes(&block[..bytes]);
    }
    Ok(())
}
