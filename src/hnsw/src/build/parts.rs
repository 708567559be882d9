//! Building an index beyond memory: rows are divided into parts, each is linked in memory, and their lists are merged.

use super::codes;
use super::divide::Centres;
use super::link::Slots;
use super::merge::Merged;
use super::nodes::Nodes;
use super::part::{Part, Setting, level_of};
use super::rows::{Equals, Rows, Sighted};
use super::spool::{Extra, RowHead, RowSpool};
use super::{Host, Phase};
use super::{Scratch, ScratchFile};
use crate::{Error, Result};
use kite_codecs::Frame;
use kite_pages::ItemPointer;

/// The share of the rows that is linked in two parts.
const OVERLAP: f64 = 0.5;
/// The most parts: each has files open at the same time.
const MOST: usize = 1000;

/// How often the number of parts is raised because the largest would not fit.
const TRIES: usize = 6;
/// Rows have numbers of 32 bits.
const MOST_ROWS: usize = u32::MAX as usize - 1;
/// Bytes of a buffer that a temporary file has.
const BUFFER: usize = 8192;

/// What an index is made of when its rows do not fit memory.
#[derive(Debug)]
pub(super) struct Spilled<F> {
    /// All rows, in a temporary file.
    pub(super) rows: RowSpool<F>,
    /// Bytes that a vector takes while it is linked, besides its payloads.
    pub(super) per_node: usize,
    /// The share of the rows whose vectors are probably distinct.
    distinct: f64,
}

/// How rows are divided.
#[derive(Debug, Clone, Copy)]
struct Shares {
    parts: usize,
    /// Bytes that a part may take while it is linked.
    capacity: usize,
    /// The lowest level that is linked over all parts at once.
    upper: u8,
}

/// All rows, divided.
struct Divided<F> {
    rows: Vec<RowSpool<F>>,
    /// Those of the upper levels.
    top: Part,
}

impl<F: ScratchFile> Spilled<F> {
    pub(super) fn new(file: F, per_node: usize) -> Self {
        Self { rows: RowSpool::new(file), per_node, distinct: 1.0 }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, tid: ItemPointer, payload: &[u8]) -> Result<()> {
        if self.rows.rows == MOST_ROWS {
            return Err(Error::Options("an index cannot have so many rows"));
        }
        self.rows.append(RowHead::new(0, 0, tid), payload)
    }

    /// Bytes that a row takes while it is linked.
    fn weight(&self, payload: usize, setting: &Setting<'_>) -> usize {
        self.per_node + Nodes::bytes(payload, setting.scorer, setting.linking)
    }

    /// Bytes that all rows would take.
    fn total(&self, setting: &Setting<'_>) -> f64 {
        let rows = self.rows.rows.max(1);
        self.distinct * (rows * self.weight(self.rows.bytes.div_ceil(rows), setting)) as f64
    }

    fn shares(&self, setting: &Setting<'_>) -> Shares {
        let (total, limit) = (self.total(setting) * (1.0 + OVERLAP), setting.memory.limit());
        let wanted = |capacity: usize| (total / capacity.max(1) as f64).ceil() as usize;
        let rough = wanted(limit).clamp(2, MOST);
        // With less the parts would be more than there can be: then they take more than the limit.
        let least = (total / MOST as f64) as usize;
        let capacity = limit.saturating_sub((rough + 8) * 4 * BUFFER).max(limit / 2).max(least);
        let m = setting.parameters.m as f64;
        let fits = |level: &u8| total / m.powi(i32::from(*level)) < capacity as f64;
        let upper = (1..=setting.highest).find(fits).unwrap_or(setting.highest);
        Shares { parts: wanted(capacity).clamp(2, MOST), capacity, upper }
    }
}

/// Distinct rows evenly spread over all, as many as memory allows.
fn sample<F: ScratchFile>(spilled: &mut Spilled<F>, setting: &Setting<'_>, host: &impl Host) -> Result<Rows> {
    let mut sample = Rows::new(setting.memory, setting.scorer.payload_len());
    let size = spilled.rows.bytes.div_ceil(spilled.rows.rows.max(1)) + 16;
    let most = (setting.memory.limit() / 8 / size).clamp(100, codes::SAMPLE);
    let mut wanted = codes::spread(spilled.rows.rows, most).peekable();
    let (mut payload, mut equals) = (Vec::new(), Equals::new(setting.memory));
    spilled.rows.rewind()?;
    let (mut row, mut looked_at) = (0, 0);
    while spilled.rows.next(&mut payload)?.is_some() {
        host.go_on()?;
        if wanted.next_if_eq(&row).is_some() {
            looked_at += 1;
            if equals.find_or_enter(&sample, &payload)?.is_none() {
                sample.push(&payload)?;
            }
        }
        row += 1;
    }
    spilled.distinct = sample.len() as f64 / f64::from(looked_at.max(1));
    Ok(sample)
}

