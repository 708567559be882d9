//! Sparse vectors like those a model makes of texts, from a seed: weights of terms.
//!
//! A vector belongs to a topic, whose share falls with its rank, and which has terms of its own. Most of the vector's terms are
//! those, the others come from the whole vocabulary, and within both a term's frequency falls with its rank by Zipf's law. A
//! term weighs the more the rarer it is. Vectors have unit length.

use super::generator::Kind;
use super::hash::Stream;

/// Vectors have this many elements that are not zero, give or take [`SPREAD`].
const TERMS: u64 = 100;
const SPREAD: u64 = 40;
/// Topics, and terms of each.
const TOPICS: usize = 500;
const OWN: usize = 150;
/// The share of terms that are the topic's own.
const SHARE: f64 = 0.7;
/// How unequal weights are.
const UNEQUAL: f32 = 0.5;

/// The parts of a seed's numbers.
const TOPIC: u64 = 0;
const VECTOR: u64 = 1;

/// The n-th vector of a kind; `path` is what tells this set from others.
pub(super) fn point(path: &[u64], kind: Kind, n: u64, out: &mut [f32]) {
    let of = |more: &[u64]| Stream::new(&[path, more].concat());
    out.fill(0.0);
    let mut stream = of(&[VECTOR, kind as u64, n]);
    let topic = zipf(&mut stream, TOPICS);
    let wanted = (TERMS - SPREAD + stream.bits() % (2 * SPREAD + 1)).min(out.len() as u64 / 2 + 1);
    let mut terms = 0;
    // A topic has fewer terms than a short vocabulary: the draws end.
    for _ in 0..10 * wanted {
        let term = if stream.unit() < SHARE {
            let rank = zipf(&mut stream, OWN);
            zipf(&mut of(&[TOPIC, topic as u64, rank as u64]), out.len())
        } else {
            zipf(&mut stream, out.len())
        };
        if out[term] == 0.0 {
            out[term] = (UNEQUAL * stream.normal()).exp() * ((term + 2) as f32).ln();
            terms += 1;
        }
        if terms == wanted {
            break;
        }
    }
    let norm = out.iter().map(|x| x * x).sum::<f32>().sqrt();
    out.iter_mut().for_each(|x| *x /= norm);
}

/// A rank below `count`, the n-th one with a share of about 1 / (n + 1).
fn zipf(stream: &mut Stream, count: usize) -> usize {
    ((count as f64).powf(stream.unit()) as usize).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: usize = 30_000;

    fn made(kind: Kind, n: u64) -> Vec<f32> {
        let mut out = vec![0.5; DIMS];
        point(&[1, 2], kind, n, &mut out);
        out
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn vectors_are_sparse_and_of_unit_length() {
        let counts: Vec<usize> = (0..200)
            .map(|n| {
                let row = made(Kind::Row, n);
                assert!((dot(&row, &row) - 1.0).abs() < 1e-3 && row.iter().all(|&x| x >= 0.0), "{n}");
                row.iter().filter(|&&x| x > 0.0).count()
            })
            .collect();
        let mean = counts.iter().sum::<usize>() as f64 / 200.0;
        assert!((95.0..105.0).contains(&mean) && counts.iter().all(|&n| (60..=140).contains(&n)), "{mean}");
        // A vocabulary that is too short for so many.
        let mut short = [0.0; 5];
        point(&[1], Kind::Row, 0, &mut short);
        assert!((dot(&short, &short) - 1.0).abs() < 1e-3, "{short:?}");
    }

    #[test]
    fn frequencies_fall_with_the_rank() {
        let mut stream = Stream::new(&[7]);
        let mut counts = [0; 1000];
        (0..100_000).for_each(|_| counts[zipf(&mut stream, 1000)] += 1);
        // Of the first n ranks it is ln(n + 1) / ln(1000).
        for n in [1_usize, 9, 99] {
            let share = f64::from(counts[..n].iter().sum::<i32>()) / 1e5;
            let wanted = ((n + 1) as f64).ln() / 1000_f64.ln();
            assert!((share - wanted).abs() < 0.01, "{n}: {share} instead of {wanted}");
        }
    }

    #[test]
    fn queries_have_rows_near_them_and_most_far_from_them() {
        let rows: Vec<Vec<f32>> = (0..400).map(|n| made(Kind::Row, n)).collect();
        let mut nearest = Vec::new();
        let mut all = Vec::new();
        for n in 0..20 {
            let query = made(Kind::Query, n);
            let mut near: Vec<f32> = rows.iter().map(|row| dot(row, &query)).collect();
            near.sort_by(f32::total_cmp);
            nearest.push(near[399]);
            all.push(near[200]);
        }
        let median = |values: &mut Vec<f32>| {
            values.sort_by(f32::total_cmp);
            values[10]
        };
        let (nearest, all) = (median(&mut nearest), median(&mut all));
        assert!(nearest > 0.2 && nearest > 3.0 * all, "{nearest} {all}");
    }
}
