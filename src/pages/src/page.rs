//! The page: 8 KiB laid out as Postgres lays out its own.

use crate::{Defect, View};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The number of a page in its store, from 0.
pub type BlockNo = u32;

/// What stands where there is no block.
pub const NO_BLOCK: BlockNo = BlockNo::MAX;

/// The number of an item on its page, from 1.
pub type ItemNo = u16;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 8192;

/// Postgres' page layout version, in the low byte beside the size.
const SIZE_AND_VERSION: u16 = PAGE_SIZE as u16 | 4;

/// Where the line pointers begin.
pub(crate) const FIRST_LINE: usize = size_of::<Header>();

/// Where the special area begins: the end of what items may use.
pub(crate) const SPECIAL: usize = PAGE_SIZE - size_of::<Special>();

/// Bytes of a line pointer.
pub(crate) const LINE: usize = 4;

/// What every item begins at a multiple of.
pub(crate) const ALIGN: usize = 8;

/// The longest item: alone on its page.
pub const MAX_ITEM: usize = (SPECIAL - FIRST_LINE - LINE) & !(ALIGN - 1);

/// Marks the pages that this crate wrote; the last two bytes of a page, where Postgres' own access methods have theirs.
const MAGIC: u16 = 0x1B17;

/// Postgres' `PageHeaderData`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Header {
    /// Position in the WAL of the last change. The store's business.
    lsn: [u32; 2],
    /// The store's business too.
    checksum: u16,
    flags: u16,
    /// End of the line pointers.
    pub(crate) lower: u16,
    /// Begin of the items. The bytes between the two are zero, since WAL does not carry them.
    pub(crate) upper: u16,
    special: u16,
    size_and_version: u16,
    prune_xid: u32,
}

/// Our special area.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Special {
    next: BlockNo,
    spare: u32,
    /// The generation given last, 0 at first.
    generation: u32,
    kind: PageKind,
    magic: u16,
}

/// What a page is for, and in which version of that format it is written.
///
/// A page keeps its kind for ever: a reader may come by a pointer that is long out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PageKind {
    /// Which kind, as the index numbers them.
    pub code: u8,
    /// Version of the format.
    pub version: u8,
}

/// One page. Reads go through [`Page::view`]; see there for what is checked when.
///
/// Layout-compatible with a Postgres page, so that a store may lend one out of shared buffers. Every byte pattern is a valid
/// value of this type, if not a sound page.
#[derive(Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct Page {
    pub(crate) header: Header,
    body: [u8; SPECIAL - FIRST_LINE],
    pub(crate) special: Special,
}

const _: () =
    assert!(size_of::<Header>() == 24 && size_of::<Special>() == 16 && size_of::<Page>() == PAGE_SIZE);

impl Page {
    /// A page of zeros, as a store hands it out before it is initialised.
    #[must_use]
    pub fn zeroed() -> Box<Self> {
        Box::new(Self::new_zeroed())
    }

    /// Makes it an empty page of this kind. Generations go on from where they were, so that no pointer to what was here
    /// before fits what comes.
    pub fn init(&mut self, kind: PageKind) {
        let generation = if self.special.magic == MAGIC { self.special.generation } else { 0 };
        let (lsn, checksum) = (self.header.lsn, self.header.checksum);
        self.zero();
        self.header = Header {
            lsn,
            checksum,
            flags: 0,
            lower: FIRST_LINE as u16,
            upper: SPECIAL as u16,
            special: SPECIAL as u16,
            size_and_version: SIZE_AND_VERSION,
            prune_xid: 0,
        };
        self.special = Special { next: NO_BLOCK, spare: 0, generation, kind, magic: MAGIC };
    }

    /// Whether it is all zero: the store was extended, and the change that was to fill the page never happened.
    #[inline]
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.header.upper == 0 && self.words().iter().all(|&word| word == 0)
    }

    /// Checks the header and the kind, once per page, and lends the items.
    ///
    /// Bounds that do not depend on the item are checked here; [`View::find`] has only the line pointer left to check.
    ///
    /// # Errors
    /// A new page, a page that is not ours, another kind or version, or bounds that cannot be.
    #[inline]
    pub fn view(&self, kind: PageKind) -> Result<View<'_>, Defect> {
        let view = self.sound()?;
        if self.special.kind == kind {
            return Ok(view);
        }
        if self.special.kind.code == kind.code {
            return Err(Defect("the page is written in another version of its format"));
        }
        Err(Defect("the page is of another kind"))
    }

    /// [`view`](Page::view) of a page of whatever kind.
    ///
    /// # Errors
    /// As there, but for the kind.
    #[inline]
    pub fn sound(&self) -> Result<View<'_>, Defect> {
        let (header, special) = (&self.header, &self.special);
        if header.size_and_version != SIZE_AND_VERSION
            || header.special != SPECIAL as u16
            || special.magic != MAGIC
        {
            return Err(self.foreign());
        }
        let (lower, upper) = (header.lower, header.upper);
        if lower < FIRST_LINE as u16
            || !lower.is_multiple_of(LINE as u16)
            || lower > upper
            || upper > SPECIAL as u16
            || !upper.is_multiple_of(ALIGN as u16)
        {
            return Err(Defect("the bounds of the items cannot be"));
        }
        Ok(View::new(self, (lower - FIRST_LINE as u16) / LINE as u16, upper))
    }

    #[cold]
    fn foreign(&self) -> Defect {
        Defect(if self.is_new() { "the page is empty" } else { "the page has no header of ours" })
    }

    /// The kind, read without any check; sensible on a page that is [`sound`](Page::sound).
    #[inline]
    #[must_use]
    pub fn kind(&self) -> PageKind {
        self.special.kind
    }

    /// The page that this one is linked to.
    #[inline]
    #[must_use]
    pub fn next(&self) -> Option<BlockNo> {
        (self.special.next != NO_BLOCK).then_some(self.special.next)
    }

    /// Links it to another page.
    pub fn set_next(&mut self, next: Option<BlockNo>) {
        self.special.next = next.unwrap_or(NO_BLOCK);
    }

    /// A number that means what the kind of page says.
    #[inline]
    #[must_use]
    pub fn spare(&self) -> u32 {
        self.special.spare
    }

    /// Sets that number.
    pub fn set_spare(&mut self, spare: u32) {
        self.special.spare = spare;
    }

    /// A generation that no item of this page has had, for an item about to be added. Never 0.
    ///
    /// It wraps after 2³² items on one page. A pointer would have to be that old to be mistaken; the stamps of
    /// [`Page::free`] keep a line pointer from being used again while anyone could hold one to it.
    pub fn next_generation(&mut self) -> u32 {
        let generation = self.special.generation.wrapping_add(1).max(1);
        self.special.generation = generation;
        generation
    }

    /// The bytes as they are stored.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        zerocopy::transmute_ref!(self)
    }

    /// The bytes, to be written by a store or a test.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        zerocopy::transmute_mut!(self)
    }

    /// Copies another page.
    pub fn copy_from(&mut self, other: &Self) {
        self.bytes_mut().copy_from_slice(other.bytes());
    }

    #[inline]
    pub(crate) fn words(&self) -> &[u32; PAGE_SIZE / 4] {
        zerocopy::transmute_ref!(self)
    }

    #[inline]
    pub(crate) fn words_mut(&mut self) -> &mut [u32; PAGE_SIZE / 4] {
        zerocopy::transmute_mut!(self)
    }
}
