//! Small indexes for tests.

use crate::{
    Builder, Built, Codes, Distance, Host, Index, Options, Payload, Resources, Row, ScanOptions, Stopped,
    TempFiles,
};
use half::f16;
use kite_codecs::{Metric, OwnedValue, Scorer, VectorType};
use kite_pages::{ItemPointer, MemStore, PageStore};

/// Options of an index over `vector`.
pub(crate) fn options(metric: Metric, codes: Codes, payload: Payload, dims: usize) -> Options {
    Options { vector_type: VectorType::Vector, metric, dims, lists: 12, codes, payload, seed: 7 }
}

/// Every sort of codes with every payload that makes sense.
pub(crate) fn kinds() -> Vec<(Codes, Payload)> {
    let payloads = [Payload::Full, Payload::Half, Payload::Sq8, Payload::None];
    let codes = [
        Codes::None,
        Codes::Sq8,
        Codes::RabitQ { bits: 1 },
        Codes::RabitQ { bits: 2 },
        Codes::Pq { parts: 8, bits: 4 },
        Codes::Pq { parts: 5, bits: 8 },
    ];
    let all = codes.into_iter().flat_map(|codes| payloads.map(|payload| (codes, payload)));
    all.filter(|&(codes, payload)| (codes, payload) != (Codes::None, Payload::None)).collect()
}

/// Vectors in some clusters, from a seed.
pub(crate) fn vectors(count: usize, dims: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut draw = |scale: f32| -> Vec<f32> {
        // The sum of some uniform numbers is normal enough.
        (0..dims).map(|_| scale * ((0..4).map(|_| rng.f32()).sum::<f32>() - 2.0)).collect()
    };
    let centres: Vec<Vec<f32>> = (0..10).map(|_| draw(1.0)).collect();
    (0..count).map(|n| centres[n % 10].iter().zip(draw(0.6)).map(|(c, x)| c + x).collect()).collect()
}

/// The same as values of a type.
pub(crate) fn values(of: VectorType, count: usize, dims: usize, seed: u64) -> Vec<OwnedValue> {
    let value = |vector: Vec<f32>| match of {
        VectorType::Halfvec => OwnedValue::F16(vector.into_iter().map(f16::from_f32).collect()),
        VectorType::Bit => {
            let mut bytes = vec![0u8; dims.div_ceil(8)];
            for (n, x) in vector.iter().enumerate() {
                bytes[n / 8] |= u8::from(*x > 0.0) << (7 - n % 8);
            }
            OwnedValue::Bits(bytes)
        }
        _ => OwnedValue::F32(vector),
    };
    vectors(count, dims, seed).into_iter().map(value).collect()
}

/// The row of a vector by its number.
pub(crate) fn tid(n: usize) -> ItemPointer {
    ItemPointer::new(n as u32 / 100, (n % 100) as u16 + 1)
}

/// The number of a row.
pub(crate) fn number(tid: ItemPointer) -> usize {
    tid.block() as usize * 100 + usize::from(tid.no()) - 1
}

/// Exact search: what an index is held against.
pub(crate) struct Exact {
    scorer: Scorer,
    payloads: Vec<Vec<u8>>,
}

impl Exact {
    pub(crate) fn new(options: &Options, values: &[OwnedValue]) -> Self {
        let spec = Options { payload: Payload::Full, codes: Codes::None, ..*options }.spec();
        let scorer = Scorer::new(spec, None).unwrap();
        let encode = |value: &OwnedValue| {
            let mut payload = Vec::new();
            scorer.encode(value.as_ref(), &mut payload).unwrap();
            payload
        };
        Self { payloads: values.iter().map(encode).collect(), scorer }
    }

    /// What the operator computes for a row.
    pub(crate) fn distance(&self, query: &OwnedValue, n: usize) -> f64 {
        let query = self.scorer.prepare(Some(query.as_ref())).unwrap();
        self.scorer.operator(&query, &self.payloads[n]).unwrap().unwrap()
    }

