//! What a command line says of a data set.

use super::flat::Number;
use super::shape::{Shape, TIGHT};
use super::typed::Typed;
use super::{Dataset, Rows, hdf5, npy, vecs};
use crate::metric::{Element, Metric};
use anyhow::{Context, Error, Result, bail, ensure};
use clap::ValueEnum;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Queries where nothing says how many.
const QUERIES: usize = 1000;

/// A data set by name:
///
/// - `debian` or `debian=FOLDER`: the real set. Without a folder it is sought where `KITE_DATA` says, else in
///   `../shared/data/debian-packages` beside the workspace.
/// - `generated:[SHAPE:]ROWSxDIMS[,seed=N]`: generated vectors; ROWS may end in `k` or `m`. Without a shape they are like a
///   model's embeddings; `uniform`, `duplicates`, `clusters` (with `,tight=N`) and `sparse` are others.
/// - `FILE.npy`, `FILE.fvecs`, `FILE.bvecs` or `FILE.hdf5`, with `,queries=FILE` where queries lie in another file. An HDF5 file
///   carries queries in its dataset `test`; from the others the last 1,000 rows are held out where no file is named.
///
/// Each may be followed by `,rows=N` (the first N rows), `,queries=N` (N queries), `,element=vector|halfvec|bit|sparsevec` (the
/// column's type, to which rows and queries are rounded) and `,metric=l2|ip|cosine|l1`, of bits `hamming|jaccard`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    origin: Origin,
    rows: Option<usize>,
    queries: Option<usize>,
    element: Option<Element>,
    metric: Option<Metric>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Debian(Option<PathBuf>),
    Generated { shape: Shape, rows: usize, dims: usize, seed: u64 },
    File { path: PathBuf, queries: Option<PathBuf> },
}

impl Source {
    /// Generated vectors.
    pub(super) fn generated(rows: usize, queries: usize, dims: usize, seed: u64) -> Self {
        let origin = Origin::Generated { shape: Shape::Embeddings, rows, dims, seed };
        Self { origin, rows: None, queries: Some(queries), element: None, metric: None }
    }

    /// Opens what is named, and reads it where it fits into memory.
    pub(crate) fn open(&self) -> Result<Dataset> {
        let Parts { rows, queries, element, metric, held_out } = self.parts()?;
        let dims = rows.dims();
        let mut queries = queries;
        let there = rows.len();
        if held_out {
            let count = self.queries.unwrap_or(QUERIES);
            ensure!(
                count < there,
                "{self} has {there} rows, too few to hold {count} out as queries: add ,queries=N or ,queries=FILE"
            );
            queries.resize(count * dims, 0.0);
            rows.read(there - count, &mut queries)?;
        } else if let Some(count) = self.queries {
            let has = queries.len() / dims;
            ensure!(count <= has, "{self} has {has} queries");
            queries.truncate(count * dims);
        }
        let usable = if held_out { there - queries.len() / dims } else { there };
        let len = self.rows.unwrap_or(usable);
        ensure!(len <= usable, "{self} has {usable} rows");
        let element = self.element.unwrap_or(element);
        let usual = if element.metrics().contains(&metric) { metric } else { element.metrics()[0] };
        let metric = self.metric.unwrap_or(usual);
        ensure!(
            element.metrics().contains(&metric),
            "{self}: {} has no operator {}",
            element.sql(),
            metric.operator()
        );
        let rows = match element {
            Element::Vector => rows,
            _ => Box::new(Typed { rows, element }),
        };
        element.round(&mut queries);
        Dataset::new(self.to_string(), (element, metric), rows, len, queries)
    }

    fn parts(&self) -> Result<Parts> {
        match &self.origin {
            Origin::Debian(folder) => {
                let folder = folder.clone().unwrap_or_else(debian);
                let open = |name: &str| {
                    npy::open(&folder.join(name)).context(
                        "debian is the real data set: name its folder as debian=FOLDER or in KITE_DATA",
                    )
                };
                let rows = open("base.f16.npy")?;
                let queries = all(&open("queries.f16.npy")?, rows.dims())?;
                let (element, metric) = (Element::Vector, Metric::Cosine);
                Ok(Parts { rows: Box::new(rows), queries, element, metric, held_out: false })
            }
            &Origin::Generated { shape, rows, dims, seed } => {
                let (element, metric) = shape.usual();
                let (rows, queries) = shape.generate((rows, dims), self.queries.unwrap_or(QUERIES), seed)?;
                Ok(Parts { rows, queries, element, metric, held_out: false })
            }
            Origin::File { path, queries } => {
                let mut parts = file(path)?;
                if let Some(queries) = queries {
                    parts.queries = all(&*file(queries)?.rows, parts.rows.dims()).with_context(|| {
                        format!("{} holds no queries for {}", queries.display(), path.display())
                    })?;
                    parts.held_out = false;
                }
                Ok(parts)
            }
        }
    }
}

