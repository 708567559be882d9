//! NumPy's `.npy`: a header in Python's notation, then the array.

use super::flat::{Flat, Layout, Number};
use super::store;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longer headers describe records, not numbers.
const LONGEST_HEADER: usize = 1 << 16;

/// Opens a two-dimensional array of little-endian numbers in C order.
pub(super) fn open(path: &Path) -> Result<Flat> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let layout = layout(&mut file).with_context(|| format!("{} is no .npy to read", path.display()))?;
    let bytes = file.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
    let wanted = layout.bytes().with_context(|| format!("{}: its shape is too large", path.display()))?;
    ensure!(bytes == wanted, "{} has {bytes} bytes; its header says {wanted}: copy it again", path.display());
    Ok(Flat::new(path, file, layout))
}

fn layout(file: &mut impl Read) -> Result<Layout> {
    let mut start = [0; 8];
    file.read_exact(&mut start).context("it is too short")?;
    ensure!(&start[..6] == MAGIC, "it does not begin as one");
    let (length, before) = match start[6] {
        1 => {
            let mut bytes = [0; 2];
            file.read_exact(&mut bytes).context("it is too short")?;
            (usize::from(u16::from_le_bytes(bytes)), 10)
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            file.read_exact(&mut bytes).context("it is too short")?;
            (u32::from_le_bytes(bytes) as usize, 12)
        }
        version => bail!("its version {version} is unknown"),
    };
    ensure!(length <= LONGEST_HEADER, "its header of {length} bytes is too long");
    let mut header = vec![0; length];
    file.read_exact(&mut header).context("it ends within its header")?;
    let header = String::from_utf8(header).context("its header is no text")?;
    let (number, len, dims) = parse(&header).with_context(|| format!("its header is {}", header.trim()))?;
    Ok(Layout { start: (before + length) as u64, skip: 0, number, dims, len })
}

/// The type and the shape out of `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(header: &str) -> Result<(Number, usize, usize)> {
    let number = match value(header, "descr")?.split(['\'', '"']).nth(1) {
        Some("<f2") => Number::F16,
        Some("<f4") => Number::F32,
        Some("<f8") => Number::F64,
        Some("|u1" | "<u1") => Number::U8,
        Some("|i1" | "<i1") => Number::I8,
        Some(other) => bail!("numbers of type {other} are not read, only <f2, <f4, <f8, |u1 and |i1"),
        None => bail!("records are not read, only numbers"),
    };
    ensure!(
        value(header, "fortran_order")?.starts_with("False"),
        "the array is stored by columns: save numpy.ascontiguousarray(array) instead"
    );
    let shape = value(header, "shape")?.strip_prefix('(').and_then(|shape| shape.split(')').next());
    let shape = shape.context("its shape is no tuple")?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<usize> =
        sizes.map(str::parse).collect::<Result<_, _>>().context("its shape holds other than numbers")?;
    let &[len, dims] = &sizes[..] else { bail!("it has {} axes instead of 2", sizes.len()) };
    ensure!(len > 0 && dims > 0, "it is empty");
    Ok((number, len, dims))
}

/// What stands behind a key.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let place = quoted.iter().find_map(|quoted| Some(header.find(quoted.as_str())? + quoted.len()));
    let rest = place.and_then(|place| header[place..].trim_start().strip_prefix(':'));
    Ok(rest.with_context(|| format!("it has no {key}"))?.trim_start())
}

/// Writes `len` rows of single precision that `rows` hands to the function it is given, unless `path` holds what
/// `fingerprint` names already. The fingerprint lies beside it, in a file of the same name with `.of` behind it.
pub(super) fn write(
    path: &Path,
    fingerprint: &str,
    len: usize,
    dims: usize,
    rows: impl FnOnce(&mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".of");
    let whole = open(path).is_ok_and(|file| {
        let (file, of) = (super::Rows::len(&file), super::Rows::dims(&file));
        (file, of) == (len, dims)
    });
    if whole && fs::read_to_string(&beside).is_ok_and(|text| text == fingerprint) {
        return Ok(());
    }
    store::replace(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&header(len, dims))?;
        let mut written = 0;
        rows(&mut |values| {
            written += values.len();
            values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
            Ok(())
        })?;
        ensure!(written == len * dims, "{written} values instead of {len} rows of {dims}");
        Ok(out.flush()?)
    })?;
    store::replace(Path::new(&beside), |file| Ok(file.write_all(fingerprint.as_bytes())?))
}

