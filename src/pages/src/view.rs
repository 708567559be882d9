//! Reading the items of a page.

use crate::page::{ALIGN, FIRST_LINE, LINE, SPECIAL};
use crate::{Ahead, Defect, ItemHead, ItemNo, Page, Stamp};
use std::ops::Range;
use zerocopy::FromBytes;

/// Postgres' `ItemIdData`: offset (15 bits), state (2), length (15).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line(pub(crate) u32);

/// `LP_UNUSED`
const UNUSED: u32 = 0;
/// `LP_NORMAL`
const NORMAL: u32 = 1;
/// `LP_DEAD`, with storage: eight bytes that say when it was freed.
const DEAD: u32 = 3;

impl Line {
    pub(crate) const UNUSED: Self = Self(0);

    pub(crate) fn normal(offset: usize, len: usize) -> Self {
        Self(offset as u32 | NORMAL << 15 | (len as u32) << 17)
    }

    pub(crate) fn dead(offset: usize) -> Self {
        Self(offset as u32 | DEAD << 15 | (size_of::<Stamp>() as u32) << 17)
    }

    /// The same with its item elsewhere.
    pub(crate) fn moved(self, offset: usize) -> Self {
        Self(self.0 & !0x7FFF | offset as u32)
    }

    #[inline]
    pub(crate) fn offset(self) -> usize {
        (self.0 & 0x7FFF) as usize
    }

    #[inline]
    fn state(self) -> u32 {
        self.0 >> 15 & 3
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.0 >> 17) as usize
    }

    pub(crate) fn is_unused(self) -> bool {
        self.state() == UNUSED
    }

    pub(crate) fn is_dead(self) -> bool {
        self.state() == DEAD
    }
}

/// A page whose header has been checked, and its items.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    page: &'a Page,
    count: u16,
    upper: u16,
}

impl Page {
    /// The bytes around the beginning of an item, wherever that is: to be fetched ahead. Checks nothing but its own bounds.
    #[inline]
    #[must_use]
    pub fn around(&self, no: ItemNo, ahead: Ahead) -> &[u8] {
        let line = Self::line_at(no).map_or(0, |at| self.words()[at / LINE]);
        &self.bytes()[Self::span(line, ahead)]
    }

    /// Where the line pointer of an item stands: a multiple of four bytes. For stores that fetch ahead.
    #[inline]
    #[must_use]
    pub fn line_at(no: ItemNo) -> Option<usize> {
        let at = FIRST_LINE + LINE * usize::from(no.wrapping_sub(1));
        (at < SPECIAL).then_some(at)
    }

    /// The bytes around the item of a line pointer, whatever that holds. For stores that fetch ahead.
    #[inline]
    #[must_use]
    pub fn span(line: u32, ahead: Ahead) -> Range<usize> {
        let at = Line(line).offset().min(SPECIAL);
        at.saturating_sub(ahead.before)..at.saturating_add(ahead.after).min(SPECIAL)
    }

    /// The bytes of the item of a line pointer, up to so many, whatever that holds; also of a heap's. For stores that fetch ahead.
    #[inline]
    #[must_use]
    pub fn extent(line: u32, most: usize) -> Range<usize> {
        Self::span(line, Ahead { before: 0, after: Line(line).len().min(most) })
    }
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn new(page: &'a Page, count: u16, upper: u16) -> Self {
        Self { page, count, upper }
    }

