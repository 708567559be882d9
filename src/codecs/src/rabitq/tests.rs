//! The estimator keeps what the papers promise of it.

use super::*;
use fastrand::Rng;

fn gaussian(rng: &mut Rng) -> f32 {
    let (u, v) = (1.0 - rng.f64(), rng.f64());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

/// A vector whose energy lies in few directions, as of real embeddings, around a common point.
fn vector(dims: usize, rng: &mut Rng) -> Vec<f32> {
    let mut values: Vec<f32> = (0..dims).map(|i| 0.2 + gaussian(rng) / (1.0 + i as f32 / 8.0)).collect();
    let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.iter_mut().for_each(|x| *x /= norm);
    values
}

fn centroid(dims: usize) -> Vec<f32> {
    let mut rng = Rng::with_seed(3);
    let mut sums = vec![0.0; dims];
    for _ in 0..100 {
        for (sum, x) in sums.iter_mut().zip(vector(dims, &mut rng)) {
            *sum += x / 100.0;
        }
    }
    sums
}

fn truth(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let sum = |f: fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
    };
    match metric {
        Metric::InnerProduct => -sum(|a, b| a * b),
        Metric::Cosine => 1.0 - sum(|a, b| a * b),
        _ => sum(|a, b| (a - b) * (a - b)),
    }
}

/// The error of one estimate, and the published bound of it without ε.
fn trial(coder: &Coder, x: &[f32], q: &[f32]) -> (f64, f64, [u8; FACTORS], CodeQuery) {
    let mut bytes = Vec::new();
    coder.encode(x, &mut bytes);
    let (code, factors) = bytes.split_at(coder.code_len());
    let query = coder.prepare(q);
    let mut key = [0.0];
    coder.estimate(&query, code, factors, &mut key).unwrap();
    // κ, out of the bytes.
    let (_, rotated) = coder.residual(x);
    let middle = f64::from((1u8 << coder.bits) - 1) / 2.0;
    let mask = (1u8 << coder.bits) - 1;
    let (mut yy, mut yr, mut rr) = (0.0, 0.0, 0.0);
    for (i, r) in rotated.iter().enumerate() {
        let (plane, byte) = (i / code.len(), i % code.len());
        let y = f64::from(code[byte] >> (plane * coder.bits) & mask) - middle;
        let r = f64::from(*r);
        (yy, yr, rr) = (yy + y * y, yr + y * r, rr + r * r);
    }
    let kappa = yr / (yy * rr).sqrt();
    let scale = if coder.metric == Metric::L2 { 2.0 } else { 1.0 };
    let dims = rotated.len() as f64;
    let bound = scale * rr.sqrt() * f64::from(query.norm) * (1.0 - kappa * kappa).sqrt()
        / (kappa * (dims - 1.0).sqrt());
    (f64::from(key[0]) - truth(coder.metric, x, q), bound, factors.try_into().unwrap(), query)
}

/// Over rotations the mean error is zero, and the errors lie within the bounds of the papers as often as those say.
#[test]
fn unbiased_and_within_the_published_bound() {
    for dims in [64, 128, 384, 768, 1536] {
        let centroid = centroid(dims);
        for bits in [1, 2] {
            for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
                let mut rng = Rng::with_seed(dims as u64);
                let (mut sum, mut squares, mut bounds, mut count) = (0.0, 0.0, 0.0, 0.0);
                let (mut near, mut nearer, mut ours) = (0.0, 0.0, 0.0);
                for seed in 0..60 {
                    let frame = Frame::new(centroid.clone(), seed).unwrap();
                    let coder = Coder::new(metric, bits, frame, kite_kernels::kernels());
                    for _ in 0..8 {
                        let (x, q) = (vector(dims, &mut rng), vector(dims, &mut rng));
                        let (error, bound, factors, query) = trial(&coder, &x, &q);
                        (sum, squares, count) = (sum + error, squares + error * error, count + 1.0);
                        bounds += bound;
                        near += f64::from(u8::from(error.abs() <= 1.9 * bound));
                        nearer += f64::from(u8::from(error.abs() <= 3.0 * bound));
                        let published = f64::from(coder.error_bound(&query, factors, 1.9));
                        ours += f64::from(u8::from(error.abs() <= published));
                    }
                }
                let deviation = (squares / count).sqrt();
                println!(
                    "{dims} {bits} {metric}: deviation {deviation:.5} (bound {:.5}), mean {:.5}, within 1.9: {:.3}, 3: {:.3}, ours {:.3}",
                    bounds / count,
                    sum / count,
                    near / count,
                    nearer / count,
                    ours / count
                );
                // Four standard errors of the mean.
                assert!((sum / count).abs() < 4.0 * deviation / f64::sqrt(count), "biased");
                // 0.943 of a normal distribution lies within 1.9 deviations; the sample may be three errors short.
                assert!(near / count > 0.91 && nearer / count > 0.985 && ours / count > 0.92);
            }
        }
    }
}

