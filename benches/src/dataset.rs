//! Vectors like those an embedding model makes, from a seed.
//!
//! Embeddings fill their space thinly: they lie near a surface of a few dozen dimensions, crowd in clusters of very unequal
//! size, share a mean direction, and have unit length. Uniform noise has none of that, and searches on it say little.

/// Dimensions of the surface that the vectors lie near.
const LATENT: usize = 32;
const CLUSTERS: usize = 64;
/// Length of what is added in all directions, relative to the rest.
const NOISE: f32 = 0.1;

/// Rows to be searched and queries to search with, all of unit length.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) dims: usize,
    rows: Vec<f32>,
    queries: Vec<f32>,
}

impl Dataset {
    /// Makes the same vectors whenever it is given the same numbers. Queries are further draws, none of the rows.
    pub(crate) fn generate(rows: usize, queries: usize, dims: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let surface = Surface::draw(dims, &mut random);
        let mut draw =
            |count: usize| (0..count).flat_map(|_| surface.point(&mut random)).collect::<Vec<f32>>();
        Self { dims, rows: draw(rows), queries: draw(queries) }
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.rows.chunks_exact(self.dims)
    }

    pub(crate) fn queries(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.queries.chunks_exact(self.dims)
    }
}

/// Where the vectors lie: a linear surface through a common mean, and centres on it.
struct Surface {
    dims: usize,
    mean: Vec<f32>,
    /// One direction after another, the first ones the longest.
    directions: Vec<f32>,
    centres: Vec<[f32; LATENT]>,
    /// The n-th cluster's share of all vectors, summed up to it.
    shares: Vec<f32>,
}

impl Surface {
    fn draw(dims: usize, random: &mut fastrand::Rng) -> Self {
        let scale = 1.0 / (dims as f32).sqrt();
        let mean = (0..dims).map(|_| scale * normal(random)).collect();
        let directions = (0..LATENT)
            .flat_map(|n| {
                let length = scale / (1.0 + n as f32).sqrt();
                (0..dims).map(|_| length * normal(random)).collect::<Vec<_>>()
            })
            .collect();
        let centres = (0..CLUSTERS).map(|_| std::array::from_fn(|_| normal(random))).collect();
        // Zipf's law: the n-th largest cluster is an n-th of the largest.
        let total: f32 = (1..=CLUSTERS).map(|n| 1.0 / n as f32).sum();
        let shares = (1..=CLUSTERS)
            .scan(0.0, |sum, n| {
                *sum += 1.0 / n as f32 / total;
                Some(*sum)
            })
            .collect();
        Self { dims, mean, directions, centres, shares }
    }

    fn point(&self, random: &mut fastrand::Rng) -> Vec<f32> {
        let share = random.f32();
        let cluster = self.shares.partition_point(|&sum| sum < share).min(CLUSTERS - 1);
        let mut point = self.mean.clone();
        for (direction, centre) in self.directions.chunks_exact(self.dims).zip(&self.centres[cluster]) {
            let along = centre + 0.5 * normal(random);
            point.iter_mut().zip(direction).for_each(|(point, direction)| *point += along * direction);
        }
        let scale = NOISE / (self.dims as f32).sqrt();
        point.iter_mut().for_each(|point| *point += scale * normal(random));
        let norm = point.iter().map(|x| x * x).sum::<f32>().sqrt();
        point.iter_mut().for_each(|point| *point /= norm);
        point
    }
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.f32()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.f32()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn a_seed_names_its_vectors() {
        let (one, same, other) = (
            Dataset::generate(50, 3, 24, 9),
            Dataset::generate(50, 3, 24, 9),
            Dataset::generate(50, 3, 24, 8),
        );
        assert_eq!((&one.rows, &one.queries), (&same.rows, &same.queries));
        assert_ne!(one.rows, other.rows);
        assert_eq!((one.rows().len(), one.queries().len()), (50, 3));
    }

    #[test]
    fn vectors_have_unit_length_and_close_neighbours() {
        let data = Dataset::generate(2000, 40, 96, 1);
        assert!(data.rows().chain(data.queries()).all(|row| (dot(row, row) - 1.0).abs() < 1e-4));
        let mut gaps: Vec<f32> = Vec::new();
        for query in data.queries() {
            let mut products: Vec<f32> = data.rows().map(|row| dot(row, query)).collect();
            products.sort_by(|a, b| b.total_cmp(a));
            gaps.push(products[0] - products[products.len() / 2]);
        }
        // Of 2,000 uniform vectors in 96 dimensions the nearest is 0.35 nearer than the middle one; queries here have more
        // than that, since they fall into clusters.
        gaps.sort_by(f32::total_cmp);
        assert!(gaps[gaps.len() / 2] > 0.4, "{gaps:?}");
    }

    #[test]
    fn few_directions_hold_most_of_the_variance() {
        let data = Dataset::generate(1500, 1, 96, 2);
        // The share of the squared singular values that the first ones hold is trace(C²)/trace(C)² seen from the other end:
        // its inverse counts the directions that matter.
        let n = data.rows().len() as f32;
        let mut mean = vec![0.0_f32; 96];
        data.rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / n));
        let mut covariance = vec![0.0_f32; 96 * 96];
        for row in data.rows() {
            let centred: Vec<f32> = row.iter().zip(&mean).map(|(x, mean)| x - mean).collect();
            for (i, a) in centred.iter().enumerate() {
                for (j, b) in centred.iter().enumerate() {
                    covariance[i * 96 + j] += a * b / n;
                }
            }
        }
        let trace: f32 = (0..96).map(|i| covariance[i * 97]).sum();
        let of_square: f32 = covariance.iter().map(|c| c * c).sum();
        let effective = trace * trace / of_square;
        assert!((3.0..32.0).contains(&effective), "{effective}");
    }
}
