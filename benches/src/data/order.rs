//! Rows in an order that keeps near ones together.

use super::hash::Stream;
use super::{BLOCK, Dataset, parallel};
use crate::metric::Metric;
use anyhow::Result;
use kite_kernels::kernels;

/// Rows that the tree is built on, at most.
const SAMPLE: usize = 1 << 16;
/// Values of them, at most.
const SAMPLE_VALUES: usize = 1 << 26;
/// Rows of the sample that stay together.
const LEAF: usize = 16;
/// Rows that decide about a split.
const TRIED: usize = 256;
/// Rounds of 2-means for a split.
const ROUNDS: usize = 4;

/// A tree that splits space at hyperplanes, and the rows numbered along its leaves.
pub(super) struct Order {
    tree: Tree,
    ranks: Vec<u32>,
    /// The first rank of each leaf, and at the end the number of rows.
    starts: Vec<u32>,
}

struct Tree {
    dims: usize,
    /// Whether lengths do not matter.
    unit: bool,
    root: Node,
    leaves: u32,
}

enum Node {
    Leaf(u32),
    /// Rows whose projection on the direction is less than the border lie in the first child.
    Split {
        direction: Vec<f32>,
        border: f32,
        children: Box<[Node; 2]>,
    },
}

impl Order {
    pub(super) fn of(data: &Dataset) -> Result<Self> {
        let tree = Tree::build(data)?;
        let dims = data.dims();
        let mut leaves = vec![0; data.len()];
        let rows = (BLOCK / dims).max(1);
        parallel::fill(&mut leaves, rows, |n, leaves| {
            let mut block = vec![0.0; leaves.len() * dims];
            data.read(n * rows, &mut block)?;
            leaves.iter_mut().zip(block.chunks_exact(dims)).for_each(|(leaf, row)| *leaf = tree.leaf(row));
            Ok(())
        })?;
        let mut starts = vec![0; tree.leaves as usize + 1];
        leaves.iter().for_each(|&leaf| starts[leaf as usize + 1] += 1);
        for leaf in 1..starts.len() {
            starts[leaf] += starts[leaf - 1];
        }
        let mut next = starts.clone();
        let rank = |leaf: u32| {
            let next = &mut next[leaf as usize];
            *next += 1;
            *next - 1
        };
        let ranks = leaves.into_iter().map(rank).collect();
        Ok(Self { tree, ranks, starts })
    }

    /// The rank that a vector would have: the middle of its leaf.
    pub(super) fn position(&self, vector: &[f32]) -> u32 {
        let leaf = self.tree.leaf(vector) as usize;
        let last = self.starts[self.starts.len() - 1] - 1;
        u32::midpoint(self.starts[leaf], self.starts[leaf + 1]).min(last)
    }

    /// The rank of each row.
    pub(super) fn into_ranks(self) -> Vec<u32> {
        self.ranks
    }
}

impl Tree {
    fn build(data: &Dataset) -> Result<Self> {
        let dims = data.dims();
        let count = data.len().min(SAMPLE).min(SAMPLE_VALUES / dims).max(1);
        let mut sample = vec![0.0; count * dims];
        for (n, row) in sample.chunks_exact_mut(dims).enumerate() {
            data.read((n as u64 * data.len() as u64 / count as u64) as usize, row)?;
        }
        let unit = data.metric() == Metric::Cosine;
        if unit {
            for row in sample.chunks_exact_mut(dims) {
                let scale = inverse_length(row);
                row.iter_mut().for_each(|x| *x *= scale);
            }
        }
        let mut numbers: Vec<usize> = (0..count).collect();
        let mut growing =
            Growing { dims, sample, random: Stream::new(&[dims as u64, count as u64]), leaves: 0 };
        let root = growing.node(&mut numbers, None);
        Ok(Self { dims, unit, root, leaves: growing.leaves })
    }

    fn leaf(&self, vector: &[f32]) -> u32 {
        debug_assert_eq!(vector.len(), self.dims);
        let scale = if self.unit { inverse_length(vector) } else { 1.0 };
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return *leaf,
                Node::Split { direction, border, children } => {
                    let along = scale * (kernels().f32.dot)(direction, vector);
                    node = &children[usize::from(along >= *border)];
                }
            }
        }
    }
}