/// Writes every row to the file of its part, or of its two parts.
fn divide<T: Scratch>(
    spilled: &mut Spilled<T::File>,
    centres: &mut Centres,
    shares: Shares,
    setting: &Setting<'_>,
    scratch: &mut T,
    host: &impl Host,
) -> Result<Divided<T::File>> {
    let mut rows = Vec::new();
    for _ in 0..centres.len() {
        rows.push(RowSpool::new(scratch.file()?));
    }
    let mut top = Part::new(setting)?;
    let mut sighted = Sighted::new(setting.memory, spilled.rows.rows, shares.capacity / 8)?;
    // What rows that belong elsewhere may take of a part, so that there is room for its own.
    let guests = shares.capacity.saturating_sub(spilled.total(setting) as usize / centres.len());
    let mut taken = vec![(0, 0); centres.len()];
    let mut payload = Vec::new();
    spilled.rows.rewind()?;
    let mut row = 0;
    while let Some(head) = spilled.rows.next(&mut payload)? {
        host.go_on()?;
        let is_known = sighted.again(&payload);
        let weight = if is_known { size_of::<Extra>() } else { spilled.weight(payload.len(), setting) };
        let nearest = centres.nearest(&payload);
        let room = |part: &u32| taken[*part as usize].0 + weight <= shares.capacity;
        let own = if room(&nearest.first) {
            nearest.first
        } else {
            centres.by_distance(&payload).into_iter().find(room).unwrap_or(nearest.first)
        };
        let guest = nearest.second.filter(|part| room(part) && *part != own);
        let guest = guest.filter(|&part| taken[part as usize].1 + weight <= guests);
        let head = RowHead::new(row, own as u16, head.tid);
        for part in std::iter::once(own).chain(guest) {
            rows[part as usize].append(head, &payload)?;
            taken[part as usize].0 += weight;
        }
        if let Some(part) = guest {
            taken[part as usize].1 += weight;
        }
        if level_of(&payload, setting) >= shares.upper {
            top.push(setting.scorer, head, &payload, false)?;
        }
        row += 1;
    }
    Ok(Divided { rows, top })
}

/// A frame for the codes, and what divides the rows.
pub(super) fn learn<F: ScratchFile>(
    spilled: &mut Spilled<F>,
    setting: &Setting<'_>,
    host: &impl Host,
) -> Result<(Option<Frame>, Centres)> {
    let sample = sample(spilled, setting, host)?;
    let payloads = (0..sample.len() as u32).map(|row| sample.get(row));
    let seed = setting.parameters.seed;
    let frame = codes::learn(setting.scorer, spilled.rows.rows, payloads, seed)?;
    let Shares { mut parts, capacity, .. } = spilled.shares(setting);
    let spec = setting.scorer.spec();
    let fits = capacity as f64 / spilled.total(setting);
    let mut centres = Centres::learn(spec, &sample, (parts, OVERLAP), seed, setting.memory, host)?;
    for _ in 0..TRIES {
        if centres.largest() < fits || parts == MOST {
            break;
        }
        parts = (parts + parts / 8 + 1).min(MOST);
        centres = Centres::learn(spec, &sample, (parts, OVERLAP), seed, setting.memory, host)?;
    }
    Ok((frame, centres))
}

/// Divides the rows, links the parts, and answers what remains to be merged.
pub(super) fn link_parts<'a, T: Scratch>(
    mut spilled: Spilled<T::File>,
    mut centres: Centres,
    setting: &'a Setting<'a>,
    scratch: &mut T,
    host: &impl Host,
) -> Result<Merged<'a, T::File>> {
    let shares = spilled.shares(setting);
    let ids = spilled.rows.rows;
    let Divided { mut rows, top } = divide(&mut spilled, &mut centres, shares, setting, scratch, host)?;
    drop((spilled, centres));
    host.phase(Phase::Linking);
    let m = setting.parameters.m;
    let slots = Slots { lowest: 2 * m, upper: m };
    let upper =
        top.link((shares.upper, setting.highest + 1), Slots { lowest: m, upper: m }, setting, scratch, host)?;
    let mut linked = Vec::new();
    for spool in &mut rows {
        let mut part = Part::new(setting)?;
        part.reserve(spool.rows, spool.bytes)?;
        let number = linked.len();
        let mut payload = Vec::new();
        spool.rewind()?;
        while let Some(head) = spool.next(&mut payload)? {
            host.go_on()?;
            part.push(setting.scorer, head, &payload, usize::from(head.part()) == number)?;
        }
        linked.push(part.link((0, shares.upper), slots, setting, scratch, host)?);
    }
    let entry =
        upper.entry.or_else(|| linked.iter().filter_map(|part| part.entry).max_by_key(|entry| entry.1));
    linked.push(upper);
    Ok(Merged { rows, linked, setting, entry, ids, slots: (2 * m, m) })
}
