//! k-means: Lloyd's algorithm, begun as by k-means++ (Arthur & Vassilvitskii, SODA 2007).
//!
//! Nothing depends on the number of threads: each sums the members of whole centroids, in their order. Many centroids are found in two
//! steps, first a few, and then for the members of each of them as many as its share: a step of Lloyd then costs the root.

use super::records::spread;
use super::sample::Sample;
use super::table::{BLOCK, Table};
use crate::Result;
use crate::centres::{Centres, Place, is_bits};
use kite_build::memory::{Counted, Memory};
use kite_build::{Host, threads};
use kite_codecs::Metric;
use std::sync::Mutex;

/// More centroids are found in two steps.
const AT_ONCE: usize = 1024;
/// Steps of Lloyd's algorithm at most, on all members, and before them on some for each centroid.
const STEPS: usize = 4;
const FIRST_STEPS: usize = 6;
const PART: usize = 16;

/// What k-means works with.
#[derive(Debug)]
pub(super) struct Setting<'a, H> {
    pub(super) threads: usize,
    pub(super) seed: u64,
    pub(super) memory: &'a Memory,
    pub(super) host: &'a H,
}

/// Centroids, in groups whose members lie near each other.
#[derive(Debug)]
pub(super) struct Clustered {
    pub(super) centres: Centres,
    /// Where each group begins, and the end; one group where they were found at once.
    pub(super) groups: Vec<usize>,
}

