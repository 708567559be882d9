//! What is learned from a sample: the centroids, and the codewords of `pq`.

use super::kmeans::{Clustered, Setting};
use super::records::spread;
use super::sample::Sample;
use crate::centres::{Centres, Place, is_bits};
use crate::options::MOST_LISTS;
use crate::quantiser::{Quantiser, centre_len};
use crate::{Codes, Error, Options, Result};
use kite_build::Host;
use kite_codecs::{Metric, OwnedValue, ProductCoder};

/// Members of the sample for each list, if memory is enough.
const PER_LIST: usize = 32;
/// Members in any case, if there are as many rows.
const FEW: usize = 8192;
/// Rows for each codeword of `pq` that are looked at, and those without which it is not learned.
const PER_WORD: usize = 24;
const FEWEST_PER_WORD: usize = 4;

/// The lists of an index of so many rows, where none are asked for: the root of their number, but rows enough for each.
#[must_use]
pub fn auto_lists(rows: u64) -> usize {
    let root = (rows as f64).sqrt().round() as u64;
    root.min(rows / 32).clamp(1, MOST_LISTS as u64) as usize
}

/// The options with what so many rows make of them: the number of lists, and codes that can be learned.
pub(super) fn effective(options: Options, rows: u64) -> Options {
    let lists = if options.lists == 0 { auto_lists(rows) } else { options.lists };
    let codes = match options.codes {
        Codes::Pq { bits, .. } if rows < (FEWEST_PER_WORD << bits) as u64 => Codes::RabitQ { bits: 1 },
        codes => codes,
    };
    Options { lists, codes, ..options }
}

/// How many rows the sample is to have, of memory that holds so many bytes.
pub(super) fn sample_size(options: &Options, rows: u64, memory: usize) -> Result<usize> {
    let each = Centres::new(options.metric, centre_len(options)).held_each();
    let lists = (options.lists as u64).min(rows).max(1) as usize;
    // The centroids, those of the next step twice, packed ones, and as many members at least.
    let len = if is_bits(options.metric) { 0 } else { each / size_of::<f32>() };
    let packed = kite_kernels::Panels::bytes(lists, len);
    let needed = lists.saturating_mul(each).saturating_mul(4).saturating_add(packed);
    if needed > memory {
        return Err(Error::Memory { needed, limit: memory });
    }
    let most = lists + (memory - needed) / 2 / (each + 16);
    Ok((lists * PER_LIST).max(FEW).min(most).min(rows.min(usize::MAX as u64) as usize))
}

/// Takes a decoded row into the sample; one that has no place is passed over.
pub(super) fn take(
    sample: &mut Sample,
    value: &OwnedValue,
    space: &kite_codecs::Space,
    point: &mut Vec<f32>,
) -> Result<()> {
    match value {
        OwnedValue::Bits(bits) => sample.push(Place::Bits(bits)),
        value if space.point(value.as_ref(), point) => sample.push(Place::Point(point)),
        _ => Ok(()),
    }
}

/// Learns centroids and codewords.
pub(super) fn learn<H: Host>(
    options: Options,
    sample: &Sample,
    setting: &Setting<'_, H>,
) -> Result<(Clustered, Vec<f32>)> {
    let clustered = setting.cluster(sample, options.lists)?;
    let codebook = match options.codes {
        Codes::Pq { parts, bits } => codebook(sample, &clustered.centres, (parts.into(), bits), setting)?,
        _ => Vec::new(),
    };
    Ok((clustered, codebook))
}

/// Codewords for the parts of residuals.
fn codebook<H: Host>(
    sample: &Sample,
    centres: &Centres,
    (parts, bits): (usize, u8),
    setting: &Setting<'_, H>,
) -> Result<Vec<f32>> {
    let rows: Vec<usize> = spread(sample.count(), PER_WORD << bits).collect();
    let residuals = {
        let mut residuals = Sample::new(Metric::L2, sample.len, setting.memory);
        residuals.reserve(rows.len())?;
        let mut residual = Vec::new();
        for row in rows {
            setting.host.go_on()?;
            let place = sample.get(row);
            let centre = centres.point(centres.nearest(place).0 as usize);
            if let Place::Point(point) = place {
                residual.clear();
                residual.extend(point.iter().zip(centre).map(|(x, c)| x - c));
                residuals.push(Place::Point(&residual))?;
            }
        }
        residuals
    };
    let mut codebook = Vec::new();
    for part in 0..parts {
        let range = ProductCoder::part(sample.len, parts, part);
        let mut of_part = Sample::new(Metric::L2, range.len(), setting.memory);
        of_part.reserve(residuals.count())?;
        for row in 0..residuals.count() {
            if let Place::Point(point) = residuals.get(row) {
                of_part.push(Place::Point(&point[range.clone()]))?;
            }
        }
        let words = setting.cluster(&of_part, 1 << bits)?.centres;
        // A sample with fewer members than codewords has the last ones twice.
        for word in 0..1usize << bits {
            codebook.extend_from_slice(words.point(word.min(words.count() - 1)));
        }
    }
    Ok(codebook)
}

/// What centroids and codewords make.
pub(super) fn quantiser(options: Options, centres: Centres, codebook: Vec<f32>) -> Result<Quantiser> {
    let options = Options { lists: centres.count(), ..options };
    Quantiser::new(options, centres, codebook)
}
