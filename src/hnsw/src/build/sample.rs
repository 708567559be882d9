//! Choosing what the index stores of a vector, by the first rows of a build.
//!
//! A byte per dimension divides what lies between the least and the greatest element of a vector into 255 steps. Where rows lie in clusters
//! that are not much wider than a step it cannot tell the rows of a cluster apart, and a search that ranks by it finds near ones
//! instead of the nearest. So rows are kept as they are until there are enough to see whether it can.

use super::codes::spread;
use super::memory::{Counted, Memory};
use super::rows::Rows;
use crate::Result;
use kite_codecs::{OwnedValue, PayloadKind, Scorer, Spec, Value, VectorType};
use kite_pages::ItemPointer;

/// The most rows that are looked at.
const ROWS: usize = 16_384;
/// The most bytes that they may take, and the part of a build's memory.
const BYTES: usize = 16 << 20;
const PART: usize = 16;
/// Of a smaller table a search reads so much that all is found whatever ranks.
const FEWEST: usize = 128;
/// Rows whose neighbours are sought.
const PROBES: usize = 64;
/// Of these, so many are compared with a row while it is in the processor's cache.
const TOGETHER: usize = 8;
/// Rows that stay there.
const BLOCK: usize = 128;
/// The nearest of these have to be
const NEAREST: usize = 10;
/// among so many of the nearest by what is stored. A search at the default `ef_search` keeps twice as many.
const AMONG: usize = 20;
/// For this share of them at least.
const ENOUGH: f64 = 0.99;

/// The first rows of a build, as they are.
#[derive(Debug)]
pub(super) struct Sample {
    scorer: Scorer,
    rows: Rows,
    tids: Counted<ItemPointer>,
    most: usize,
    buffer: Vec<u8>,
}

impl Sample {
    /// No rows yet. `None` where there is no choice: only `vector` has payloads between a byte per dimension and all of it, and
    /// for `halfvec` the choice is between these two.
    pub(super) fn new(spec: &Spec, memory: &Memory) -> Result<Option<Self>> {
        if !matches!(spec.vector_type, VectorType::Vector | VectorType::Halfvec) {
            return Ok(None);
        }
        let scorer = Scorer::new(Spec { payload: PayloadKind::Full, code_bits: 0, ..*spec }, None)?;
        let bytes = scorer.payload_len().unwrap_or(0).max(1);
        Ok(Some(Self {
            rows: Rows::new(memory, scorer.payload_len()),
            scorer,
            tids: Counted::new(memory),
            most: (BYTES.min(memory.limit() / PART) / bytes).min(ROWS),
            buffer: Vec::new(),
        }))
    }

    /// Takes a row. `false` when there are enough.
    pub(super) fn push(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        if self.rows.len() >= self.most {
            return Ok(false);
        }
        self.buffer.clear();
        self.scorer.encode(value, &mut self.buffer)?;
        self.rows.push(&self.buffer)?;
        self.tids.push(tid)?;
        Ok(true)
    }

    /// The rows, in the order in which they came.
    pub(super) fn into_rows(self) -> impl Iterator<Item = Result<(ItemPointer, OwnedValue)>> {
        (0..self.rows.len())
            .map(move |row| Ok((self.tids[row], self.scorer.value(self.rows.get(row as u32))?)))
    }

    /// The shortest payload that finds the neighbours of these rows among each other.
    pub(super) fn choose(&self, memory: &Memory) -> Result<PayloadKind> {
        if self.rows.len() < FEWEST {
            return Ok(PayloadKind::Sq8);
        }
        let mut kinds = vec![PayloadKind::Sq8];
        if self.scorer.spec().vector_type == VectorType::Vector {
            kinds.push(PayloadKind::Half);
        }
        for kind in kinds {
            if self.found_by(kind, memory)? >= ENOUGH {
                return Ok(kind);
            }
        }
        Ok(PayloadKind::Full)
    }

    /// The share of the nearest that are among the nearest by such payloads.
    fn found_by(&self, kind: PayloadKind, memory: &Memory) -> Result<f64> {
        let scorer = Scorer::new(Spec { payload: kind, ..*self.scorer.spec() }, None)?;
        let mut stored = Rows::new(memory, scorer.payload_len());
        let mut payload = Vec::new();
        for row in 0..self.rows.len() as u32 {
            payload.clear();
            scorer.encode(self.scorer.value(self.rows.get(row))?.as_ref(), &mut payload)?;
            stored.push(&payload)?;
        }
        let rows = self.rows.len();
        let probes: Vec<usize> = spread(rows, PROBES).collect();
        let (mut keys, mut by_stored) = (vec![Vec::new(); TOGETHER], vec![Vec::new(); TOGETHER]);
        let mut found = 0;
        for probes in probes.chunks(TOGETHER) {
            keys.iter_mut().chain(&mut by_stored).for_each(Vec::clear);
            let queries = probes
                .iter()
                .map(|&probe| {
                    let value = self.scorer.value(self.rows.get(probe as u32))?;
                    Ok(scorer.prepare(Some(value.as_ref()))?)
                })
                .collect::<Result<Vec<_>>>()?;
            for begin in (0..rows).step_by(BLOCK) {
                let block = begin as u32..rows.min(begin + BLOCK) as u32;
                for (n, (&probe, query)) in probes.iter().zip(&queries).enumerate() {
                    let own = self.rows.get(probe as u32);
                    self.scorer.between_each(
                        own,
                        block.clone().map(|row| self.rows.get(row)),
                        &mut keys[n],
                    )?;
                    for row in block.clone() {
                        by_stored[n].push(scorer.exact(query, stored.get(row))?);
                    }
                }
            }
            for (n, &probe) in probes.iter().enumerate() {
                found += found_of(probe, &mut keys[n], &by_stored[n]);
            }
        }
        Ok(found as f64 / (NEAREST * probes.len()) as f64)
    }
}

