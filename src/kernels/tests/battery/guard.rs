//! No kernel touches a byte outside of its slices: they lie against pages that the process may not read.
#![cfg(unix)]
#![allow(unsafe_code)]

use crate::every_set;
use kite_kernels::{Nearest, Panels, f16};
use std::ptr::null_mut;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Zeroed memory between two pages without access.
struct Fenced {
    start: *mut u8,
    page: usize,
}

impl Fenced {
    fn new() -> Self {
        // SAFETY: a fresh anonymous mapping of three pages, whose middle one is then opened.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).expect("a page size");
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(null_mut(), 3 * page, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let start = base.cast::<u8>().add(page);
            assert_eq!(libc::mprotect(start.cast(), page, libc::PROT_READ | libc::PROT_WRITE), 0);
            Self { start, page }
        }
    }

    /// `length` elements that end where the memory ends, or begin where it begins.
    fn slice<T: Plain>(&self, length: usize, at_end: bool) -> &[T] {
        let start = self.place::<T>(length, at_end);
        // SAFETY: inside of the open page, aligned as it is, initialised by the kernel; zeroes are a valid `T`.
        unsafe { from_raw_parts(start, length) }
    }

    fn slice_mut<T: Plain>(&mut self, length: usize, at_end: bool) -> &mut [T] {
        let start = self.place::<T>(length, at_end);
        // SAFETY: as in `slice`, and `self` is borrowed mutably.
        unsafe { from_raw_parts_mut(start, length) }
    }

    fn place<T>(&self, length: usize, at_end: bool) -> *mut T {
        let size = length * size_of::<T>();
        assert!(size <= self.page);
        let offset = if at_end { self.page - size } else { 0 };
        // SAFETY: at most one past the end of the page.
        unsafe { self.start.add(offset) }.cast()
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, to which no reference is left.
        unsafe { libc::munmap(self.start.sub(self.page).cast(), 3 * self.page) };
    }
}

/// Numbers for which zeroed memory is a value, and whose size divides a page.
trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for f16 {}
impl Plain for u8 {}
impl Plain for i8 {}

#[test]
fn nothing_outside_is_touched() {
    let (first, second) = (Fenced::new(), Fenced::new());
    let mut target = Fenced::new();
    every_set(|set| {
        for length in 0..=260 {
            for (i, j) in [(true, true), (false, false), (true, false)] {
                let (a, b) = (first.slice::<f32>(length, i), second.slice(length, j));
                assert_eq!((set.f32.l2_squared)(a, b) + (set.f32.dot)(a, b) + (set.f32.l1)(a, b), 0.0);
                assert_eq!((set.f32.norm_squared)(a) + f64::from((set.f32.cosine)(a, b).dot), 0.0);
                let (a, b) = (first.slice::<f16>(length, i), second.slice(length, j));
                assert_eq!((set.f16.l2_squared)(a, b) + (set.f16.dot)(a, b) + (set.f16.l1)(a, b), 0.0);
                assert_eq!((set.f16.norm_squared)(a) + f64::from((set.f16.cosine)(a, b).dot), 0.0);
                let (a, b) = (first.slice::<i8>(length, i), second.slice(length, j));
                assert_eq!(((set.i8.dot)(a, b), (set.i8.l2_squared)(a, b)), (0, 0));
                let (a, b) = (first.slice::<u8>(length, i), second.slice(length, j));
                assert_eq!((set.u8.dot)(a, b) + (set.u8.l2_squared)(a, b), 0);
                assert_eq!((set.u8.dots)(a, [b, a, b, b]), [0; 4]);
                let overlap = (set.bits.overlap)(a, b);
                assert_eq!((set.bits.hamming)(a, b) + (set.bits.and_popcount)(a, b) + overlap.or, 0);
            }
        }
    });
    for set in kite_kernels::available() {
        for length in 0..=260 {
            for at_end in [true, false] {
                let (code, query) = (first.slice(length, at_end), second.slice(length, at_end));
                assert_eq!((set.codes.dot_split)(code, query, query), 0);
                // 1 to 5 codes, so that the last ones go alone.
                let size = length / 8;
                let codes = first.slice(size * (1 + length % 5), at_end);
                let mut products = [1; 5];
                let products = &mut products[..1 + length % 5];
                // Queries are arranged by blocks of 64 bytes of a code.
                let blocks = 64 * size.div_ceil(64);
                (set.codes.one_bit)(second.slice(8 * blocks, at_end), codes, products);
                (set.codes.two_bits)(second.slice(4 * blocks, at_end), codes, products);
                assert!(products.iter().all(|product| *product == 0));
                // 1 to 9 rows, so that the last tile is not full.
                let rows = vec![first.slice::<f32>(length, at_end); 1 + length % 9];
                let panels = Panels::pack(length, rows.iter().map(|row| (*row, 1.0, 2.0))).expect("memory");
                let mut found = vec![Nearest { place: 1, key: 0.0, next: 0.0 }; rows.len()];
                (set.nearest)(&rows, &panels, &mut found);
                assert!(found.iter().all(|found| (found.place, found.key) == (0, 2.0)));
                (set.f16_to_f32)(first.slice(length, at_end), target.slice_mut(length, at_end));
                (set.f32_to_f16)(first.slice(length, at_end), target.slice_mut(length, at_end));
            }
        }
    }
}
