//! Changing the items of a page.

use crate::page::{ALIGN, FIRST_LINE, LINE, SPECIAL};
use crate::view::Line;
use crate::{Defect, ItemNo, Page, Stamp};
use std::cmp::Reverse;

impl Page {
    /// Adds an item and answers its number, or `None` when [`View::room`](crate::View::room) is less than its length.
    /// Moves the other items together when that makes the room.
    ///
    /// # Errors
    /// A page that is not sound, and an item of no bytes.
    pub fn add(&mut self, item: &[u8]) -> Result<Option<ItemNo>, Defect> {
        let Some((no, begin)) = self.allot(item.len())? else { return Ok(None) };
        if let Some(place) = self.bytes_mut().get_mut(begin..begin + item.len()) {
            place.copy_from_slice(item);
        }
        Ok(Some(no))
    }

    /// Adds an item of zeros, to be filled through [`Page::item_mut`].
    ///
    /// # Errors
    /// As [`Page::add`].
    pub fn add_zeroed(&mut self, len: usize) -> Result<Option<ItemNo>, Defect> {
        Ok(self.allot(len)?.map(|(no, _)| no))
    }

    /// Finds `len` bytes and a number for an item. The bytes are zero up to the alignment.
    fn allot(&mut self, len: usize) -> Result<Option<(ItemNo, usize)>, Defect> {
        if len == 0 {
            return Err(Defect("an item of no bytes"));
        }
        let view = self.sound()?;
        if view.room()? < len {
            return Ok(None);
        }
        let no = view.unused().unwrap_or(view.last() + 1);
        let lower = view.lower().max(FIRST_LINE + usize::from(no) * LINE);
        let size = len.next_multiple_of(ALIGN);
        if usize::from(self.header.upper) < lower + size {
            self.compact()?;
        }
        let begin = usize::from(self.header.upper)
            .checked_sub(size)
            .filter(|&begin| begin >= lower)
            .ok_or(Defect("items overlap"))?;
        if let Some(place) = self.bytes_mut().get_mut(begin..begin + size) {
            place.fill(0);
        }
        self.header.lower = lower as u16;
        self.header.upper = begin as u16;
        self.set_line(no, Line::normal(begin, len));
        Ok(Some((no, begin)))
    }

    /// The bytes of an item, to be changed where they are.
    ///
    /// # Errors
    /// As [`View::find`](crate::View::find), and a page that is not sound.
    pub fn item_mut(&mut self, no: ItemNo) -> Result<Option<&mut [u8]>, Defect> {
        let view = self.sound()?;
        let Some(item) = view.find(no)? else { return Ok(None) };
        let (begin, len) = (view.line(no).offset(), item.len());
        Ok(self.bytes_mut().get_mut(begin..begin + len))
    }

    /// Gives an item other bytes where it stands. `false`, and nothing changed, when they take more room than it has, by
    /// multiples of eight bytes.
    ///
    /// # Errors
    /// A missing item or one of no bytes, and as [`Page::item_mut`].
    pub fn replace(&mut self, no: ItemNo, item: &[u8]) -> Result<bool, Defect> {
        let view = self.sound()?;
        let size = view.item(no)?.len().next_multiple_of(ALIGN);
        if item.is_empty() {
            return Err(Defect("an item of no bytes"));
        }
        if item.len() > size {
            return Ok(false);
        }
        let begin = view.line(no).offset();
        self.put(no, begin, size, item);
        Ok(true)
    }

    /// Gives an item other bytes under the same number, elsewhere on the page if they need more room. `false`, and nothing
    /// changed, when there is none.
    ///
    /// # Errors
    /// As [`Page::replace`].
    pub fn resize(&mut self, no: ItemNo, item: &[u8]) -> Result<bool, Defect> {
        if self.replace(no, item)? {
            return Ok(true);
        }
        let view = self.sound()?;
        let size = item.len().next_multiple_of(ALIGN);
        let old = view.item(no)?.len().next_multiple_of(ALIGN);
        if view.space()? + old < size {
            return Ok(false);
        }
        let lower = view.lower();
        if usize::from(self.header.upper) < lower + size {
            // The old bytes are not wanted any more, so that they do not stand in the way.
            self.set_line(no, Line::UNUSED);
            self.compact()?;
        }
        let begin = usize::from(self.header.upper)
            .checked_sub(size)
            .filter(|&begin| begin >= lower)
            .ok_or(Defect("items overlap"))?;
        self.header.upper = begin as u16;
        self.put(no, begin, size, item);
        Ok(true)
    }

