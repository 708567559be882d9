//! Where items go while pages are filled one after the other.

use kite_pages::{BlockNo, ItemNo, ItemPointer, MAX_ITEM, PAGE_SIZE};
use std::collections::VecDeque;

/// Pages that are open for items at a time, where memory allows. More fill the pages better, and strew what belongs together.
const WINDOW: usize = 64;
/// Bytes of a line pointer.
const LINE: usize = 4;
/// What items and their line pointers may take of a page.
const ROOM: usize = MAX_ITEM + 8;

/// Gives items their places. It knows sizes alone, so that a run over the sizes tells where everything will be.
#[derive(Debug)]
pub(super) struct Packer {
    open: VecDeque<Open>,
    /// The number of the first open page.
    first: BlockNo,
    /// How many pages may be open.
    window: usize,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    room: usize,
    items: ItemNo,
}

impl Packer {
    /// With the first page that it fills, and how many it may have open.
    pub(super) fn new(first: BlockNo, window: usize) -> Self {
        Self { open: VecDeque::new(), first, window }
    }

    /// How many pages to have open in a build that may take so many bytes: a small share of them.
    pub(super) fn window(memory: usize) -> usize {
        (memory / 32 / PAGE_SIZE).clamp(2, WINDOW)
    }

    /// Places items together on one page and answers where the first is; the others have the numbers behind its. It is the open
    /// page that they fill best, or a new one, in whose favour the oldest may be closed.
    ///
    /// `None` if they do not fit a page together.
    pub(super) fn place(&mut self, sizes: &[usize]) -> Option<ItemPointer> {
        let needed: usize = sizes.iter().map(|size| size.next_multiple_of(8) + LINE).sum();
        let fits = self.open.iter().enumerate().filter(|(_, page)| page.room >= needed);
        let at = match fits.min_by_key(|(_, page)| page.room) {
            Some((at, _)) => at,
            None if needed > ROOM => return None,
            None => self.begin_page(),
        };
        let page = &mut self.open[at];
        let pointer = ItemPointer::new(self.first + at as BlockNo, page.items + 1);
        page.room -= needed;
        page.items += sizes.len() as ItemNo;
        Some(pointer)
    }

    fn begin_page(&mut self) -> usize {
        if self.open.len() == self.window {
            self.open.pop_front();
            self.first += 1;
        }
        self.open.push_back(Open { room: ROOM, items: 0 });
        self.open.len() - 1
    }

    /// The first page that may still get items: those before are full.
    pub(super) fn first_open(&self) -> BlockNo {
        self.first
    }

    /// The page behind the last.
    pub(super) fn end(&self) -> BlockNo {
        self.first + self.open.len() as BlockNo
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kite_pages::{Page, PageKind};

    #[test]
    fn what_is_placed_fits_the_page() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut packer = Packer::new(1, WINDOW);
        let mut pages: Vec<Box<Page>> = Vec::new();
        for _ in 0..3000 {
            let sizes: Vec<usize> = (0..random.usize(1..3)).map(|_| random.usize(1..4000)).collect();
            let pointer = packer.place(&sizes).unwrap();
            assert!((packer.first_open()..packer.end()).contains(&pointer.block()));
            while pages.len() < packer.end() as usize {
                pages.push(Page::zeroed());
                pages.last_mut().unwrap().init(PageKind { code: 1, version: 1 });
            }
            for (no, &size) in (pointer.no()..).zip(&sizes) {
                let added = pages[pointer.block() as usize].add(&vec![1; size]).unwrap();
                assert_eq!(added, Some(no));
            }
        }
        assert!(packer.place(&[MAX_ITEM, 1]).is_none() && packer.place(&[MAX_ITEM]).is_some());
        let taken: usize = pages[1..].iter().map(|page| 8152 - page.sound().unwrap().room().unwrap()).sum();
        assert!(taken as f64 > 0.93 * 8152.0 * (pages.len() - 1) as f64, "{taken} on {}", pages.len());
    }
}
