//! Bit strings as binary vectors.

use crate::call::Call;
use kite_kernels::{Bits, kernels};
use kite_vectors::{Result, bits};

fn on_pair<R>(call: &Call, measure: impl Fn(&Bits, &[u8], &[u8]) -> R) -> Result<R> {
    let (a, b) = (call.bit(0)?, call.bit(1)?);
    bits::check_same_length(a.bits, b.bits)?;
    Ok(measure(&kernels().bits, a.get(), b.get()))
}

export! { [2]
    "kite_bit_hamming_distance" => |call| on_pair(call, |kernels, a, b| (kernels.hamming)(a, b) as f64),
    "kite_bit_jaccard_distance" => |call| on_pair(call, bits::jaccard),
    "kite_bit_tanimoto_distance" => |call| on_pair(call, bits::tanimoto),
    "kite_bit_substructure" => |call| on_pair(call, bits::is_subset),
    "kite_bit_superstructure" => |call| on_pair(call, |kernels, a, b| bits::is_subset(kernels, b, a)),
}