impl<H: Host> Setting<'_, H> {
    /// Finds `k` centroids, or as many as the sample has members, if those are fewer; one in any case.
    pub(super) fn cluster(&self, sample: &Sample, k: usize) -> Result<Clustered> {
        let k = k.min(sample.count()).max(1);
        if k <= AT_ONCE {
            let centres = self.lloyd(sample, k)?;
            return Ok(Clustered { groups: vec![0, centres.count()], centres });
        }
        let top = (k as f64).sqrt().round() as usize;
        let few =
            sample.gather(spread(sample.count(), top * 256).collect::<Vec<_>>().into_iter(), self.memory)?;
        let tops = self.lloyd(&few, top)?;
        drop(few);
        let mut members = Members::new(sample.count(), top, self.memory)?;
        self.assign(sample, &tops, &mut members)?;
        let (mut centres, mut groups) = (Centres::new(sample.metric, sample.len), vec![0]);
        centres.reserve(k)?;
        let (mut left, mut rows_left) = (k, sample.count());
        for group in 0..top {
            let rows = members.of(group);
            // What is left is shared out by numbers, so that all add up.
            let share = (left as u128 * rows.len() as u128 / rows_left.max(1) as u128) as usize;
            let share = if rows.is_empty() { 0 } else { share.clamp(1, rows.len()).min(left) };
            if share > 0 {
                let part = sample.gather(rows.iter().map(|&row| row as usize), self.memory)?;
                let found = self.lloyd(&part, share)?;
                centres.extend(&found);
                groups.push(centres.count());
            }
            (left, rows_left) = (left - share, rows_left - rows.len());
        }
        Ok(Clustered { centres, groups })
    }

    /// Lloyd's algorithm: the first steps, which move most, on a part of the members.
    fn lloyd(&self, sample: &Sample, k: usize) -> Result<Centres> {
        let k = k.min(sample.count());
        let mut centres = self.begin(sample, k)?;
        let few = (PART * k).max(1024);
        if few * 2 <= sample.count() {
            let rows: Vec<usize> = spread(sample.count(), few).collect();
            let part = sample.gather(rows.into_iter(), self.memory)?;
            self.steps(&part, &mut centres, FIRST_STEPS)?;
        }
        self.steps(sample, &mut centres, STEPS)?;
        Ok(centres)
    }

    fn steps(&self, sample: &Sample, centres: &mut Centres, steps: usize) -> Result<()> {
        let k = centres.count();
        // The next centroids stand beside these for a moment.
        let _next = self.memory.charge(2 * k * centres.held_each());
        let mut members = Members::new(sample.count(), k, self.memory)?;
        for _ in 0..steps {
            let moved = self.assign(sample, centres, &mut members)?;
            if moved == 0 {
                break;
            }
            self.move_to_means(sample, centres, &members)?;
            if !repair(sample, centres, &members) && moved < sample.count() / 200 {
                break;
            }
        }
        Ok(())
    }

    /// k-means++, by rounds: the next centroids are members, by chance in proportion to the square of their distance from those of the rounds
    /// before, a quarter as many as there are at a time (as k-means‖ does it; Bahmani et al., VLDB 2012). So members are held against many
    /// centroids together, on all threads.
    fn begin(&self, sample: &Sample, k: usize) -> Result<Centres> {
        let mut rng = Random(self.seed ^ k as u64);
        let mut centres = Centres::new(sample.metric, sample.len);
        centres.reserve(k)?;
        let rows: Vec<usize> = spread(sample.count(), (8 * k).max(4096)).collect();
        let mut weights = Counted::filled(self.memory, rows.len(), || f64::INFINITY)?;
        let mut next = vec![rng.below(rows.len())];
        loop {
            let mut new = Centres::new(sample.metric, sample.len);
            new.reserve(next.len())?;
            for &n in &next {
                new.push(sample.get(rows[n]));
                weights[n] = 0.0;
            }
            centres.extend(&new);
            if centres.count() == k {
                return Ok(centres);
            }
            self.weigh(sample, &rows, &new, &mut weights)?;
            let count = (centres.count() / 4).max(1).min(k - centres.count());
            next.clear();
            let mut sum: f64 = weights.iter().sum();
            for _ in 0..count {
                // Where all that is left are copies of centroids, any of them will do.
                let mut goal = rng.unit() * sum;
                let mut chosen = rng.below(rows.len());
                for (n, &weight) in weights.iter().enumerate() {
                    if weight > 0.0 && goal < weight {
                        chosen = n;
                        break;
                    }
                    goal -= weight;
                }
                sum = (sum - weights[chosen]).max(0.0);
                weights[chosen] = 0.0;
                next.push(chosen);
            }
        }
    }

    /// Lowers the weights of members that are nearer to these new centroids than to those before.
    fn weigh(&self, sample: &Sample, rows: &[usize], new: &Centres, weights: &mut [f64]) -> Result<()> {
        let table = Table::new(new, self.memory)?;
        let blocks: Vec<_> = rows.chunks(BLOCK).zip(weights.chunks_mut(BLOCK).map(Mutex::new)).collect();
        let mut states = vec![(); self.threads.max(1) + usize::from(self.threads > 1)];
        threads::run(self.host, &mut states, blocks.len(), |(), range| {
            for (rows, weights) in &blocks[range] {
                let Ok(mut weights) = weights.lock() else { continue };
                let mut places = [Place::Bits(&[]); BLOCK];
                let places = &mut places[..rows.len()];
                for (place, &row) in places.iter_mut().zip(*rows) {
                    *place = sample.get(row);
                }
                table.nearest(places, |n, _, key| {
                    weights[n] = weights[n].min(apart(sample.metric, key, places[n]));
                });
            }
        })?;
        Ok(())
    }

    /// Assigns all members, and answers how many have moved.
    fn assign(&self, sample: &Sample, centres: &Centres, members: &mut Members) -> Result<usize> {
        let mut states = vec![0usize; self.threads.max(1) + usize::from(self.threads > 1)];
        {
            let table = Table::new(centres, self.memory)?;
            let blocks: Vec<Mutex<&mut [Member]>> = members.all.chunks_mut(BLOCK).map(Mutex::new).collect();
            threads::run(self.host, &mut states, blocks.len(), |moved, range| {
                for block in range {
                    let Ok(mut block_members) = blocks[block].lock() else { continue };
                    let mut places = [Place::Bits(&[]); BLOCK];
                    let places = &mut places[..block_members.len()];
                    for (place, row) in places.iter_mut().zip(block * BLOCK..) {
                        *place = sample.get(row);
                    }
                    table.nearest(places, |n, centre, key| {
                        *moved += usize::from(block_members[n].centre != centre);
                        block_members[n] = Member { centre, key };
                    });
                }
            })?;
        }
        members.sort(centres.count())?;
        Ok(states.iter().sum())
    }

    /// Moves centroids into the middle of their members.
    fn move_to_means(&self, sample: &Sample, centres: &mut Centres, members: &Members) -> Result<()> {
        let mut states: Vec<Vec<(usize, Mean)>> = Vec::new();
        states.resize_with(self.threads.max(1) + usize::from(self.threads > 1), Vec::new);
        threads::run(self.host, &mut states, centres.count(), |means, range| {
            for n in range {
                means.extend(mean(sample, members.of(n)).map(|mean| (n, mean)));
            }
        })?;
        for (n, mean) in states.iter().flatten() {
            match mean {
                Mean::Point(point) => centres.set(*n, Place::Point(point)),
                Mean::Bits(bits) => centres.set(*n, Place::Bits(bits)),
            }
        }
        Ok(())
    }
}

/// How much a member wants a centroid of its own, where the nearest has this key.
fn apart(metric: Metric, key: f32, place: Place<'_>) -> f64 {
    let key = f64::from(key);
    let weight = match (metric, place) {
        (Metric::L2, _) => key,
        (Metric::InnerProduct | Metric::Cosine, Place::Point(x)) => {
            1.0 + key / (kite_kernels::kernels().f32.norm_squared)(x).sqrt()
        }
        _ => key * key,
    };
    if weight.is_finite() { weight.max(0.0) } else { 0.0 }
}

