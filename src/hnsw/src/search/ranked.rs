//! A node and its key, as one number.

/// Ordered by key, then by node: the key's bits so that their order as an integer is that of the numbers, then the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranked(u64);

const SIGN: u32 = 1 << 31;

impl Ranked {
    #[inline]
    pub(crate) fn new(key: f32, node: u32) -> Self {
        let bits = key.to_bits();
        let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(node))
    }

    #[inline]
    pub(crate) fn key(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN })
    }

    #[inline]
    pub(crate) fn node(self) -> u32 {
        self.0 as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_keys() {
        let keys = [f32::NEG_INFINITY, -3e38, -1.5, -1e-40, -0.0, 0.0, 1e-40, 1.0, 1.5, 3e38, f32::INFINITY];
        let ranked: Vec<Ranked> = keys.iter().map(|&key| Ranked::new(key, 9)).collect();
        assert!(ranked.is_sorted() && Ranked::new(1.0, 3) < Ranked::new(1.0, 4));
        assert!(ranked.iter().zip(keys).all(|(ranked, key)| ranked.key() == key && ranked.node() == 9));
    }
}