struct Parts {
    rows: Box<dyn Rows>,
    queries: Vec<f32>,
    element: Element,
    metric: Metric,
    /// Queries are to be taken from the rows.
    held_out: bool,
}

/// Opens one file by the ending of its name.
fn file(path: &Path) -> Result<Parts> {
    let element = Element::Vector;
    let parts =
        |rows: Box<dyn Rows>, metric| Parts { rows, queries: Vec::new(), element, metric, held_out: true };
    Ok(match ending(path) {
        "npy" => parts(Box::new(npy::open(path)?), Metric::Cosine),
        "fvecs" => parts(Box::new(vecs::open(path, Number::F32)?), Metric::L2),
        "bvecs" => parts(Box::new(vecs::open(path, Number::U8)?), Metric::L2),
        "hdf5" | "h5" => {
            let hdf5::Parts { train, test, metric } = hdf5::open(path)?;
            let metric = metric.unwrap_or(Metric::Cosine);
            Parts { rows: Box::new(train), queries: test, element, metric, held_out: false }
        }
        _ => bail!("{} ends in none of .npy, .fvecs, .bvecs and .hdf5", path.display()),
    })
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

fn all(rows: &dyn Rows, dims: usize) -> Result<Vec<f32>> {
    ensure!(rows.dims() == dims, "it has {} dimensions instead of {dims}", rows.dims());
    let mut values = vec![0.0; rows.len() * dims];
    rows.read(0, &mut values)?;
    Ok(values)
}

fn debian() -> PathBuf {
    std::env::var_os("KITE_DATA")
        .map_or_else(|| kite_cluster::workspace_root().join("../shared/data/debian-packages"), PathBuf::from)
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let mut origin = match head.split_once(':') {
            Some(("generated", size)) => {
                let (shape, size) = Shape::split(size);
                let (rows, dims) = size
                    .split_once('x')
                    .with_context(|| format!("{head} is not generated:[SHAPE:]ROWSxDIMS"))?;
                Origin::Generated { shape, rows: count(rows)?, dims: count(dims)?, seed: 1 }
            }
            _ if head == "debian" => Origin::Debian(None),
            _ => match head.strip_prefix("debian=") {
                Some(folder) => Origin::Debian(Some(folder.into())),
                None if ["npy", "fvecs", "bvecs", "hdf5", "h5"].contains(&ending(Path::new(head))) => {
                    Origin::File { path: head.into(), queries: None }
                }
                None => bail!(
                    "{head} is no data set: debian, debian=FOLDER, generated:[SHAPE:]ROWSxDIMS or a file that ends in .npy, \
                     .fvecs, .bvecs or .hdf5"
                ),
            },
        };
        let (mut rows, mut queries, mut element, mut metric) = (None, None, None, None);
        for part in parts {
            let (key, value) = part.split_once('=').with_context(|| format!("{part} is not KEY=VALUE"))?;
            match (key, &mut origin) {
                ("rows", _) => rows = Some(count(value)?),
                ("queries", Origin::File { queries, .. }) if count(value).is_err() => {
                    *queries = Some(value.into());
                }
                ("queries", _) => queries = Some(count(value)?),
                ("element", _) => element = Some(choice(value, "element type")?),
                ("metric", _) => metric = Some(choice(value, "metric")?),
                ("tight", Origin::Generated { shape: Shape::Clusters { tight }, .. }) => {
                    *tight = u32::try_from(count(value)?)?;
                }
                ("seed", Origin::Generated { seed, .. }) => {
                    *seed = value.parse().with_context(|| format!("seed {value} is no number"))?;
                }
                _ => bail!("{head} has no option {key}"),
            }
        }
        Ok(Self { origin, rows, queries, element, metric })
    }
}

/// One of the names that a type has.
fn choice<T: ValueEnum>(name: &str, what: &str) -> Result<T> {
    T::from_str(name, true).map_err(|_| {
        let names = T::value_variants().iter().filter_map(T::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().into()).collect();
        anyhow::anyhow!("{name} is no {what}: {}", names.join(", "))
    })
}

/// A number from 1 that may end in `k` (thousand) or `m` (million).
fn count(text: &str) -> Result<usize> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let number = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit)).filter(|&n| n > 0);
    number.with_context(|| format!("{text} is no number from 1 on (k and m may stand behind it)"))
}

/// The shortest text for a number that [`count`] reads.
fn short(number: usize) -> String {
    match number {
        _ if number.is_multiple_of(1_000_000) => format!("{}m", number / 1_000_000),
        _ if number.is_multiple_of(1000) => format!("{}k", number / 1000),
        _ => number.to_string(),
    }
}

