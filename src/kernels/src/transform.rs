//! The Walsh–Hadamard transform, which a random rotation is made of.

/// Elements that are transformed in registers once larger steps have been taken.
const BLOCK: usize = 16;

/// The orthogonal transform of a power of two of elements, in place. (Loops over arrays, of which the compiler makes vectors for
/// the CPU of the caller. Each sum is of the same two numbers on every CPU, so that stored codes mean the same.)
#[inline(always)]
pub(crate) fn hadamard(values: &mut [f32]) {
    let len = values.len();
    if !len.is_power_of_two() {
        ragged(len);
    }
    let scale = 1.0 / (len as f32).sqrt();
    for value in values.iter_mut() {
        *value *= scale;
    }
    let mut half = len / 2;
    let least = if len >= BLOCK { BLOCK } else { 1 };
    while half >= least {
        for pair in values.chunks_exact_mut(2 * half) {
            let (front, back) = pair.split_at_mut(half);
            for (a, b) in front.iter_mut().zip(back) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half /= 2;
    }
    if len >= BLOCK {
        let (blocks, _) = values.as_chunks_mut::<BLOCK>();
        for block in blocks {
            *block = step::<1>(step::<2>(step::<4>(step::<8>(*block))));
        }
    }
}

/// One step among the elements of a block: of two that are `HALF` apart the first becomes their sum, the second their difference.
#[inline(always)]
fn step<const HALF: usize>(of: [f32; BLOCK]) -> [f32; BLOCK] {
    let mut to = [0.0; BLOCK];
    for i in 0..BLOCK {
        let sign = if i & HALF == 0 { 1.0 } else { -1.0 };
        to[i] = of[i ^ HALF] + sign * of[i];
    }
    to
}

#[cold]
#[inline(never)]
#[track_caller]
fn ragged(len: usize) -> ! {
    panic!("a Hadamard transform is of a power of two of elements, not {len}")
}
