//! What the SQL operators may compute: by every set of kernels, and by sums in orders that no kernel has.

use kite_codecs::Metric;
use kite_kernels::{Element, available};

/// Sums of the terms a·b in many orders, each product rounded first or fused.
fn sums(mut terms: Vec<(f32, f32)>) -> Vec<f32> {
    let mut sums = Vec::new();
    add_up(&terms, &mut sums);
    terms.sort_by(|a, b| (a.0 * a.1).total_cmp(&(b.0 * b.1)));
    add_up(&terms, &mut sums);
    terms.reverse();
    add_up(&terms, &mut sums);
    terms.sort_by(|a, b| (a.0 * a.1).abs().total_cmp(&(b.0 * b.1).abs()));
    add_up(&terms, &mut sums);
    terms.reverse();
    add_up(&terms, &mut sums);
    // Large and small in turn.
    let half = terms.len().div_ceil(2);
    let mut turns = Vec::with_capacity(terms.len());
    for i in 0..terms.len() {
        turns.push(if i % 2 == 0 { terms[i / 2] } else { terms[half + i / 2] });
    }
    add_up(&turns, &mut sums);
    sums
}

fn add_up(terms: &[(f32, f32)], sums: &mut Vec<f32>) {
    sums.push(terms.iter().fold(0.0, |sum, (a, b)| sum + a * b));
    sums.push(terms.iter().fold(0.0, |sum, (a, b)| a.mul_add(*b, sum)));
    let mut tree: Vec<f32> = terms.iter().map(|(a, b)| a * b).collect();
    while tree.len() > 1 {
        tree = tree.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
    sums.push(tree.first().copied().unwrap_or(0.0));
}

fn least(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().filter(|value| !value.is_nan()).fold(f32::INFINITY, f32::min)
}

fn most(values: &[f32]) -> f32 {
    -least(values.iter().map(|value| -value))
}

/// The least value that the operator may compute, NaN if only that.
pub(crate) fn least_value<E: Element>(metric: Metric, q: &[E], x: &[E]) -> f64 {
    let pairs = || q.iter().zip(x).map(|(q, x)| (q.to_f32(), x.to_f32()));
    let sets = available().into_iter().map(E::of);
    match metric {
        Metric::L2 => {
            let mut all = sums(pairs().map(|(q, x)| (q - x, q - x)).collect());
            all.extend(sets.map(|set| (set.l2_squared)(x, q)));
            f64::from(least(all)).sqrt()
        }
        Metric::L1 => {
            let mut all = sums(pairs().map(|(q, x)| ((q - x).abs(), 1.0)).collect());
            all.extend(sets.map(|set| (set.l1)(x, q)));
            f64::from(least(all))
        }
        Metric::InnerProduct => {
            let mut all = sums(pairs().collect());
            all.extend(sets.map(|set| (set.dot)(x, q)));
            -f64::from(most(&all))
        }
        _ => {
            // The dot product in its best order, the norms in theirs.
            let dots = sums(pairs().collect());
            let square = |values: &[E]| sums(values.iter().map(|v| (v.to_f32(), v.to_f32())).collect());
            let (qs, xs) = (square(q), square(x));
            let mut value = f64::INFINITY;
            for dot in [most(&dots), least(dots.clone())] {
                for q in [most(&qs), least(qs.clone())] {
                    for x in [most(&xs), least(xs.clone())] {
                        let similarity = f64::from(dot) / (f64::from(q) * f64::from(x)).sqrt();
                        value = value.min(1.0 - similarity.clamp(-1.0, 1.0));
                    }
                }
            }
            sets.map(|set| kite_vectors::dense::cosine_distance(set, x, q)).fold(value, f64::min)
        }
    }
}
