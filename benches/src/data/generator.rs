//! Vectors like those an embedding model makes, from a seed.

use super::Rows;
use super::hash::{Hash, Stream};
use anyhow::{Result, ensure};

/// Grows whenever the same numbers make other vectors.
const VERSION: u64 = 2;

/// Groups within groups: topics, their subjects, and families of near equals.
const LEVELS: [Level; 3] = [
    Level { tail: 0.8, large: 20.0, length: 0.7, spread: 0.1 },
    Level { tail: 0.8, large: 20.0, length: 0.8, spread: 0.2 },
    Level { tail: 0.7, large: 2.0, length: 0.5, spread: 0.4 },
];
/// What is a vector's own, beside what its groups give it, and how unequal that is.
const OWN: (f32, f32) = (0.2, 0.8);
/// Length of the direction that all share.
const MEAN: f32 = 0.7;
/// The deviation along the n-th axis falls with (1 + n/KNEE)^-DECAY.
const KNEE: f32 = 40.0;
const DECAY: f32 = 0.7;
/// Axes that groups differ along.
const AXES: usize = 256;

/// How vectors fall into groups.
#[derive(Debug)]
struct Level {
    /// The n-th group has a share of about (n + large)^-(1 + tail): numbers never end, and so the groups grow with the rows.
    tail: f64,
    /// About how many groups are nearly as large as the largest.
    large: f64,
    /// How far groups lie from each other.
    length: f32,
    /// How unequal that is.
    spread: f32,
}

/// What a vector is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    Query,
}

#[derive(Debug)]
pub(super) struct Generator {
    dims: usize,
    len: usize,
    seed: u64,
    mean: Vec<f32>,
    /// Deviations along the axes.
    scales: Vec<f32>,
    /// Where the axes lie in the transform's input: any order, so that no two outputs are alike.
    places: Vec<usize>,
    signs: Vec<f32>,
}

/// The parts of a seed's numbers.
#[derive(Clone, Copy)]
enum Part {
    Mean,
    Place,
    Sign,
    Choice(Kind),
    Own(Kind),
    Group,
}

impl Part {
    fn number(self) -> u64 {
        let kind = |kind| u64::from(kind == Kind::Query);
        match self {
            Self::Mean => 0,
            Self::Place => 1,
            Self::Sign => 2,
            Self::Group => 3,
            Self::Choice(of) => 4 + kind(of),
            Self::Own(of) => 6 + kind(of),
        }
    }
}

impl Generator {
    pub(super) fn new(len: usize, dims: usize, seed: u64) -> Result<Self> {
        ensure!(dims > 0 && len > 0, "cannot generate {len} rows of {dims} dimensions");
        let width = dims.next_power_of_two();
        let stream = |part: Part| Stream::new(&[seed, part.number()]);
        let mut normal = stream(Part::Mean);
        let mean: Vec<f32> = (0..dims).map(|_| normal.normal()).collect();
        let length = MEAN / norm(&mean);
        let scales = (0..width).map(|n| (1.0 + n as f32 / KNEE).powf(-DECAY));
        let scales: Vec<f32> = scales.collect();
        // Half of the squares of a sum of unit length may go to outputs that are left out: each output counts for 1/dims.
        let length_of_all = norm(&scales) * (dims as f32).sqrt();
        let mut places: Vec<usize> = (0..width).collect();
        let mut order = stream(Part::Place);
        places.sort_by_cached_key(|_| order.bits());
        let mut sign = stream(Part::Sign);
        Ok(Self {
            dims,
            len,
            seed,
            mean: mean.iter().map(|x| x * length).collect(),
            scales: scales.iter().map(|scale| scale / length_of_all).collect(),
            places,
            signs: (0..dims).map(|_| if sign.bits() >> 63 == 0 { 1.0 } else { -1.0 }).collect(),
        })
    }

    /// Queries are further draws, none of the rows.
    pub(super) fn queries(&self, count: usize) -> Vec<f32> {
        let mut queries = vec![0.0; count * self.dims];
        let mut scratch = self.scratch();
        for (n, query) in (0..).zip(queries.chunks_exact_mut(self.dims)) {
            self.point(Kind::Query, n, query, &mut scratch);
        }
        queries
    }

    fn scratch(&self) -> [Vec<f32>; 2] {
        [vec![0.0; self.places.len()], vec![0.0; self.places.len()]]
    }

    /// The n-th vector of a kind: nothing else decides what it is.
    fn point(&self, kind: Kind, n: u64, out: &mut [f32], [along, whole]: &mut [Vec<f32>; 2]) {
        let stream = |part: Part| Stream::new(&[self.seed, part.number(), n]);
        let mut own = stream(Part::Own(kind));
        let length = OWN.0 * (OWN.1 * own.normal()).exp();
        along.iter_mut().for_each(|along| *along = length * own.normal());
        let mut choice = stream(Part::Choice(kind));
        let mut path = vec![self.seed, Part::Group.number()];
        for level in &LEVELS {
            path.push(level.choose(choice.unit()));
            let mut group = Stream::new(&path);
            let length = level.length * (level.spread * group.normal()).exp();
            along.iter_mut().take(AXES).for_each(|along| *along += length * group.normal());
        }
        for ((&place, along), scale) in self.places.iter().zip(along.iter()).zip(&self.scales) {
            whole[place] = along * scale;
        }
        turn(whole);
        for (((out, mean), sign), turned) in out.iter_mut().zip(&self.mean).zip(&self.signs).zip(whole.iter())
        {
            *out = mean + sign * turned;
        }
        let norm = norm(out);
        out.iter_mut().for_each(|out| *out /= norm);
    }
}

impl Level {
    /// The number of a group, from a number in (0, 1].
    fn choose(&self, unit: f64) -> u64 {
        (self.large * (unit.powf(-1.0 / self.tail) - 1.0)) as u64
    }
}

impl Rows for Generator {
    fn dims(&self) -> usize {
        self.dims
    }

    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let mut scratch = self.scratch();
        for (n, row) in (first as u64..).zip(out.chunks_exact_mut(self.dims)) {
            self.point(Kind::Row, n, row, &mut scratch);
        }
        Ok(())
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        hash.number(VERSION).number(self.dims as u64).number(self.seed);
        Ok(())
    }
}

/// The Walsh-Hadamard transform, not scaled: a rotation that mixes all values in n·log n additions.
fn turn(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                (*low, *high) = (*low + *high, *low - *high);
            }
        }
        half *= 2;
    }
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|x| x * x).sum::<f32>().sqrt()
}
