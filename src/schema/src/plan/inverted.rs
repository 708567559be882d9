//! Inverted files: what the IVF indexes and SCANN become, where the server has an access method for the field.

use super::params::Params;
use super::{Available, Built, InvertedFile, Method, graph, refine};
use crate::{Error, Result};

/// The most lists of an index.
const MOST_LISTS: i64 = 32_768;

/// What is scanned of each vector.
pub(super) struct Codes {
    /// The index that is asked for.
    named: &'static str,
    options: Vec<(&'static str, String)>,
    note: String,
}

impl Codes {
    /// The vectors themselves.
    pub(super) fn none(named: &'static str) -> Self {
        Self { named, options: vec![("codes", "none".into())], note: String::new() }
    }

    fn of(named: &'static str, codes: &'static str) -> Self {
        Self { named, options: vec![("codes", codes.into())], note: String::new() }
    }

    fn option(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.options.push((name, value.to_string()));
        self
    }

    fn note(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    fn is_none(&self) -> bool {
        self.options[0].1 == "none"
    }
}

/// An index of dense vectors.
///
/// # Errors
/// Where a parameter is out of its range.
pub(super) fn dense(params: &mut Params<'_>, dim: i64, available: Available) -> Result<Built> {
    let codes = match params.index_type() {
        "IVF_SQ8" => {
            params.text("sq_type", &["SQ8"], "SQ8")?;
            refine(params)?;
            Codes::of("IVF_SQ8", "sq8")
        }
        "IVF_PQ" => {
            let codes = product("IVF_PQ", quantiser(params, dim, 0)?);
            refine(params)?;
            codes
        }
        "IVF_RABITQ" => {
            let asked = params.integer("rbq_bits", (1, 9), 1)?;
            refine(params)?;
            let built = asked.min(2);
            let codes = Codes::of("IVF_RABITQ", "rabitq").option("nbits", &built);
            if built == asked {
                codes
            } else {
                codes.note(format!("Codes of {asked} bits a dimension are built with {built}."))
            }
        }
        "SCANN" => scann(params, dim)?,
        "GPU_IVF_FLAT" => {
            params.ignore(&["cache_dataset_on_device"]);
            let codes = Codes::none("GPU_IVF_FLAT").option("payload", "full");
            codes.note("There is no GPU.".into())
        }
        "GPU_IVF_PQ" => {
            params.ignore(&["cache_dataset_on_device", "m", "nbits"]);
            Codes::of("GPU_IVF_PQ", "pq").note("There is no GPU.".into())
        }
        _ => Codes::none("IVF_FLAT").option("payload", "full"),
    };
    lists(params, available, &codes)
}

/// SCANN quantises each pair of dimensions to four bits.
fn scann(params: &mut Params<'_>, dim: i64) -> Result<Codes> {
    let usual = if dim % 2 == 0 { 2 } else { 1 };
    let sub = params.integer("sub_dim", (1, dim.max(1)), usual)?;
    if dim % sub != 0 {
        return Err(Error::invalid(format!("dimension {dim} should be a multiple of sub_dim {sub}")));
    }
    params.ignore(&["with_raw_data"]);
    let codes = Codes::of("SCANN", "pq").option("m", &(dim / sub).min(MOST_PARTS)).option("nbits", &4);
    Ok(codes
        .note("Codes do not weigh errors along a vector more than those across it, as SCANN's do.".into()))
}

/// The most parts of a code, which has to fit a page.
const MOST_PARTS: i64 = 2000;

fn product(named: &'static str, (m, nbits): (i64, i64)) -> Codes {
    let built = if nbits <= 4 { 4 } else { 8 };
    let codes = Codes::of(named, "pq");
    let codes = if m > 0 { codes.option("m", &m) } else { codes };
    let codes = codes.option("nbits", &built);
    if built == nbits { codes } else { codes.note(format!("Codes of {nbits} bits are built with {built}.")) }
}

/// Product quantisers: the number of sub-vectors `m` (`default_m` where none is given) and the bits of each, `nbits`.
///
/// # Errors
/// Where one is out of its range, or the sub-vectors are not alike.
pub(super) fn quantiser(params: &mut Params<'_>, dim: i64, default_m: i64) -> Result<(i64, i64)> {
    let m = params.integer("m", (1, 65_536), default_m)?;
    let nbits = params.integer("nbits", (1, 24), 8)?;
    if m > 0 && dim % m != 0 {
        return Err(Error::invalid(format!(
            "The dimension of a vector (dim) should be a multiple of the number of subquantizers (m). Dimension:{dim}, m:{m}"
        )));
    }
    Ok((m, nbits))
}

/// Lists of vectors with such codes, or a graph where there are none.
///
/// # Errors
/// Where a parameter is out of its range.
pub(super) fn lists(params: &mut Params<'_>, available: Available, codes: &Codes) -> Result<Built> {
    let lists = params.integer("nlist", (1, 65_536), 128)?;
    let built = lists.min(MOST_LISTS);
    let fewer = if built == lists { String::new() } else { format!("{lists} lists are built as {built}.") };
    Ok(match available.inverted_file {
        Some(InvertedFile::Ivf) => {
            let start = Built::new(Method::Ivf).option("lists", &built);
            let with = codes.options.iter().fold(start, |built, (name, value)| built.option(name, value));
            with.note(&fewer).note(&codes.note)
        }
        Some(InvertedFile::IvfFlat) => {
            let built = Built::new(Method::IvfFlat).option("lists", &built).note(&fewer);
            if codes.is_none() {
                built
            } else {
                built.note(&format!("{} is built without its codes.", codes.named))
            }
        }
        None => graph(18, 240).note(&format!(
            "No inverted file is to be had here: {} is built as a graph, which needs no training.",
            codes.named
        )),
    })
}
