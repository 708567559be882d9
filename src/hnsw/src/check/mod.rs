//! Looking for damage, as `amcheck` does for b-trees. Nothing is written, and nothing found ends the search.
//!
//! What a crash or an interrupted vacuum may leave is not damage: links to what is gone, dead vertices, orphans, a vertex
//! that no list leads to. It is counted, and the next vacuum sees to it.

mod collect;
mod links;
mod reach;
mod relations;
#[cfg(test)]
mod tests;

use crate::format::{Item, Link, NODES};
use crate::index::Index;
use crate::{Error, Result};
use collect::Known;
use kite_pages::{BlockNo, Defect, PageStore, View};

/// Problems beyond this are counted only.
const MOST: usize = 1000;

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The page where it shows.
    pub block: BlockNo,
    /// What it is.
    pub what: String,
}

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Damage, at most 1,000 times.
    pub problems: Vec<Problem>,
    /// Further problems.
    pub more: u64,
    /// Pages that were looked at.
    pub pages: u64,
    /// Vertices that have rows.
    pub vertices: u64,
    /// Vertices without rows that wait for a vacuum.
    pub dead: u64,
    /// Those of them that vacuum has taken out of the graph, and that are freed once the searches under way have ended.
    pub unlinked: u64,
    /// Rows.
    pub rows: u64,
    /// Links to vertices that are gone or taken out of the graph, in lists of those that are not.
    pub stale: u64,
    /// Lists, postings and chunks that nobody refers to.
    pub orphans: u64,
    /// Vertices that have rows but cannot be reached from the entry point by the lists of level 0.
    pub unreachable: u64,
    /// Codes that were compared with the vectors they stand for.
    pub codes: u64,
}

impl Report {
    /// Whether there is no damage.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, block: BlockNo, what: impl Into<String>) {
        if self.problems.len() < MOST {
            self.problems.push(Problem { block, what: what.into() });
        } else {
            self.more += 1;
        }
    }

    /// Takes a result apart: damage becomes a problem, other errors end the check.
    fn sound<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Pages(kite_pages::Error::Corrupt { block, what })) => {
                self.add(block, what);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl<S: PageStore> Index<'_, S> {
    /// Checks all pages, and all that they say about each other. Takes about fifty bytes of memory per vertex and eight per row.
    ///
    /// No one may write meanwhile: what changes would look like damage.
    ///
    /// # Errors
    /// Those of the store and of memory, but not damage.
    pub fn check(&mut self) -> Result<Report> {
        let mut report = Report::default();
        // With a damaged meta page, what was known of it before has to do.
        let refreshed = self.refresh();
        report.sound(refreshed)?;
        let mut check = Check { index: self, report, known: Known::default() };
        check.collect()?;
        check.relate();
        check.chains()?;
        check.links()?;
        check.reach()?;
        Ok(check.report)
    }
}

/// A check at work.
struct Check<'i, 's, S> {
    index: &'i Index<'s, S>,
    report: Report,
    known: Known,
}

impl<S: PageStore> Check<'_, '_, S> {
    /// Visits all pages that can be read; those that cannot are problems the first time.
    fn pages(
        &mut self,
        first_time: bool,
        mut visit: impl FnMut(&mut Self, BlockNo, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let store = self.index.store;
        for block in 1..store.len() {
            store.check_interrupts()?;
            let page = store.read(block)?;
            if page.is_new() {
                continue;
            }
            match page.view(NODES) {
                Ok(view) => visit(self, block, view)?,
                Err(Defect(what)) if first_time => self.report.add(block, what),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The item, if it is there and of this sort; damage has been reported already.
fn find<'a, T: Item<'a>>(view: View<'a>, link: Link, with: T::With) -> Option<T> {
    link.find(view, with).ok().flatten()
}
