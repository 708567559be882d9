//! The HDF5 files of ann-benchmarks: `train` and `test`, and the attribute `distance`.

use super::Rows;
use super::flat;
use super::hash::Hash;
use crate::metric::Metric;
use anyhow::{Context, Result, anyhow, bail, ensure};
use hdf5_reader::{Dataset, Datatype, Hdf5File, SliceInfo, SliceInfoElem};
use std::fs::File;
use std::path::{Path, PathBuf};

/// One two-dimensional array of a file.
pub(super) struct Array {
    path: PathBuf,
    array: Dataset,
    /// Bytes of a number.
    bytes: u8,
    len: usize,
    dims: usize,
}

/// What a file of ann-benchmarks holds.
pub(super) struct Parts {
    pub(super) train: Array,
    pub(super) test: Vec<f32>,
    /// None: the file does not say.
    pub(super) metric: Option<Metric>,
}

/// Opens a file with `train` and `test`.
pub(super) fn open(path: &Path) -> Result<Parts> {
    parts(path).with_context(|| format!("{} is no HDF5 file as ann-benchmarks makes them", path.display()))
}

fn parts(path: &Path) -> Result<Parts> {
    let file = Hdf5File::open(path)?;
    let train = Array::open(path, &file, "train")?;
    let test = Array::open(path, &file, "test")?;
    ensure!(train.dims == test.dims, "train has {} dimensions, test has {}", train.dims, test.dims);
    let mut queries = vec![0.0; test.len * test.dims];
    test.read(0, &mut queries)?;
    let metric = match file.root_group()?.attribute("distance") {
        Ok(attribute) => Some(named(&attribute.read_string()?)?),
        Err(_) => None,
    };
    Ok(Parts { train, test: queries, metric })
}

/// The metric by ann-benchmarks' name.
fn named(name: &str) -> Result<Metric> {
    Ok(match name {
        "angular" | "cosine" => Metric::Cosine,
        "euclidean" | "l2" => Metric::L2,
        "ip" | "dot" => Metric::Ip,
        "manhattan" | "l1" => Metric::L1,
        other => bail!("distance {other} is not known; name one with ,metric="),
    })
}

impl Array {
    fn open(path: &Path, file: &Hdf5File, name: &str) -> Result<Self> {
        let array = file.dataset(name).with_context(|| format!("it has no {name}"))?;
        let &[len, dims] = array.shape() else { bail!("{name} has {} axes instead of 2", array.ndim()) };
        let bytes = match array.dtype() {
            Datatype::FloatingPoint { size: 4, .. } => 4,
            Datatype::FloatingPoint { size: 8, .. } => 8,
            other => bail!("{name} holds {other:?}, not numbers of single or double precision"),
        };
        ensure!(len > 0 && dims > 0, "{name} is empty");
        Ok(Self { path: path.into(), array, bytes, len: usize::try_from(len)?, dims: usize::try_from(dims)? })
    }
}

impl std::fmt::Debug for Array {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} of {}", self.array.name(), self.path.display())
    }
}

impl Rows for Array {
    fn dims(&self) -> usize {
        self.dims
    }

    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let end = first + out.len() / self.dims;
        let axis =
            |start: usize, end: usize| SliceInfoElem::Slice { start: start as u64, end: end as u64, step: 1 };
        let slice = SliceInfo { selections: vec![axis(first, end), axis(0, self.dims)] };
        let copied = match self.bytes {
            4 => copy(self.array.read_slice::<f32>(&slice)?.as_slice(), out, |value| value),
            _ => copy(self.array.read_slice::<f64>(&slice)?.as_slice(), out, |value| value as f32),
        };
        copied.ok_or_else(|| anyhow!("{self:?}: rows {first} to {end} are not whole"))
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        flat::identify(&self.path, &File::open(&self.path)?, hash)
    }
}

fn copy<T: Copy>(from: Option<&[T]>, to: &mut [f32], convert: impl Fn(T) -> f32) -> Option<()> {
    let from = from.filter(|from| from.len() == to.len())?;
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = convert(from));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A file that h5py wrote: 40 rows of 6 numbers, row i of them ((7i + 3j) mod 11) - 5 + i/64, and 5 queries of (5i + j) mod 7
    /// - 3.
    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
    }

    #[test]
    fn whole_and_chunked_arrays_of_either_precision() {
        for (name, metric) in [
            ("contiguous.hdf5", Metric::Cosine),
            ("chunked.hdf5", Metric::L2),
            ("chunked-latest.hdf5", Metric::Cosine),
        ] {
            let parts = open(&fixture(name)).unwrap();
            assert_eq!(
                (parts.train.len(), parts.train.dims(), parts.metric),
                (40, 6, Some(metric)),
                "{name}"
            );
            let train = |i: usize, j: usize| ((i * 7 + j * 3) % 11) as f32 - 5.0 + i as f32 / 64.0;
            for range in [0..40, 15..17, 39..40] {
                let mut out = vec![0.0; range.len() * 6];
                parts.train.read(range.start, &mut out).unwrap();
                let wanted: Vec<f32> = range.clone().flat_map(|i| (0..6).map(move |j| train(i, j))).collect();
                assert_eq!(out, wanted, "{name} {range:?}");
            }
            let test: Vec<f32> =
                (0..5).flat_map(|i| (0..6).map(move |j| ((i * 5 + j) % 7) as f32 - 3.0)).collect();
            assert_eq!(parts.test, test, "{name}");
        }
    }

    #[test]
    fn other_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hdf5");
        let whole = fs::read(fixture("chunked.hdf5")).unwrap();
        for bytes in [&b"nonsense"[..], &[], &whole[..600], &whole[..whole.len() / 2]] {
            fs::write(&path, bytes).unwrap();
            let error = open(&path).and_then(|parts| parts.train.read(0, &mut [0.0; 240]));
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains("a.hdf5"), "{error}");
        }
        assert!(named("hamming").unwrap_err().to_string().contains("metric="));
    }
}