fn header(len: usize, dims: usize) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({len}, {dims}), }}");
    // The array begins at a multiple of 64.
    let length = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    let mut header = [MAGIC, &[1, 0], &(length as u16).to_le_bytes()].concat();
    header.extend_from_slice(format!("{text:<width$}\n", width = length - 1).as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;

    fn file(folder: &Path, version: u8, header: &str, body: &[u8]) -> std::path::PathBuf {
        let mut bytes = [MAGIC, &[version, 0]].concat();
        if version == 1 {
            bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        } else {
            bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        }
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(body);
        let path = folder.join("a.npy");
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn numbers_of_all_types() {
        let folder = tempfile::tempdir().unwrap();
        let values = [1.0, -2.0, 3.5, 0.25, -0.5, 64.0_f32];
        let whole = [1, 2, 3, 4, 5, 255_u8];
        let bytes = |kind: &str| -> Vec<u8> {
            match kind {
                "<f2" => values.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect(),
                "<f4" => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
                "<f8" => values.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect(),
                _ => whole.to_vec(),
            }
        };
        for (version, kind) in [(1, "<f2"), (2, "<f4"), (3, "<f8"), (1, "|u1"), (1, "|i1")] {
            let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (3, 2), }}   \n");
            let rows = open(&file(folder.path(), version, &header, &bytes(kind))).unwrap();
            assert_eq!((rows.len(), rows.dims()), (3, 2), "{kind}");
            let mut out = [0.0; 4];
            rows.read(1, &mut out).unwrap();
            let wanted = match kind {
                "|u1" => [3.0, 4.0, 5.0, 255.0],
                "|i1" => [3.0, 4.0, 5.0, -1.0],
                _ => [3.5, 0.25, -0.5, 64.0],
            };
            assert_eq!(out, wanted, "{kind}");
        }
    }

    #[test]
    fn malformed_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (header, why) in [
            ("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2)}", "type >f4"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", "by columns"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "1 axes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, x)}", "other than numbers"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}", "empty"),
            ("{'descr': '<f4', 'fortran_order': False}", "no shape"),
            ("{'descr': [('a', '<f4')], 'shape': (1, 2)}", "type a"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)}", "copy it again"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 99999999999999)}",
                "too large",
            ),
        ] {
            let path = file(folder.path(), 1, header, &[0; 8]);
            let error = format!("{:#}", open(&path).unwrap_err());
            assert!(error.contains(why) && error.contains("a.npy"), "{error}");
        }
        let path = folder.path().join("b.npy");
        for bytes in [&b"\x93NUMPY\x01\x00\xff\xff{"[..], b"\x93NUMPY\x09\x00", b"nonsense", b"\x93NU", b""] {
            fs::write(&path, bytes).unwrap();
            let error = format!("{:#}", open(&path).unwrap_err());
            assert!(error.contains("b.npy is no .npy"), "{error}");
        }
        assert!(format!("{:#}", open(&folder.path().join("c.npy")).unwrap_err()).contains("c.npy"));
    }

    #[test]
    fn what_is_written_is_read_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let put = |fingerprint: &str, value: f32| {
            write(&path, fingerprint, 2, 3, |row| {
                row(&[value; 3])?;
                row(&[value + 1.0; 3])
            })
        };
        let get = || {
            let mut out = [0.0; 6];
            open(&path).unwrap().read(0, &mut out).unwrap();
            (out[0], out[5])
        };
        put("one", 1.0).unwrap();
        assert_eq!(get(), (1.0, 2.0));
        put("one", 5.0).unwrap();
        assert_eq!(get(), (1.0, 2.0));
        put("two", 5.0).unwrap();
        assert_eq!(get(), (5.0, 6.0));
        assert_eq!(header(1, 1).len() % 64, 0);
        assert!(write(&path, "three", 2, 3, |row| row(&[0.0; 3])).is_err());
        assert_eq!(get(), (5.0, 6.0));
    }
}
