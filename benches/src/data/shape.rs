//! Generated sets of other shapes than that of embeddings: each is hard for an index in one way.

use super::generator::{Generator, Kind};
use super::hash::{Hash, Stream};
use super::{Rows, sparse};
use crate::metric::{Element, Metric};
use anyhow::{Result, ensure};

/// Grows whenever the same numbers make other vectors.
const VERSION: u64 = 1;

/// Different vectors of a set of duplicates.
const DISTINCT: u64 = 200;
/// Clusters, whose centres fill a cube.
const CLUSTERS: u64 = 50;
/// How tight they are where nothing is said.
pub(super) const TIGHT: u32 = 1000;

/// What generated vectors are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Those of a model: [`Generator`].
    Embeddings,
    /// Independent coordinates between 0 and 1.
    Uniform,
    /// Two hundred vectors, each many times; queries lie between them.
    Duplicates,
    /// Fifty clusters, far from each other. Along each axis their vectors deviate by the cube's side over `tight`.
    Clusters { tight: u32 },
    /// Weights of terms: [`sparse`].
    Sparse,
}

impl Shape {
    const ALL: [Self; 5] =
        [Self::Embeddings, Self::Uniform, Self::Duplicates, Self::Clusters { tight: TIGHT }, Self::Sparse];

    /// What stands before the number of rows.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Embeddings => "",
            Self::Uniform => "uniform:",
            Self::Duplicates => "duplicates:",
            Self::Clusters { .. } => "clusters:",
            Self::Sparse => "sparse:",
        }
    }

    /// The shape that a text begins with, and the rest.
    pub(super) fn split(text: &str) -> (Self, &str) {
        let named = |shape: Self| text.strip_prefix(shape.prefix()).map(|rest| (shape, rest));
        // Every text begins with the empty prefix, which is the first one.
        Self::ALL.into_iter().rev().find_map(named).unwrap_or((Self::Embeddings, text))
    }

    /// The column that the vectors are meant for, and what it is searched by.
    pub(super) fn usual(self) -> (Element, Metric) {
        match self {
            Self::Embeddings => (Element::Vector, Metric::Cosine),
            Self::Uniform | Self::Duplicates | Self::Clusters { .. } => (Element::Vector, Metric::L2),
            Self::Sparse => (Element::Sparsevec, Metric::Cosine),
        }
    }

    /// Rows and queries of this shape.
    pub(super) fn generate(
        self,
        (len, dims): (usize, usize),
        queries: usize,
        seed: u64,
    ) -> Result<(Box<dyn Rows>, Vec<f32>)> {
        if self == Self::Embeddings {
            let generator = Generator::new(len, dims, seed)?;
            let queries = generator.queries(queries);
            return Ok((Box::new(generator), queries));
        }
        ensure!(dims > 0 && len > 0, "cannot generate {len} rows of {dims} dimensions");
        let shaped = Shaped { shape: self, len, dims, seed };
        let mut values = vec![0.0; queries * dims];
        for (n, query) in (0..).zip(values.chunks_exact_mut(dims)) {
            shaped.point(Kind::Query, n, query);
        }
        Ok((Box::new(shaped), values))
    }
}

/// Rows that their numbers make.
#[derive(Debug)]
struct Shaped {
    shape: Shape,
    len: usize,
    dims: usize,
    seed: u64,
}

impl Shaped {
    /// The n-th vector of a kind: nothing else decides what it is.
    fn point(&self, kind: Kind, n: u64, out: &mut [f32]) {
        let shape = match self.shape {
            Shape::Embeddings => 0,
            Shape::Uniform => 1,
            Shape::Duplicates => 2,
            Shape::Clusters { .. } => 3,
            Shape::Sparse => 4,
        };
        let path = [self.seed, shape];
        let of = |part: u64, n: u64| Stream::new(&[path[0], path[1], part, n]);
        let fill = |mut stream: Stream, out: &mut [f32]| {
            out.iter_mut().for_each(|x| *x = stream.unit() as f32);
        };
        // Rows and queries have parts of their own; what belongs to all is the third.
        let (own, common) = (kind as u64, 2);
        match self.shape {
            Shape::Duplicates if kind == Kind::Row => fill(of(common, of(own, n).bits() % DISTINCT), out),
            Shape::Embeddings | Shape::Uniform | Shape::Duplicates => fill(of(own, n), out),
            Shape::Clusters { tight } => {
                let mut stream = of(own, n);
                fill(of(common, stream.bits() % CLUSTERS), out);
                out.iter_mut().for_each(|x| *x += stream.normal() / tight as f32);
            }
            Shape::Sparse => sparse::point(&path, kind, n, out),
        }
    }
}

impl Rows for Shaped {
    fn dims(&self) -> usize {
        self.dims
    }

    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        for (n, row) in (first as u64..).zip(out.chunks_exact_mut(self.dims)) {
            self.point(Kind::Row, n, row);
        }
        Ok(())
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        hash.text(self.shape.prefix()).number(VERSION).number(self.dims as u64).number(self.seed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dataset, Source, Truth};
    use super::*;
    use std::collections::BTreeMap;

    fn open(text: &str) -> Dataset {
        text.parse::<Source>().unwrap().open().unwrap()
    }

