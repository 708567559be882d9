//! Vectors for tests: seeded ones, and the real ones that the repository carries.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_cluster::workspace_root;
use postgres::Client;
use std::io::Write;
use std::iter::repeat_with;

/// A number of the standard normal distribution.
pub fn normal(rng: &mut Rng) -> f32 {
    // Box and Muller; 1 - x keeps the logarithm finite.
    let radius = (-2.0 * (1.0 - rng.f32()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.f32()).cos()
}

/// One vector of independent normal elements.
pub fn gaussian(rng: &mut Rng, dims: usize) -> Vec<f32> {
    repeat_with(|| normal(rng)).take(dims).collect()
}

/// `count` vectors around a few centres, as most real data lies.
pub fn clustered(rng: &mut Rng, count: usize, dims: usize) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = repeat_with(|| gaussian(rng, dims)).take(count.div_ceil(50)).collect();
    repeat_with(|| {
        let centre = &centres[rng.usize(..centres.len())];
        centre.iter().map(|x| x + 0.4 * normal(rng)).collect()
    })
    .take(count)
    .collect()
}

/// The embeddings of the demo: 1,846 descriptions of Debian packages, 384 dimensions, of unit length.
///
/// # Errors
/// A file that is not there or not of this shape.
pub fn demo() -> Result<Vec<Vec<f32>>> {
    const DIMS: usize = 384;
    let path = workspace_root().join("demo/embeddings.f16.npy");
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.starts_with(b"\x93NUMPY\x01"), "not an npy file of version 1");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (halves, rest) = bytes[10 + header..].as_chunks::<2>();
    ensure!(rest.is_empty() && halves.len().is_multiple_of(DIMS), "not rows of {DIMS} halves");
    let row = |row: &[[u8; 2]]| row.iter().map(|half| half::f16::from_le_bytes(*half).to_f32()).collect();
    Ok(halves.chunks(DIMS).map(row).collect())
}

/// `[1,2,3]`
#[must_use]
pub fn literal(values: &[f32]) -> String {
    let elements: Vec<String> = values.iter().map(f32::to_string).collect();
    format!("[{}]", elements.join(","))
}

/// `{1:2,3:4}/5` with the elements that are not zero.
#[must_use]
pub fn sparse_literal(values: &[f32]) -> String {
    let elements = values.iter().enumerate().filter(|(_, x)| **x != 0.0);
    let elements: Vec<String> = elements.map(|(place, x)| format!("{}:{x}", place + 1)).collect();
    format!("{{{}}}/{}", elements.join(","), values.len())
}

/// `0101`, 1 where an element is positive.
#[must_use]
pub fn bit_literal(values: &[f32]) -> String {
    values.iter().map(|x| if *x > 0.0 { '1' } else { '0' }).collect()
}

/// Copies literals into columns `id` and `v` of a table, numbered from `first`.
///
/// # Errors
/// As the server says it.
pub fn copy_into(
    client: &mut Client,
    table: &str,
    first: usize,
    literals: impl IntoIterator<Item = String>,
) -> Result<()> {
    let mut copy = client.copy_in(&format!("COPY {table} (id, v) FROM STDIN"))?;
    for (id, literal) in (first..).zip(literals) {
        writeln!(copy, "{id}\t{literal}")?;
    }
    copy.finish()?;
    Ok(())
}
