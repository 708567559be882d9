//! The codes of all nodes, and the frame that they are relative to.

use super::memory::{Counted, Memory};
use super::rows::Rows;
use super::{Host, threads};
use crate::Result;
use kite_codecs::{Frame, Scorer};
use std::ops::Range;
use std::sync::Mutex;

/// Vectors below which codes do not pay: a search then reads most of the index anyway.
const FEWEST: usize = 1000;
/// Vectors that a frame is learned from.
pub(super) const SAMPLE: usize = 10_000;
/// Vectors whose codes are made at a time.
const BLOCK: usize = 64;

/// Codes with their factors, one behind the other.
#[derive(Debug)]
pub(super) struct Codes {
    bytes: Counted<u8>,
    size: usize,
}

impl Codes {
    /// The codes of all rows; `scorer` has a frame if it needs one.
    pub(super) fn of(
        rows: &Rows,
        scorer: &Scorer,
        threads: usize,
        memory: &Memory,
        host: &impl Host,
    ) -> Result<Self> {
        let size = scorer.code_len() + scorer.factors_len();
        let mut bytes = Counted::filled(memory, rows.len() * size, || 0)?;
        if size > 0 {
            let blocks: Vec<Mutex<&mut [u8]>> = bytes.chunks_mut(BLOCK * size).map(Mutex::new).collect();
            let mut states: Vec<Encoder> = Vec::new();
            states.resize_with(threads.max(1) + usize::from(threads > 1), Encoder::default);
            threads::run(host, &mut states, blocks.len(), |encoder, range| {
                encoder.run(rows, scorer, &blocks, range);
            })?;
            states.into_iter().try_for_each(|encoder| encoder.outcome)?;
        }
        Ok(Self { bytes, size })
    }

    /// Bytes of a code with its factors.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The code and then the factors of a row.
    #[inline]
    pub(super) fn get(&self, row: u32) -> &[u8] {
        &self.bytes[row as usize * self.size..][..self.size]
    }
}

/// What a thread that makes codes needs.
#[derive(Debug)]
struct Encoder {
    code: Vec<u8>,
    outcome: Result<(), kite_codecs::Error>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { code: Vec::new(), outcome: Ok(()) }
    }
}

impl Encoder {
    fn run(&mut self, rows: &Rows, scorer: &Scorer, blocks: &[Mutex<&mut [u8]>], range: Range<usize>) {
        let size = scorer.code_len() + scorer.factors_len();
        for block in range {
            // Each block is one thread's; the lock only says so.
            let Ok(mut block_codes) = blocks[block].lock() else { continue };
            for (row, out) in (block * BLOCK..).zip(block_codes.chunks_exact_mut(size)) {
                self.code.clear();
                match scorer.encode_code_of(rows.get(row as u32), &mut self.code) {
                    Ok(()) => out.copy_from_slice(&self.code),
                    Err(error) => self.outcome = Err(error),
                }
            }
        }
    }
}

/// A frame for vectors like the sample, of which there are `vertices`; `None` where codes have none, or do not pay.
pub(super) fn learn<'a>(
    scorer: &Scorer,
    vertices: usize,
    sample: impl IntoIterator<Item = &'a [u8]>,
    seed: u64,
) -> Result<Option<Frame>> {
    // A scorer without a frame has codes only if they need none.
    if vertices < FEWEST || scorer.spec().code_bits == 0 || scorer.code_len() > 0 {
        return Ok(None);
    }
    Ok(Some(scorer.learn_of(sample, seed)?))
}

/// Numbers of at most `most` out of `len` rows, evenly spread.
pub(super) fn spread(len: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = len.min(most);
    (0..count).map(move |n| (n as u128 * len as u128 / count as u128) as usize)
}