    /// The numbers of the `k` nearest of the rows for which `alive` holds, nearest first.
    pub(crate) fn nearest(&self, query: &OwnedValue, k: usize, alive: impl Fn(usize) -> bool) -> Vec<usize> {
        let query = self.scorer.prepare(Some(query.as_ref())).unwrap();
        let rank = |n: usize| (self.scorer.exact(&query, &self.payloads[n]).unwrap(), n);
        let mut ranked: Vec<(f32, usize)> =
            (0..self.payloads.len()).filter(|&n| alive(n)).map(rank).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.into_iter().take(k).map(|(_, n)| n).collect()
    }
}

pub(crate) struct Alone;

impl Host for Alone {
    fn go_on(&self) -> Result<(), Stopped> {
        Ok(())
    }
}

/// What is enough for small builds.
pub(crate) const ENOUGH: Resources = Resources { threads: 2, memory: 64 << 20 };

/// Builds an index over all values, row `n` at [`tid`]`(n)`.
pub(crate) fn build(
    store: &impl PageStore,
    options: &Options,
    resources: Resources,
    values: &[OwnedValue],
) -> Built {
    let mut builder = Builder::new(options, resources, TempFiles::default()).unwrap();
    for (n, value) in values.iter().enumerate() {
        assert!(builder.push(tid(n), value.as_ref()).unwrap());
    }
    builder.finish(store, &Alone).unwrap()
}

/// A new index over all values.
pub(crate) fn built<'s>(
    store: &'s MemStore,
    options: &Options,
    values: &[OwnedValue],
) -> Index<'s, MemStore> {
    build(store, options, ENOUGH, values);
    Index::open(store).unwrap()
}

/// The rows that a query returns.
pub(crate) fn rows<S: PageStore>(
    index: &mut Index<'_, S>,
    query: &OwnedValue,
    options: ScanOptions,
    most: usize,
) -> Vec<Row> {
    let mut scan = index.scan(Some(query.as_ref()), options).unwrap();
    let mut rows = Vec::new();
    while rows.len() < most
        && let Some(row) = scan.next_row().unwrap()
    {
        rows.push(row);
    }
    rows
}

/// The first `k` of what an executor makes of rows with bounds: it looks at each, and hands out what no other can come before.
pub(crate) fn rechecked(found: &[Row], exact: impl Fn(usize) -> f64, k: usize) -> Vec<usize> {
    let mut seen: Vec<(f64, usize)> = Vec::new();
    for row in found {
        let n = number(row.tid);
        let bound = match row.distance {
            Distance::Exact(bound) | Distance::AtLeast(bound) => bound,
            Distance::Estimate(_) | Distance::Unordered => {
                return found.iter().take(k).map(|row| number(row.tid)).collect();
            }
        };
        if seen.len() >= k && seen[k - 1].0 <= bound {
            break;
        }
        seen.push((exact(n), n));
        seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    seen.into_iter().take(k).map(|(_, n)| n).collect()
}

/// How many of the nearest `k` rows queries find, as a share; and bounds and order are what they should be.
pub(crate) fn recall(
    index: &mut Index<'_, MemStore>,
    values: &[OwnedValue],
    queries: &[OwnedValue],
    options: ScanOptions,
    k: usize,
) -> f64 {
    let exact = Exact::new(&index.options(), values);
    let (mut hit, mut wanted) = (0, 0);
    for query in queries {
        let found = rows(index, query, options, 10 * k);
        let mut last = f64::NEG_INFINITY;
        for row in &found {
            let value = exact.distance(query, number(row.tid));
            match row.distance {
                Distance::Exact(distance) => {
                    assert!((distance - value).abs() <= 1e-6 * value.abs(), "{distance} {value}");
                    assert!(distance >= last);
                    last = distance;
                }
                Distance::AtLeast(bound) => {
                    assert!(bound <= value && bound >= last, "{bound} {value} {last}");
                    last = bound;
                }
                Distance::Estimate(estimate) => {
                    assert!(estimate >= last);
                    last = estimate;
                }
                Distance::Unordered => panic!("the query has an order"),
            }
        }
        let first = rechecked(&found, |n| exact.distance(query, n), k);
        let nearest = exact.nearest(query, k, |_| true);
        // Equal distances are equally good.
        let limit = nearest.last().map_or(0.0, |&n| exact.distance(query, n));
        hit += first.iter().filter(|&&n| exact.distance(query, n) <= limit).count();
        wanted += nearest.len();
    }
    hit as f64 / f64::from(wanted as u32)
}
