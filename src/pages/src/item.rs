//! Pointers to items, and the bytes of an item read and written as headers and slices.

use crate::{BlockNo, Defect, ItemNo, NO_BLOCK};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// Where an item is: six bytes, as Postgres' item pointers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ItemPointer {
    block: little_endian::U32,
    no: little_endian::U16,
}

impl ItemPointer {
    /// Points nowhere.
    pub const NONE: Self = Self::new(NO_BLOCK, 0);

    /// Points to an item of a page.
    #[inline]
    #[must_use]
    pub const fn new(block: BlockNo, no: ItemNo) -> Self {
        Self { block: little_endian::U32::new(block), no: little_endian::U16::new(no) }
    }

    /// The page.
    #[inline]
    #[must_use]
    pub const fn block(self) -> BlockNo {
        self.block.get()
    }

    /// The number of the item on it.
    #[inline]
    #[must_use]
    pub const fn no(self) -> ItemNo {
        self.no.get()
    }

    /// Whether it points nowhere.
    #[inline]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.block() == NO_BLOCK
    }
}

impl Ord for ItemPointer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.block(), self.no()).cmp(&(other.block(), other.no()))
    }
}

impl PartialOrd for ItemPointer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A pointer that knows the generation of what it was made for: ten bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ItemRef {
    /// Where the item is or was.
    pub pointer: ItemPointer,
    generation: little_endian::U32,
}

impl ItemRef {
    /// Refers to nothing.
    pub const NONE: Self = Self::new(ItemPointer::NONE, 0);

    /// Refers to the item of this generation.
    #[inline]
    #[must_use]
    pub const fn new(pointer: ItemPointer, generation: u32) -> Self {
        Self { pointer, generation: little_endian::U32::new(generation) }
    }

    /// The generation that the item must have.
    #[inline]
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation.get()
    }

    /// Whether it refers to nothing.
    #[inline]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.pointer.is_none()
    }
}

/// What an item begins with that pointers outlive: twelve bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ItemHead {
    /// What sort of item it is, as the index numbers them.
    pub tag: u8,
    /// What the sort of item says.
    pub flags: u8,
    /// The item that it belongs to, or whatever tells where it came from.
    pub owner: ItemPointer,
    generation: little_endian::U32,
}

impl ItemHead {
    /// A head; the generation comes from [`Page::next_generation`](crate::Page::next_generation).
    #[inline]
    #[must_use]
    pub const fn new(tag: u8, flags: u8, owner: ItemPointer, generation: u32) -> Self {
        Self { tag, flags, owner, generation: little_endian::U32::new(generation) }
    }

    /// The generation of the item.
    #[inline]
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation.get()
    }
}

const SHORT: Defect = Defect("an item is shorter than what it says it holds");

/// Takes an item apart from its beginning: headers, then slices whose lengths the headers tell.
///
/// ```
/// use kite_pages::{Defect, ItemReader};
///
/// fn codes(item: &[u8]) -> Result<(&[u16], &[u8]), Defect> {
///     let mut reader = ItemReader::new(item);
///     let count = usize::from(*reader.one::<u16>()?);
///     Ok((reader.many::<u16>(count)?, reader.rest()))
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ItemReader<'a> {
    item: &'a [u8],
    at: usize,
}

impl<'a> ItemReader<'a> {
    /// Begins at the first byte, which on a page lies at a multiple of eight.
    #[inline]
    #[must_use]
    pub fn new(item: &'a [u8]) -> Self {
        Self { item, at: 0 }
    }

    /// The next value.
    ///
    /// # Errors
    /// Too few bytes are left, or the place does not suit the type: [`align`](ItemReader::align) first.
    #[inline]
    pub fn one<T: FromBytes + Immutable + KnownLayout>(&mut self) -> Result<&'a T, Defect> {
        T::ref_from_bytes(self.take(size_of::<T>())?).map_err(|_| Defect("a value in an item is not aligned"))
    }

    /// The next `count` values.
    ///
    /// # Errors
    /// As [`one`](ItemReader::one).
    #[inline]
    pub fn many<T: FromBytes + Immutable>(&mut self, count: usize) -> Result<&'a [T], Defect> {
        let bytes = self.take(count.checked_mul(size_of::<T>()).ok_or(SHORT)?)?;
        <[T]>::ref_from_bytes(bytes).map_err(|_| Defect("a slice in an item is not aligned"))
    }

    /// Goes on to the next multiple of `align` bytes from the beginning of the item.
    ///
    /// # Errors
    /// The item ends before it.
    #[inline]
    pub fn align(&mut self, align: usize) -> Result<(), Defect> {
        self.take(self.at.next_multiple_of(align) - self.at).map(|_| ())
    }

    /// All bytes not yet taken.
    #[inline]
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.item.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Defect> {
        let end = self.at.checked_add(len).ok_or(SHORT)?;
        let taken = self.item.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(taken)
    }
}

/// Takes an item apart as [`ItemReader`] does, into parts that can be written. The parts do not overlap.
#[derive(Debug)]
pub struct ItemWriter<'a> {
    rest: &'a mut [u8],
    at: usize,
}

impl<'a> ItemWriter<'a> {
    /// Begins at the first byte.
    #[inline]
    #[must_use]
    pub fn new(item: &'a mut [u8]) -> Self {
        Self { rest: item, at: 0 }
    }

    /// The next value.
    ///
    /// # Errors
    /// As [`ItemReader::one`].
    #[inline]
    pub fn one<T: FromBytes + IntoBytes + KnownLayout>(&mut self) -> Result<&'a mut T, Defect> {
        T::mut_from_bytes(self.take(size_of::<T>())?).map_err(|_| Defect("a value in an item is not aligned"))
    }

    /// The next `count` values.
    ///
    /// # Errors
    /// As [`ItemReader::one`].
    #[inline]
    pub fn many<T: FromBytes + IntoBytes + Immutable>(
        &mut self,
        count: usize,
    ) -> Result<&'a mut [T], Defect> {
        let bytes = self.take(count.checked_mul(size_of::<T>()).ok_or(SHORT)?)?;
        <[T]>::mut_from_bytes(bytes).map_err(|_| Defect("a slice in an item is not aligned"))
    }

    /// Writes a value and goes on behind it.
    ///
    /// # Errors
    /// Too few bytes are left.
    #[inline]
    pub fn put<T: IntoBytes + Immutable + ?Sized>(&mut self, value: &T) -> Result<(), Defect> {
        self.take(size_of_val(value))?.copy_from_slice(value.as_bytes());
        Ok(())
    }

    /// Goes on to the next multiple of `align` bytes from the beginning of the item.
    ///
    /// # Errors
    /// The item ends before it.
    #[inline]
    pub fn align(&mut self, align: usize) -> Result<(), Defect> {
        self.take(self.at.next_multiple_of(align) - self.at).map(|_| ())
    }

    /// All bytes not yet taken.
    #[inline]
    #[must_use]
    pub fn rest(self) -> &'a mut [u8] {
        self.rest
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a mut [u8], Defect> {
        let (taken, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        self.at += len;
        Ok(taken)
    }
}