impl Display for Source {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Debian(None) => write!(out, "debian")?,
            Origin::Debian(Some(folder)) => write!(out, "debian={}", folder.display())?,
            Origin::Generated { shape, rows, dims, seed } => {
                write!(out, "generated:{}{}x{dims}", shape.prefix(), short(*rows))?;
                if *seed != 1 {
                    write!(out, ",seed={seed}")?;
                }
                if let Shape::Clusters { tight } = shape
                    && *tight != TIGHT
                {
                    write!(out, ",tight={tight}")?;
                }
            }
            Origin::File { path, queries } => {
                write!(out, "{}", path.display())?;
                if let Some(queries) = queries {
                    write!(out, ",queries={}", queries.display())?;
                }
            }
        }
        if let Some(rows) = self.rows {
            write!(out, ",rows={}", short(rows))?;
        }
        if let Some(queries) = self.queries {
            write!(out, ",queries={}", short(queries))?;
        }
        let element = self.element.and_then(|element| element.to_possible_value());
        let metric = self.metric.and_then(|metric| metric.to_possible_value());
        for (key, value) in [("element", element), ("metric", metric)] {
            if let Some(value) = value {
                write!(out, ",{key}={}", value.get_name())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, canonical) in [
            ("debian", "debian"),
            ("debian=/some/where,rows=2k", "debian=/some/where,rows=2k"),
            ("generated:200kx768", "generated:200kx768"),
            ("generated:1000000x128,seed=1", "generated:1mx128"),
            (
                "generated:1500x16,metric=ip,seed=7,queries=50",
                "generated:1500x16,seed=7,queries=50,metric=ip",
            ),
            ("a/b.npy,queries=c.npy,queries=20,rows=1K", "a/b.npy,queries=c.npy,rows=1k,queries=20"),
            ("sift.fvecs,metric=L1", "sift.fvecs,metric=l1"),
            ("glove.hdf5", "glove.hdf5"),
            ("generated:uniform:10000x3", "generated:uniform:10kx3"),
            ("generated:clusters:10kx64,tight=1k", "generated:clusters:10kx64"),
            ("generated:clusters:10kx64,tight=30,seed=2", "generated:clusters:10kx64,seed=2,tight=30"),
            ("generated:sparse:5x30k,metric=ip", "generated:sparse:5x30000,metric=ip"),
            ("debian,metric=jaccard,element=bit", "debian,element=bit,metric=jaccard"),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string(), canonical);
            assert_eq!(canonical.parse::<Source>().unwrap(), source);
        }
        for (text, why) in [
            ("", "no data set"),
            ("a.csv", "no data set"),
            ("generated:200k", "ROWSxDIMS"),
            ("generated:0x3", "from 1 on"),
            ("generated:5x", "from 1 on"),
            ("generated:99999999999999999mx3", "from 1 on"),
            ("generated:5x3,seed=x", "seed x"),
            ("debian,seed=3", "no option seed"),
            ("generated:uniform:5x3,tight=3", "no option tight"),
            ("debian,queries=a.npy", "from 1 on"),
            ("a.npy,metric=euclid", "no metric: l2, ip, "),
            ("a.npy,element=float", "no element type: vector, halfvec, bit, sparsevec"),
            ("generated:round:5x3", "from 1 on"),
            ("a.npy,rows", "KEY=VALUE"),
        ] {
            let error = format!("{:#}", text.parse::<Source>().unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn queries_are_held_out_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, len: usize, from: f32| {
            let path = folder.path().join(name);
            npy::write(&path, name, len, 2, |write| {
                (0..len).try_for_each(|n| write(&[from + n as f32, 1.0]))
            })
            .unwrap();
            path.display().to_string()
        };
        let (base, other) = (file("base.npy", 1200, 0.0), file("other.npy", 9, 5000.0));
        let open = |text: String| text.parse::<Source>().unwrap().open();
        let shape = |data: &Dataset| (data.len(), data.queries().len(), data.query(0)[0]);
        let held_out = open(base.clone()).unwrap();
        assert_eq!((shape(&held_out), held_out.metric()), ((200, 1000, 200.0), Metric::Cosine));
        assert_eq!(shape(&open(format!("{base},queries=3,rows=100,metric=l2")).unwrap()), (100, 3, 1197.0));
        assert_eq!(shape(&open(format!("{base},queries={other}")).unwrap()), (1200, 9, 5000.0));
        assert_eq!(shape(&open(format!("{base},queries={other},queries=2")).unwrap()), (1200, 2, 5000.0));
        for (text, why) in [
            (format!("{base},rows=201"), "has 200 rows"),
            (format!("{base},queries={other},queries=10"), "has 9 queries"),
            (other.clone(), "too few to hold 1000 out"),
            (format!("{other},queries={base}.npy"), "cannot open"),
            ("generated:10x2,rows=11".into(), "has 10 rows"),
            ("debian=nowhere".into(), "KITE_DATA"),
            ("generated:10x2,metric=hamming".into(), "vector has no operator <~>"),
            ("generated:10x2,element=bit,metric=l2".into(), "bit has no operator <->"),
        ] {
            let error = format!("{:#}", open(text.clone()).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
