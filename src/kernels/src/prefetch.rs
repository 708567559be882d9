//! Asking for memory ahead of its use.

#![allow(unsafe_code)]

/// Bytes that a CPU moves at a time; a smaller line than the CPU's own costs a repeated request and no more.
const LINE: usize = 64;

/// Asks the CPU to bring `bytes` bytes from `start` into its nearest cache. Nothing waits for them, and nothing happens where
/// there is no such memory, so any address will do.
#[inline]
pub fn prefetch(start: *const u8, bytes: usize) {
    for at in (0..bytes).step_by(LINE) {
        line(start.wrapping_add(at));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn line(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 CPU has the instruction; it is a hint that never faults and changes no memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn line(address: *const u8) {
    // SAFETY: every AArch64 CPU has the instruction; it is a hint that never faults and changes no memory.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    use super::prefetch;

    #[test]
    fn any_address_will_do() {
        let bytes = [1u8; 200];
        prefetch(bytes.as_ptr(), bytes.len());
        prefetch(std::ptr::null(), 10_000);
        prefetch(usize::MAX as *const u8, 10_000);
        prefetch(bytes.as_ptr(), 0);
        assert_eq!(bytes, [1; 200]);
    }
}