    /// The page itself.
    #[inline]
    #[must_use]
    pub fn page(self) -> &'a Page {
        self.page
    }

    /// The highest item number in use; some below it may be free.
    #[inline]
    #[must_use]
    pub fn last(self) -> ItemNo {
        self.count
    }

    /// The item of this number, or `None` where there is none (any more).
    ///
    /// Who holds a pointer with a generation asks [`View::live`].
    ///
    /// # Errors
    /// A line pointer that leads outside the items.
    #[inline]
    pub fn find(self, no: ItemNo) -> Result<Option<&'a [u8]>, Defect> {
        if no.wrapping_sub(1) >= self.count {
            return Ok(None);
        }
        let line = self.line(no);
        if line.state() == NORMAL { self.stored(line).map(Some) } else { self.absent(line) }
    }

    /// The item of this number, where it cannot be missing.
    ///
    /// # Errors
    /// As [`View::find`], and a missing item.
    #[inline]
    pub fn item(self, no: ItemNo) -> Result<&'a [u8], Defect> {
        self.find(no)?.ok_or(Defect("an item is missing"))
    }

    /// The item that a pointer of this generation was made for, if it is still there: its [`ItemHead`] and all its bytes.
    ///
    /// # Errors
    /// As [`View::find`], and an item too short for its head.
    #[inline]
    pub fn live(
        self,
        no: ItemNo,
        tag: u8,
        generation: u32,
    ) -> Result<Option<(&'a ItemHead, &'a [u8])>, Defect> {
        let Some(item) = self.find(no)? else { return Ok(None) };
        let (head, _) =
            ItemHead::ref_from_prefix(item).map_err(|_| Defect("an item is too short for its head"))?;
        Ok((head.tag == tag && head.generation() == generation).then_some((head, item)))
    }

    /// Every item that is there, with its number.
    pub fn items(self) -> impl Iterator<Item = Result<(ItemNo, &'a [u8]), Defect>> {
        (1..=self.count).filter_map(move |no| Some(self.find(no).transpose()?.map(|item| (no, item))))
    }

    /// The items that were freed and whose numbers are not yet given out again, and when they were.
    pub fn freed(self) -> impl Iterator<Item = Result<(ItemNo, Stamp), Defect>> {
        (1..=self.count).filter_map(move |no| {
            let line = self.line(no);
            line.is_dead().then(|| Ok((no, self.stamp(line)?)))
        })
    }

    /// The length of the longest item that [`Page::add`] will take, exactly; 0 when it will take none.
    ///
    /// # Errors
    /// Items that lie outside the page or fill more than there is.
    pub fn room(self) -> Result<usize, Defect> {
        let line = if self.unused().is_some() { 0 } else { LINE };
        Ok(self.space()?.saturating_sub(line) & !(ALIGN - 1))
    }

    /// Bytes of what was freed that lie between items: [`Page::compact`] adds them to the hole.
    ///
    /// # Errors
    /// Items that lie outside the page or fill more than there is.
    pub fn gaps(self) -> Result<usize, Defect> {
        let hole = usize::from(self.upper) - self.lower();
        self.space()?.checked_sub(hole).ok_or(Defect("items overlap"))
    }

    /// Bytes between the line pointers and the special area that no item occupies.
    pub(crate) fn space(self) -> Result<usize, Defect> {
        let mut used = self.lower();
        for no in 1..=self.count {
            let line = self.line(no);
            if !line.is_unused() {
                used += self.stored(line)?.len().next_multiple_of(ALIGN);
            }
        }
        SPECIAL.checked_sub(used).ok_or(Defect("items overlap"))
    }

    /// End of the line pointers.
    pub(crate) fn lower(self) -> usize {
        FIRST_LINE + usize::from(self.count) * LINE
    }

    /// A number below [`View::last`] that can be given out.
    pub(crate) fn unused(self) -> Option<ItemNo> {
        (1..=self.count).find(|&no| self.line(no).is_unused())
    }

    /// The line pointer of a number that is at most `count`, which is at most what fits the page.
    #[inline]
    pub(crate) fn line(self, no: ItemNo) -> Line {
        const BEFORE_FIRST: usize = FIRST_LINE / LINE - 1;
        Line(self.page.words().get(BEFORE_FIRST + usize::from(no)).copied().unwrap_or(0))
    }

    /// The bytes that a line pointer leads to.
    #[inline]
    pub(crate) fn stored(self, line: Line) -> Result<&'a [u8], Defect> {
        let (begin, len) = (line.offset(), line.len());
        let end = begin + len;
        if begin < usize::from(self.upper) || !begin.is_multiple_of(ALIGN) || end > SPECIAL || len == 0 {
            return Err(Defect("a line pointer leads outside the items"));
        }
        self.page.bytes().get(begin..end).ok_or(Defect("a line pointer leads outside the page"))
    }

    /// When a dead item was freed.
    pub(crate) fn stamp(self, line: Line) -> Result<Stamp, Defect> {
        match self.stored(line)?.try_into() {
            Ok(bytes) => Ok(Stamp::from_raw(u64::from_le_bytes(bytes))),
            Err(_) => Err(Defect("a freed item has no stamp")),
        }
    }

    #[cold]
    fn absent(self, line: Line) -> Result<Option<&'a [u8]>, Defect> {
        if line.is_unused() {
            return Ok(None);
        }
        if line.is_dead() {
            return self.stamp(line).map(|_| None);
        }
        Err(Defect("a line pointer is of an unknown state"))
    }
}