struct Growing {
    dims: usize,
    sample: Vec<f32>,
    random: Stream,
    leaves: u32,
}

impl Growing {
    fn row(&self, number: usize) -> &[f32] {
        &self.sample[number * self.dims..][..self.dims]
    }

    fn node(&mut self, numbers: &mut [usize], above: Option<&[f32]>) -> Node {
        let split = if numbers.len() > LEAF { self.split(numbers, above) } else { None };
        let Some((direction, border, middle)) = split else {
            self.leaves += 1;
            return Node::Leaf(self.leaves - 1);
        };
        let (low, high) = numbers.split_at_mut(middle);
        let children = Box::new([low, high].map(|half| self.node(half, Some(&direction))));
        Node::Split { direction, border, children }
    }

    /// A direction, a border along it, and how many of the rows lie before the border; the rows are put in that order. None if
    /// no border parts them.
    fn split(&mut self, numbers: &mut [usize], above: Option<&[f32]>) -> Option<(Vec<f32>, f32, usize)> {
        let direction = self.direction(numbers, above);
        let mut along: Vec<(f32, usize)> = numbers
            .iter()
            .map(|&number| ((kernels().f32.dot)(&direction, self.row(number)), number))
            .collect();
        along.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        numbers.iter_mut().zip(&along).for_each(|(number, along)| *number = along.1);
        // The first of those equal to the median, or the first above it.
        let median = along[along.len() / 2].0;
        let before = along.partition_point(|along| along.0 < median);
        let middle = if before > 0 { before } else { along.partition_point(|along| along.0 <= median) };
        let border = along.get(middle)?.0;
        Some((direction, border, middle))
    }

    /// From the centre of one half of the rows to that of the other, by some rounds of 2-means that begin at two far rows. It
    /// points as the split above does, so that the halves' near ends meet at the border.
    fn direction(&mut self, numbers: &[usize], above: Option<&[f32]>) -> Vec<f32> {
        let tried: Vec<usize> = if numbers.len() <= TRIED {
            numbers.to_vec()
        } else {
            (0..TRIED).map(|_| numbers[(self.random.bits() % numbers.len() as u64) as usize]).collect()
        };
        let far = self.farthest(&tried, tried[0]);
        let mut centres = [far, self.farthest(&tried, far)].map(|number| self.row(number).to_vec());
        for _ in 0..ROUNDS {
            let mut sums = [vec![0.0; self.dims], vec![0.0; self.dims]];
            let mut counts = [0.0_f32; 2];
            for row in tried.iter().map(|&number| self.row(number)) {
                let [one, other] = centres.each_ref().map(|centre| (kernels().f32.l2_squared)(centre, row));
                let nearer = usize::from(other < one);
                counts[nearer] += 1.0;
                sums[nearer].iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            // The centre that is nearest to no row stays.
            for ((centre, sum), count) in
                centres.iter_mut().zip(sums).zip(counts).filter(|(_, count)| *count > 0.0)
            {
                centre.iter_mut().zip(sum).for_each(|(centre, sum)| *centre = sum / count);
            }
        }
        let [one, other] = centres;
        let direction: Vec<f32> = one.iter().zip(&other).map(|(one, other)| other - one).collect();
        let turned = above.is_some_and(|above| (kernels().f32.dot)(above, &direction) < 0.0);
        if turned { direction.iter().map(|x| -x).collect() } else { direction }
    }

    /// The row farthest from one of them.
    fn farthest(&self, numbers: &[usize], from: usize) -> usize {
        let distance = |number: usize| (kernels().f32.l2_squared)(self.row(number), self.row(from));
        numbers.iter().copied().max_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(from)
    }
}

/// What a vector is to be multiplied by to have unit length; 0 for one of length zero.
fn inverse_length(vector: &[f32]) -> f32 {
    let length = (kernels().f32.norm_squared)(vector).sqrt();
    if length > 0.0 { (1.0 / length) as f32 } else { 0.0 }
}