    /// How often each vector occurs.
    fn counts(data: &Dataset) -> Vec<usize> {
        let mut counts: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        data.for_each_row(0..data.len(), |_, row| {
            *counts.entry(row.iter().map(|x| x.to_bits()).collect()).or_default() += 1;
            Ok(())
        })
        .unwrap();
        counts.into_values().collect()
    }

    fn distances(data: &Dataset, k: usize) -> Vec<Vec<f64>> {
        let truth = Truth::compute(data, data.metric(), k, None, &|_, _| ()).unwrap();
        let of = |query| truth.neighbours(query).iter().map(|near| near.distance).collect();
        (0..data.queries().len()).map(of).collect()
    }

    #[test]
    fn a_vector_is_its_number() {
        for shape in ["uniform", "duplicates", "clusters", "sparse"] {
            let (one, other) =
                (open(&format!("generated:{shape}:50x8")), open(&format!("generated:{shape}:60x8")));
            let (mut a, mut b) = ([0.0; 5 * 8], [0.0; 5 * 8]);
            one.read(40, &mut a).unwrap();
            other.read(40, &mut b).unwrap();
            assert_eq!(a, b, "{shape}");
            assert_eq!(one.query(999), other.query(999), "{shape}");
            let seeded = open(&format!("generated:{shape}:50x8,seed=2"));
            seeded.read(40, &mut b).unwrap();
            assert_ne!(a, b, "{shape}");
        }
    }

    #[test]
    fn uniform_vectors_fill_a_cube() {
        let data = open("generated:uniform:2kx3,queries=20");
        assert_eq!((data.metric(), counts(&data).len()), (Metric::L2, 2000));
        let mut octants = [0; 8];
        data.for_each_row(0..2000, |_, row| {
            assert!(row.iter().all(|x| (0.0..=1.0).contains(x)));
            octants[row.iter().fold(0, |octant, &x| 2 * octant + usize::from(x > 0.5))] += 1;
            Ok(())
        })
        .unwrap();
        assert!(octants.iter().all(|count| (200..300).contains(count)), "{octants:?}");
    }

    #[test]
    fn duplicates_are_many_and_count_alike() {
        let data = open("generated:duplicates:10kx16,queries=20");
        let counts = counts(&data);
        assert!(counts.len() == 200 && counts.iter().all(|count| (20..90).contains(count)), "{counts:?}");
        // The ten nearest rows are one vector.
        assert!(distances(&data, 10).iter().all(|near| near[0] > 0.0 && near[0] == near[9]));
        // Whichever copies an index finds, it has found the right ones.
        let truth = Truth::compute(&data, data.metric(), 10, None, &|_, _| ()).unwrap();
        let all = Truth::compute(&data, data.metric(), 40, None, &|_, _| ()).unwrap();
        for query in 0..20 {
            let near = all.neighbours(query);
            let copies =
                near.iter().filter(|row| row.distance == near[0].distance).map(|row| i64::from(row.id));
            let last: Vec<i64> = copies.rev().take(10).collect();
            let distance = |id| data.distance(data.metric(), query, id);
            assert_eq!(truth.recall(query, &last, 10, distance).unwrap(), 1.0);
        }
    }

    #[test]
    fn clusters_are_tight_and_far_apart() {
        let data = open("generated:clusters:2kx32,queries=20");
        for near in distances(&data, 100) {
            // Forty rows, more or less, are of the query's own cluster.
            assert!(near[9] < 0.02 && near[99] > 1.0, "{near:?}");
        }
        // Distances within a cluster grow with its deviation.
        let wide = open("generated:clusters:2kx32,queries=20,tight=100");
        for (near, wide) in distances(&data, 10).iter().zip(distances(&wide, 10)) {
            assert!((9.9..10.1).contains(&(wide[9] / near[9])), "{near:?} {wide:?}");
        }
    }

    #[test]
    fn sparse_answers_are_those_by_dense_arithmetic() {
        let (sparse, dense) = ("generated:sparse:300x2000,queries=5", ",element=vector");
        for metric in ["cosine", "ip", "l2", "l1"] {
            let of = |more: &str| open(&format!("{sparse}{more},metric={metric}"));
            let (sparse, dense) = (of(""), of(dense));
            assert_eq!((sparse.element(), dense.element()), (Element::Sparsevec, Element::Vector));
            for (sparse, dense) in
                distances(&sparse, 7).iter().flatten().zip(distances(&dense, 7).iter().flatten())
            {
                assert!((sparse - dense).abs() < 1e-12, "{metric}: {sparse} {dense}");
            }
        }
    }

    #[test]
    fn bits_are_the_signs_of_numbers() {
        for metric in ["hamming", "jaccard"] {
            let data = open(&format!("generated:1kx96,queries=5,element=bit,metric={metric}"));
            let plain = open("generated:1kx96,queries=5");
            let (mut bits, mut numbers) = ([0.0; 96], [0.0; 96]);
            data.read(77, &mut bits).unwrap();
            plain.read(77, &mut numbers).unwrap();
            assert!(bits.iter().zip(numbers).all(|(&bit, x)| bit == f32::from(u8::from(x > 0.0))));
            for (query, near) in distances(&data, 10).iter().enumerate() {
                let mut all: Vec<f64> =
                    (0..1000).map(|row| data.distance(data.metric(), query, row).unwrap()).collect();
                all.sort_by(f64::total_cmp);
                assert_eq!(near[..], all[..10], "{metric}");
            }
        }
    }
}