/// Gives centroids without members the places of the members that are farthest from theirs. Whether there were any.
fn repair(sample: &Sample, centres: &mut Centres, members: &Members) -> bool {
    let empty: Vec<usize> = (0..centres.count()).filter(|&n| members.of(n).is_empty()).collect();
    if empty.is_empty() {
        return false;
    }
    let mut far: Vec<usize> = (0..sample.count()).collect();
    let most = empty.len().min(far.len());
    let by_key = |&a: &usize, &b: &usize| members.all[b].key.total_cmp(&members.all[a].key).then(a.cmp(&b));
    if most < far.len() {
        far.select_nth_unstable_by(most, by_key);
    }
    far.truncate(most);
    far.sort_unstable_by(by_key);
    for (&n, &row) in empty.iter().zip(&far) {
        centres.set(n, sample.get(row));
    }
    true
}

/// A member of the sample, and the centroid that it belongs to.
#[derive(Debug, Clone, Copy)]
struct Member {
    centre: u32,
    key: f32,
}

/// All members, and those of each centroid.
#[derive(Debug)]
struct Members {
    all: Counted<Member>,
    rows: Counted<u32>,
    starts: Vec<usize>,
}

impl Members {
    fn new(count: usize, k: usize, memory: &Memory) -> Result<Self> {
        let none = Member { centre: u32::MAX, key: 0.0 };
        Ok(Self {
            all: Counted::filled(memory, count, || none)?,
            rows: Counted::filled(memory, count, || 0)?,
            starts: vec![0; k + 1],
        })
    }

    /// Puts members in the order of centroids.
    fn sort(&mut self, k: usize) -> Result<()> {
        self.starts.clear();
        self.starts.resize(k + 1, 0);
        for member in self.all.iter() {
            self.starts[member.centre as usize + 1] += 1;
        }
        for n in 0..k {
            self.starts[n + 1] += self.starts[n];
        }
        let mut next = self.starts.clone();
        for (row, member) in self.all.iter().enumerate() {
            let place = &mut next[member.centre as usize];
            self.rows[*place] = row as u32;
            *place += 1;
        }
        Ok(())
    }

    fn of(&self, n: usize) -> &[u32] {
        &self.rows[self.starts[n]..self.starts[n + 1]]
    }
}

/// A new centroid.
enum Mean {
    Point(Vec<f32>),
    Bits(Vec<u8>),
}

/// The middle of some members: the mean; the mean direction, as long as members reach in it on the average; or the bits that most
/// of them have. `None` where there is none.
fn mean(sample: &Sample, rows: &[u32]) -> Option<Mean> {
    let kernels = kite_kernels::kernels();
    let count = rows.len() as f64;
    if rows.is_empty() {
        return None;
    }
    if is_bits(sample.metric) {
        return Some(Mean::Bits(majority(sample, rows)));
    }
    let mut sums = vec![0f64; sample.len];
    // Of directions, where lengths differ.
    let mut directions = vec![0f64; if sample.metric == Metric::InnerProduct { sample.len } else { 0 }];
    for &row in rows {
        let Place::Point(x) = sample.get(row as usize) else { continue };
        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x));
        if !directions.is_empty() {
            let factor = 1.0 / (kernels.f32.norm_squared)(x).sqrt();
            if factor.is_finite() {
                directions.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x) * factor);
            }
        }
    }
    if !directions.is_empty() {
        // As long as members reach in that direction: the product with their sum is the sum of products.
        let squared = directions.iter().map(|x| x * x).sum::<f64>();
        let along = directions.iter().zip(&sums).map(|(c, x)| c * x).sum::<f64>();
        sums.iter_mut().zip(&directions).for_each(|(sum, c)| *sum = c * along / squared);
    }
    let is_direction = matches!(sample.metric, Metric::InnerProduct | Metric::Cosine);
    let point: Vec<f32> = sums.iter().map(|x| (x / count) as f32).collect();
    let sound = point.iter().all(|x| x.is_finite()) && !(is_direction && point.iter().all(|&x| x == 0.0));
    sound.then_some(Mean::Point(point))
}

/// The bits that most of some members have.
fn majority(sample: &Sample, rows: &[u32]) -> Vec<u8> {
    let mut ones = vec![0u32; 8 * sample.len];
    for &row in rows {
        let Place::Bits(bits) = sample.get(row as usize) else { continue };
        for (n, ones) in ones.iter_mut().enumerate() {
            *ones += u32::from(bits[n / 8] >> (7 - n % 8) & 1);
        }
    }
    let mut bits = vec![0u8; sample.len];
    for (n, &ones) in ones.iter().enumerate() {
        bits[n / 8] |= u8::from(2 * ones as usize > rows.len()) << (7 - n % 8);
    }
    bits
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }
}
