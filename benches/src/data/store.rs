//! Files that are whole or not there, and exact answers as such.

use super::hash::Hash;
use super::nearest::Neighbour;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::Path;

const MAGIC: &[u8; 8] = b"kitetrue";
/// Of the file and of what decides its contents.
const VERSION: u32 = 1;

/// Writes a file beside `path` and puts it in its place once it is complete. Makes the folder where there is none.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&part);
    let put = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create(part)?;
        write(&mut file)?;
        Ok(fs::rename(part, path)?)
    };
    put()
        .inspect_err(|_: &anyhow::Error| {
            let _ = fs::remove_file(part);
        })
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The neighbours of each query, with what they are about and a sum over all of it.
pub(super) fn encode(found: &[Vec<Neighbour>], about: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(about.len() as u32).to_le_bytes());
    bytes.extend_from_slice(about.as_bytes());
    for found in found {
        bytes.extend_from_slice(&(found.len() as u32).to_le_bytes());
        for Neighbour { distance, id } in found {
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&distance.to_le_bytes());
        }
    }
    let sum = Hash::default().bytes(&bytes).finish();
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What [`encode`] was given, if it was about the same and no bit has changed.
pub(super) fn decode(bytes: &[u8], about: &str) -> Result<Vec<Vec<Neighbour>>> {
    let (body, sum) = bytes.split_last_chunk::<8>().context("it is too short")?;
    ensure!(Hash::default().bytes(body).finish() == u64::from_le_bytes(*sum), "it is damaged");
    let mut rest = body;
    ensure!(take::<8>(&mut rest)? == *MAGIC, "it is something else");
    ensure!(u32::from_le_bytes(take(&mut rest)?) == VERSION, "it is of another version");
    let length = u32::from_le_bytes(take(&mut rest)?) as usize;
    let (said, mut rest) = rest.split_at_checked(length).context("it is too short")?;
    ensure!(said == about.as_bytes(), "it is about other data");
    let mut found = Vec::new();
    while !rest.is_empty() {
        let count = u32::from_le_bytes(take(&mut rest)?);
        let one = (0..count).map(|_| {
            let id = u32::from_le_bytes(take(&mut rest)?);
            Ok(Neighbour { distance: f64::from_le_bytes(take(&mut rest)?), id })
        });
        found.push(one.collect::<Result<_>>()?);
    }
    Ok(found)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().context("it is too short")?;
    *bytes = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused() {
        let found = vec![vec![Neighbour { distance: 0.5, id: 7 }; 2], vec![]];
        let bytes = encode(&found, "about");
        assert_eq!(decode(&bytes, "about").unwrap(), found);
        assert!(decode(&bytes, "other").is_err());
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length], "about").is_err()));
    }
}
