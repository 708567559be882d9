//! A page in the second pass: its lists are repaired, what is past is taken back, what it refers to is claimed.

use super::Vacuum;
use super::places::Places;
use super::survey::{Survey, claims};
use crate::Result;
use crate::format::{Item, LIST, Link, List, NODES, POSTING, Posting};
use kite_pages::{At, BlockNo, ItemNo, ItemPointer, MAX_ITEM, PageStore, PageTxn, Stamp, View};

/// What there is to do on a page.
#[derive(Debug, Default)]
struct Tasks {
    /// Lists that lead to dead vertices.
    broken: Vec<Link>,
    /// Whether a list lacks the codes that it could have.
    bare: bool,
    /// Whether something on the page was freed long enough ago.
    past: bool,
    room: usize,
}

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Does what there is to do on a page.
    pub(super) fn tend(&mut self, block: BlockNo, survey: &mut Survey) -> Result<()> {
        let tasks = {
            let page = self.store.read(block)?;
            if page.is_new() {
                // An abort or a crash has left it. It can be taken into use.
                Tasks { room: MAX_ITEM, ..Tasks::default() }
            } else {
                self.tasks(page.view(NODES).at(block)?, block, survey)?
            }
        };
        for list in tasks.broken {
            self.repair(list, &survey.dead)?;
        }
        if tasks.bare {
            self.stats.lists_recoded += self.index.recode_page(block)? as u64;
        }
        if tasks.past { self.reclaim(block) } else { Ok(self.store.note_space(block, tasks.room)?) }
    }

    /// Looks at a page, which is locked, and claims what it refers to.
    fn tasks(&self, view: View<'_>, block: BlockNo, survey: &mut Survey) -> Result<Tasks> {
        let mut tasks = Tasks { room: view.room().at(block)?, ..Tasks::default() };
        if !survey.foreign.is_empty() {
            claims(view, block, |link| survey.foreign.mark(link))?;
        }
        for freed in view.freed() {
            tasks.past |= self.store.is_past(freed.at(block)?.1);
        }
        for item in view.items() {
            let (no, item) = item.at(block)?;
            match item.first() {
                Some(&LIST) => {
                    let list = List::parse(item, self.index.shape).at(block)?;
                    if is_broken(&list, &survey.dead) {
                        tasks.broken.push(Link::new(ItemPointer::new(block, no), list.generation()));
                    }
                    let frame = self.index.meta.frame;
                    tasks.bare |= frame != 0 && list.frame() != frame;
                }
                Some(&POSTING) => {
                    let posting = Posting::parse(item, ()).at(block)?;
                    tasks.past |= posting.unlinked().is_some_and(|stamp| self.store.is_past(stamp));
                }
                _ => {}
            }
        }
        Ok(tasks)
    }

    /// Takes back what was freed or unlinked on a page long enough ago.
    fn reclaim(&self, block: BlockNo) -> Result<()> {
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let is_past = |stamp: Stamp| self.store.is_past(stamp);
        let unlinked: Vec<ItemNo> =
            past_postings(txn.page(slot).view(NODES).at(block)?, is_past).at(block)?;
        let page = txn.page_mut(slot);
        for no in unlinked {
            // Nobody can be under way to it any more.
            page.remove(no).at(block)?;
        }
        page.reclaim(is_past).at(block)?;
        self.index.commit(txn, &[slot])
    }
}

/// Whether a list that is worth repairing leads to dead vertices.
fn is_broken(list: &List<'_>, dead: &Places) -> bool {
    list.links.iter().any(|&link| dead.contains(link)) && !dead.contains_place(list.owner())
}

/// The postings of a page that were unlinked long enough ago.
fn past_postings(view: View<'_>, is_past: impl Fn(Stamp) -> bool) -> Result<Vec<ItemNo>, kite_pages::Defect> {
    let mut past = Vec::new();
    for item in view.items() {
        let (no, item) = item?;
        if item.first() == Some(&POSTING) && Posting::parse(item, ())?.unlinked().is_some_and(&is_past) {
            past.push(no);
        }
    }
    Ok(past)
}
