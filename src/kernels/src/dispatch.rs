//! Which set runs: the only place that asks the CPU.

use crate::{Kernels, portable};
use std::sync::OnceLock;

/// The fastest set for this CPU, found at the first call.
///
/// The environment variable `KITE_KERNELS`, read at that call only, names another of the sets in [`available`], for tests
/// and comparisons. A name that is none of them is reported on standard error and changes nothing.
pub fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let sets = available();
        let wanted = std::env::var_os("KITE_KERNELS").unwrap_or_default();
        choose(&sets, &wanted.to_string_lossy()).unwrap_or_else(|complaint| {
            eprintln!("{complaint}");
            fastest(&sets)
        })
    })
}

/// Every set that this CPU can run, slowest first. The first is the portable one.
pub fn available() -> Vec<&'static Kernels> {
    let mut sets = vec![&portable::KERNELS];
    #[cfg(target_arch = "x86_64")]
    sets.extend(crate::x86::available());
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    sets.extend(crate::neon::available());
    sets
}

fn fastest(sets: &[&'static Kernels]) -> &'static Kernels {
    sets.last().copied().unwrap_or(&portable::KERNELS)
}

/// The set called `wanted`, or the fastest if that is empty.
fn choose(sets: &[&'static Kernels], wanted: &str) -> Result<&'static Kernels, String> {
    if wanted.is_empty() {
        return Ok(fastest(sets));
    }
    sets.iter().copied().find(|set| set.name == wanted).ok_or_else(|| {
        let names: Vec<_> = sets.iter().map(|set| set.name).collect();
        format!(
            "KITE_KERNELS={wanted:?} is no set of kernels that this CPU runs; set it to one of {}, or unset it",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_chosen_by_name() {
        let sets = available();
        for set in &sets {
            assert_eq!(choose(&sets, set.name).unwrap().name, set.name);
        }
        assert_eq!(choose(&sets, "").unwrap().name, sets.last().unwrap().name);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let complaint = choose(&available(), "z80").unwrap_err();
        assert!(complaint.contains("\"z80\"") && complaint.contains("portable"), "{complaint}");
    }

    #[test]
    fn names_differ() {
        let mut names: Vec<_> = available().iter().map(|set| set.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), available().len());
    }
}