/// Two bits are worth their space.
#[test]
fn two_bits_halve_the_error() {
    let mut rng = Rng::with_seed(9);
    let mut deviation = |bits| {
        let frame = Frame::new(centroid(384), 5).unwrap();
        let coder = Coder::new(Metric::Cosine, bits, frame, kite_kernels::kernels());
        let square = |_| trial(&coder, &vector(384, &mut rng), &vector(384, &mut rng)).0.powi(2);
        (0..300).map(square).sum::<f64>().sqrt()
    };
    let (one, two) = (deviation(1), deviation(2));
    assert!(two < 0.6 * one, "{one} {two}");
}

/// At the centroid, far away, and tiny.
#[test]
fn nothing_is_not_a_number() {
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
        for bits in [1, 2] {
            let coder =
                Coder::new(metric, bits, Frame::new(vec![0.5; 20], 1).unwrap(), kite_kernels::kernels());
            for x in [0.5f32, 0.0, 1e18, -1e30, 3e38, 1e-42] {
                for q in [0.5f32, 0.0, 1e10] {
                    let mut bytes = Vec::new();
                    coder.encode(&[x; 20], &mut bytes);
                    let (code, factors) = bytes.split_at(coder.code_len());
                    let mut key = [0.0];
                    coder.estimate(&coder.prepare(&[q; 20]), code, factors, &mut key).unwrap();
                    assert!(!key[0].is_nan(), "{metric} {bits} {x} {q}");
                }
            }
        }
    }
}

/// Factors in bf16 cost no more than a hundredth of the error of codes, wherever the error is smallest.
#[test]
fn rounded_factors_cost_little() {
    for (dims, bits) in [(384, 1), (1536, 1), (1536, 2)] {
        let frame = Frame::new(centroid(dims), 5).unwrap();
        let coder = Coder::new(Metric::L2, bits, frame, kite_kernels::kernels());
        let mut rng = Rng::with_seed(6);
        let (mut rounded, mut whole) = (0.0, 0.0);
        for _ in 0..300 {
            let (x, q) = (vector(dims, &mut rng), vector(dims, &mut rng));
            let (error, _, factors, query) = trial(&coder, &x, &q);
            rounded += error * error;
            // The same product under factors that are not rounded.
            let [add, mul] = read(&factors).map(f64::from);
            let key = error + truth(Metric::L2, &x, &q);
            let product = (key - f64::from(query.base) - add) / mul;
            let (residual, rotated) = coder.residual(&x);
            let square = |values: &[f32]| values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let kernels = kite_kernels::kernels();
            let make = if bits == 2 { kernels.encode_two_bits } else { kernels.encode_one_bit };
            let f = square(&residual) / make(&rotated, &mut vec![0; coder.code_len()]);
            let key = f64::from(query.base) + square(&residual) - 2.0 * f * product;
            whole += (key - truth(Metric::L2, &x, &q)).powi(2);
        }
        println!("{dims} {bits}: {:.4}", (rounded / whole).sqrt());
        assert!((rounded / whole).sqrt() < 1.05, "{dims} {bits}: {rounded} {whole}");
    }
}