/// How many of the nearest by `keys` are among the nearest by `by_stored`; both are the distances of all rows from one of them.
fn found_of(probe: usize, keys: &mut [f32], by_stored: &[f32]) -> usize {
    keys[probe] = f32::INFINITY;
    // Rows as near as the farthest of the nearest are worth as much.
    let mut sorted = keys.to_vec();
    let farthest = *sorted.select_nth_unstable_by(NEAREST - 1, f32::total_cmp).1;
    let others = by_stored.iter().copied().zip(0..).filter(|&(_, row)| row != probe);
    let mut order: Vec<(f32, usize)> = others.collect();
    order.select_nth_unstable_by(AMONG - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order[..AMONG].iter().filter(|&&(_, row)| keys[row] <= farthest).count().min(NEAREST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tid;
    use kite_codecs::Metric;

    /// Fifty clusters in a cube, which deviate by so much along each axis.
    fn clusters(rows: usize, dims: usize, deviation: f32) -> Vec<Vec<f32>> {
        let mut random = fastrand::Rng::with_seed(1);
        let centres: Vec<Vec<f32>> = (0..50).map(|_| (0..dims).map(|_| random.f32()).collect()).collect();
        let mut near = |x: &f32| x + deviation * ((0..12).map(|_| random.f32()).sum::<f32>() - 6.0);
        (0..rows).map(|row| centres[row % 50].iter().map(&mut near).collect()).collect()
    }

    fn chosen(metric: Metric, rows: &[Vec<f32>]) -> PayloadKind {
        let spec = Spec {
            vector_type: VectorType::Vector,
            metric,
            payload: PayloadKind::Sq8,
            code_bits: 0,
            dims: rows[0].len(),
        };
        let memory = Memory::new(usize::MAX);
        let mut sample = Sample::new(&spec, &memory).unwrap().unwrap();
        for (row, values) in rows.iter().enumerate() {
            assert!(sample.push(tid(row), Value::F32(values)).unwrap());
        }
        let payload = sample.choose(&memory).unwrap();
        let back: Vec<_> = sample.into_rows().map(Result::unwrap).collect();
        assert_eq!(back.len(), rows.len());
        for (row, (place, value)) in back.into_iter().enumerate() {
            assert_eq!((place, value), (tid(row), OwnedValue::F32(rows[row].clone())));
        }
        assert_eq!(memory.used(), 0);
        payload
    }

    #[test]
    fn steps_are_shorter_than_clusters_are_wide() {
        for metric in [Metric::L2, Metric::Cosine, Metric::L1] {
            let of = |deviation| chosen(metric, &clusters(1500, 32, deviation));
            assert_eq!(of(0.03), PayloadKind::Sq8, "{metric}");
            assert_eq!(of(0.002), PayloadKind::Half, "{metric}");
            assert_eq!(of(0.000_01), PayloadKind::Full, "{metric}");
        }
    }

    #[test]
    fn equal_rows_need_no_more_than_bytes() {
        let different = clusters(50, 16, 0.1);
        let rows: Vec<Vec<f32>> = (0..1000).map(|row| different[row % 50].clone()).collect();
        for metric in [Metric::L2, Metric::Cosine, Metric::InnerProduct] {
            assert_eq!(chosen(metric, &rows), PayloadKind::Sq8, "{metric}");
        }
    }

    #[test]
    fn of_few_rows_all_are_found() {
        assert_eq!(chosen(Metric::L2, &clusters(FEWEST - 1, 64, 0.001)), PayloadKind::Sq8);
        // Two rows of a cluster and none of their neighbours' are told apart by any payload.
        assert_eq!(chosen(Metric::L2, &clusters(FEWEST, 3, 0.1)), PayloadKind::Sq8);
    }

    #[test]
    fn the_sample_is_bounded() {
        let spec = crate::testing::spec(Metric::L2, PayloadKind::Sq8, 0, 100);
        let memory = Memory::new(1 << 20);
        let mut sample = Sample::new(&spec, &memory).unwrap().unwrap();
        let taken =
            (0..1000).take_while(|&row| sample.push(tid(row), Value::F32(&[0.5; 100])).unwrap()).count();
        assert!((100..=160).contains(&taken) && memory.used() <= (1 << 20) / 8, "{taken}");
        for vector_type in [VectorType::Bit, VectorType::Sparsevec] {
            assert!(Sample::new(&Spec { vector_type, ..spec }, &memory).unwrap().is_none());
        }
    }
}
