//! Vectors that are hard on arithmetic.

use fastrand::Rng;

pub(crate) fn gaussian(rng: &mut Rng) -> f32 {
    let (u, v) = (1.0 - rng.f64(), rng.f64());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

pub(crate) fn embedding(dims: usize, rng: &mut Rng) -> Vec<f32> {
    let values: Vec<f32> = (0..dims).map(|_| 0.1 + gaussian(rng)).collect();
    let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.into_iter().map(|x| x / norm).collect()
}

/// Pairs of a query and a stored vector, with names.
pub(crate) fn pairs(dims: usize, rng: &mut Rng) -> Vec<(&'static str, Vec<f32>, Vec<f32>)> {
    let mut pairs = Vec::new();
    let mut add = |name, q: Vec<f32>, x: Vec<f32>| pairs.push((name, q, x));
    let fill =
        |rng: &mut Rng, f: &dyn Fn(&mut Rng) -> f32| -> Vec<f32> { (0..dims).map(|_| f(rng)).collect() };
    let (a, b) = (embedding(dims, rng), embedding(dims, rng));
    add("embeddings", a.clone(), b.clone());
    add("duplicate", a.clone(), a.clone());
    add("opposite", a.clone(), a.iter().map(|x| -x).collect());
    add("parallel", a.clone(), a.iter().map(|x| x * 3.7).collect());
    add("near", a.clone(), a.iter().map(|x| x * (1.0 + 1e-6 * gaussian(rng))).collect());
    add("nearly parallel", a.clone(), a.iter().map(|x| (x + 1e-4 * gaussian(rng)) * 0.01).collect());
    let byte = |rng: &mut Rng| f32::from(rng.u8(..));
    add("pixels", fill(rng, &byte), fill(rng, &byte));
    let small = |rng: &mut Rng| f32::from(rng.i8(-3..=3));
    add("integers", fill(rng, &small), fill(rng, &small));
    add("ones", vec![1.0; dims], vec![1.0; dims]);
    add("constants", vec![0.1; dims], vec![-7.3; dims]);
    for scale in [1e18, 1e-18, 1e-23, 1e-30, 1e36 / dims as f32, 1e-42] {
        let by = |values: &[f32]| values.iter().map(|x| x * scale).collect();
        add("scaled", by(&a), by(&b));
        add("scaled, equal", by(&a), by(&a));
    }
    add("huge", vec![3e38; dims], fill(rng, &|rng| if rng.bool() { 3e38 } else { -3e38 }));
    add("huge and small", a.iter().map(|x| x * 1e30).collect(), b.iter().map(|x| x * 1e-30).collect());
    let wild = |rng: &mut Rng| gaussian(rng) * 10f32.powf(rng.f32() * 12.0 - 6.0);
    add("wild", fill(rng, &wild), fill(rng, &wild));
    let mut spike = vec![1e-3; dims];
    spike[dims / 2] = -1e6;
    add("spike", a.clone(), spike.clone());
    add("spikes", spike.clone(), spike);
    // Terms of a dot product that all but cancel.
    let wave = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    let x = (0..dims).map(|i| wave(i) * (1.0 + 1e-6 * gaussian(rng))).collect();
    add("cancelling", vec![1.0; dims], x);
    add("zero query", vec![0.0; dims], a);
    add("zero", b, vec![0.0; dims]);
    pairs
}
