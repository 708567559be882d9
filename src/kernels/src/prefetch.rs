//! Asking for memory ahead of its use.

#![allow(unsafe_code)]

/// Bytes that a CPU moves at a time; a smaller line than the CPU's own costs a repeated request and no more.
const LINE: usize = 64;

/// Asks the CPU to bring `bytes` bytes from `start` into its nearest cache. Nothing waits for them, and nothing happens where
/// there is no such memory, so any address will do.
#[inline]
pub fn prefetch(start: *const u8, bytes: usize) {
    lines(start, bytes).for_each(line);
}

/// An address in each line that the bytes lie in: one more than their number asks for where they begin late in a line.
#[inline]
fn lines(start: *const u8, bytes: usize) -> impl Iterator<Item = *const u8> {
    let before = start.addr() % LINE;
    let end = if bytes == 0 { 0 } else { before.saturating_add(bytes) };
    (0..end).step_by(LINE).map(move |at| start.wrapping_sub(before).wrapping_add(at))
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
    use super::{LINE, lines, prefetch};
    use std::ptr::without_provenance;

    #[test]
    fn any_address_will_do() {
        let bytes = [1u8; 200];
        prefetch(bytes.as_ptr(), bytes.len());
        prefetch(std::ptr::null(), 10_000);
        prefetch(usize::MAX as *const u8, 10_000);
        prefetch(bytes.as_ptr(), 0);
        assert_eq!(bytes, [1; 200]);
    }

    #[test]
    fn every_line_is_asked_for_once() {
        for start in [1 << 20, (1 << 20) + 8, (1 << 20) + 63] {
            for bytes in [0, 1, 2, 63, 64, 65, 408, 640] {
                let asked: Vec<usize> =
                    lines(without_provenance(start), bytes).map(|address| address.addr() / LINE).collect();
                let mut touched: Vec<usize> = (start..start + bytes).map(|address| address / LINE).collect();
                touched.dedup();
                assert_eq!(asked, touched, "{bytes} bytes from {start}");
            }
        }
    }
}
