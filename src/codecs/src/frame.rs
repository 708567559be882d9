//! What codes are relative to: a point in the middle of the vectors, and a rotation.

use crate::bytes::{float, integer, word};
use crate::{Error, Result};

const VERSION: u32 = 1;
const HEADER: usize = 16;
const BAD: Error = Error::Corrupt("the frame of the codes is damaged");

/// The frame of the codes of an index. Codes of different frames do not compare.
///
/// ```text
/// 0    version    u32, 1
/// 4    dims       u32
/// 8    seed       u64, of the rotation
/// 16   centroid   dims · f32; of unit vectors under cosine distance
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub(crate) seed: u64,
    pub(crate) centroid: Vec<f32>,
}

impl Frame {
    /// A frame around a given point. Every element must be finite.
    pub fn new(centroid: Vec<f32>, seed: u64) -> Result<Self> {
        if centroid.iter().all(|x| x.is_finite()) {
            Ok(Self { seed, centroid })
        } else {
            Err(Error::NotFinite)
        }
    }

    /// The number of dimensions.
    pub fn dims(&self) -> usize {
        self.centroid.len()
    }

    /// As stored in an index.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + 4 * self.dims());
        bytes.extend_from_slice(&VERSION.to_ne_bytes());
        bytes.extend_from_slice(&(self.dims() as u32).to_ne_bytes());
        bytes.extend_from_slice(&self.seed.to_ne_bytes());
        bytes.extend(self.centroid.iter().flat_map(|x| x.to_ne_bytes()));
        bytes
    }

    /// Reads what [`Frame::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(BAD)?;
        if integer(header, 0) != VERSION {
            return Err(Error::Corrupt("the frame of the codes is of a later version: REINDEX the index"));
        }
        let (words, []) = rest.as_chunks::<4>() else { return Err(BAD) };
        if words.len() != integer(header, 4) as usize {
            return Err(BAD);
        }
        let mut seed = [0; 8];
        seed[..4].copy_from_slice(&word(header, 8));
        seed[4..].copy_from_slice(&word(header, 12));
        let centroid = words.iter().map(|word| float(word, 0)).collect();
        Self::new(centroid, u64::from_ne_bytes(seed)).map_err(|_| BAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_hostile_bytes() {
        let frame = Frame::new(vec![1.0, -2.5, 0.0], 0x0123_4567_89ab_cdef).unwrap();
        let bytes = frame.to_bytes();
        assert_eq!(Frame::from_bytes(&bytes), Ok(frame));
        for length in 0..bytes.len() {
            assert!(Frame::from_bytes(&bytes[..length]).is_err());
        }
        let mut nan = bytes.clone();
        nan[16..20].copy_from_slice(&f32::NAN.to_ne_bytes());
        assert_eq!(Frame::from_bytes(&nan), Err(BAD));
        let mut later = bytes;
        later[0..4].copy_from_slice(&2u32.to_ne_bytes());
        assert!(Frame::from_bytes(&later).is_err());
        assert_eq!(Frame::new(vec![f32::INFINITY], 0), Err(Error::NotFinite));
    }
}