    /// Writes an item that is `size` bytes long at most to where it is to be.
    fn put(&mut self, no: ItemNo, begin: usize, size: usize, item: &[u8]) {
        if let Some((new, rest)) = self
            .bytes_mut()
            .get_mut(begin..begin + size)
            .and_then(|place| place.split_at_mut_checked(item.len()))
        {
            new.copy_from_slice(item);
            rest.fill(0);
        }
        self.set_line(no, Line::normal(begin, item.len()));
    }

    /// Removes an item at once: the next one added may get its number. For items that no reader can hold a pointer to.
    ///
    /// # Errors
    /// A missing item, and as [`Page::item_mut`].
    pub fn remove(&mut self, no: ItemNo) -> Result<(), Defect> {
        self.sound()?.item(no)?;
        self.set_line(no, Line::UNUSED);
        self.trim()
    }

    /// Frees an item that readers may still hold pointers to: they find it gone. Its bytes can be used at once, its number
    /// only after [`Page::reclaim`] finds the stamp past.
    ///
    /// # Errors
    /// A missing item, and as [`Page::item_mut`].
    pub fn free(&mut self, no: ItemNo, stamp: Stamp) -> Result<(), Defect> {
        self.sound()?.item(no)?;
        let begin = self.sound()?.line(no).offset();
        if let Some(place) = self.bytes_mut().get_mut(begin..begin + size_of::<Stamp>()) {
            place.copy_from_slice(&stamp.to_raw().to_le_bytes());
        }
        self.set_line(no, Line::dead(begin));
        Ok(())
    }

    /// Makes the numbers of freed items usable whose stamps are past, and answers how many.
    ///
    /// # Errors
    /// As [`View::freed`](crate::View::freed), and a page that is not sound.
    pub fn reclaim(&mut self, is_past: impl Fn(Stamp) -> bool) -> Result<usize, Defect> {
        let mut reclaimed = 0;
        for no in 1..=self.sound()?.last() {
            let view = self.sound()?;
            let line = view.line(no);
            if line.is_dead() && is_past(view.stamp(line)?) {
                self.set_line(no, Line::UNUSED);
                reclaimed += 1;
            }
        }
        self.trim()?;
        Ok(reclaimed)
    }

    /// Moves the items together at the end of the page, in the order that they have there. Their numbers stay.
    ///
    /// # Errors
    /// Items that lie outside the page or upon each other.
    pub fn compact(&mut self) -> Result<(), Defect> {
        let view = self.sound()?;
        let lower = view.lower();
        let lines = (1..=view.last()).map(|no| (no, view.line(no)));
        let mut lines: Vec<_> = lines.filter(|(_, line)| !line.is_unused()).collect();
        lines.sort_unstable_by_key(|(_, line)| Reverse(line.offset()));
        // Checked before anything moves, so that an error leaves the page as it was.
        let mut end = SPECIAL;
        for &(_, line) in &lines {
            if line.offset() + view.stored(line)?.len().next_multiple_of(ALIGN) > end {
                return Err(Defect("items overlap"));
            }
            end = line.offset();
        }
        let mut upper = SPECIAL;
        for (no, line) in lines {
            let (from, size) = (line.offset(), line.len().next_multiple_of(ALIGN));
            upper -= size;
            if upper != from {
                // None moves towards the beginning, and those behind it have moved: nothing is overwritten that is still to move.
                self.bytes_mut().copy_within(from..from + size, upper);
                self.set_line(no, line.moved(upper));
            }
        }
        self.header.upper = upper as u16;
        if let Some(hole) = self.bytes_mut().get_mut(lower..upper) {
            hole.fill(0);
        }
        Ok(())
    }

    /// Zeroes the hole between line pointers and items, as replaying a WAL record does.
    ///
    /// # Errors
    /// A page that is not sound.
    pub fn zero_hole(&mut self) -> Result<(), Defect> {
        self.sound()?;
        let hole = usize::from(self.header.lower)..usize::from(self.header.upper);
        if let Some(hole) = self.bytes_mut().get_mut(hole) {
            hole.fill(0);
        }
        Ok(())
    }

    /// Gives back line pointers at the end that are not used.
    fn trim(&mut self) -> Result<(), Defect> {
        let view = self.sound()?;
        let last = (1..=view.last()).rev().find(|&no| !view.line(no).is_unused()).unwrap_or(0);
        self.header.lower = (FIRST_LINE + usize::from(last) * LINE) as u16;
        Ok(())
    }

    /// Sets a line pointer that lies below `lower`.
    fn set_line(&mut self, no: ItemNo, line: Line) {
        if let Some(word) = self.words_mut().get_mut(FIRST_LINE / LINE - 1 + usize::from(no)) {
            *word = line.0;
        }
    }
}
