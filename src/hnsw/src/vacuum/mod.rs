//! Taking deleted rows out of the index, and giving back the room.
//!
//! The order is what keeps searches right at every moment, and after a crash at any record:
//!
//! 1. Heap TIDs that are dead are removed. A vertex that loses its last one becomes `DEAD`: searches pass through it but
//!    do not return it, and the flag is all that a later vacuum needs to go on from here.
//! 2. A live vertex becomes the entry point, if the entry point is dead.
//! 3. Lists that lead to dead vertices get other links instead.
//! 4. Dead vertices are stamped: they are `UNLINKED`, and stay for the searches that are on the way to them.
//! 5. What nobody refers to is freed: it is what crashes leave over.
//! 6. Vertices to which no way leads any more are linked again.
//! 7. Dead vertices whose stamp is past are freed: lists, payload, vertex. The others wait for the next vacuum.
//!
//! Every step is a row of records that stand by themselves; one page lock at a time suffices for most of them, and where more
//! are needed they are taken in the order of blocks. So searches and inserts go on meanwhile.

mod chain;
mod entry;
mod free;
mod gather;
mod places;
mod prune;
mod reach;
mod repair;
mod rows;
mod survey;
mod sweep;
mod tend;

use crate::Result;
use crate::format::{Link, NODES};
use crate::index::Index;
pub(crate) use chain::Steps;
use gather::Gather;
use kite_pages::{At, BlockNo, ItemPointer, PageStore};
use places::Places;
use survey::Survey;

/// How a vacuum is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumOptions {
    /// Bytes that may be taken for what has to be remembered of the whole index (`maintenance_work_mem`): some nine for each
    /// dead vertex, and as many for what may be an orphan; with less, the index is read several times. And 44 for each vertex,
    /// dead or not, to find those to which no way leads any more; with less, they are not looked for.
    pub memory: usize,
}

impl Default for VacuumOptions {
    fn default() -> Self {
        Self { memory: 64 << 20 }
    }
}

/// What a vacuum has found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VacuumStats {
    /// Pages of the index.
    pub pages: u64,
    /// Vertices that have rows.
    pub vertices: u64,
    /// Rows that are left.
    pub rows: u64,
    /// Rows that were removed.
    pub dead_rows: u64,
    /// Vertices without rows that were found, from this vacuum or earlier ones.
    pub dead_vertices: u64,
    /// Lists that led to dead vertices and got other links.
    pub lists_repaired: u64,
    /// Lists that only got the codes of the current frame.
    pub lists_recoded: u64,
    /// Vertices that were freed.
    pub freed: u64,
    /// Vertices without rows that wait for the searches under way to end; a later vacuum or cleanup frees them.
    pub waiting: u64,
    /// Lists, postings and chains of payloads that nobody referred to and that were freed.
    pub orphans: u64,
    /// Vertices to which no way led any more and that were linked again.
    pub reconnected: u64,
}

/// A vacuum at work.
#[derive(Debug)]
struct Vacuum<'i, 's, S> {
    index: &'i mut Index<'s, S>,
    store: &'s S,
    options: VacuumOptions,
    gather: Gather,
    stats: VacuumStats,
}

impl<S: PageStore> Index<'_, S> {
    /// Removes the rows for which `is_dead` says so (`ambulkdelete`), and frees what that leaves without use.
    ///
    /// Every row is asked about once, and nothing is locked meanwhile; rows inserted during the vacuum may or may not be. While
    /// no row is dead, nothing is written: `CREATE INDEX CONCURRENTLY` asks to see all rows that way. [`Index::cleanup`] does
    /// what is left to do then.
    ///
    /// One vacuum at a time; inserts and searches may go on. After an error it can be called again and goes on from there.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn vacuum(
        &mut self,
        options: &VacuumOptions,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<VacuumStats> {
        self.refresh()?;
        let mut vacuum = Vacuum::new(self, *options);
        let first = vacuum.remove_dead_rows(is_dead)?;
        if vacuum.stats.dead_rows > 0 { vacuum.finish(first) } else { Ok(vacuum.stats) }
    }

    /// Whether a cleanup has nothing to do: none does where the last vacuum ended, no dead vertex waits for searches, and no codes
    /// were learned since. What inserts that crashed have left behind is not known of; the next vacuum with dead rows frees it.
    ///
    /// # Errors
    /// A damaged meta page, and those of the store.
    pub fn is_tidy(&mut self) -> Result<bool> {
        self.refresh()?;
        Ok(!self.meta.untidy)
    }

    /// Says whether a cleanup has something to do.
    fn set_untidy(&self, untidy: bool) -> Result<()> {
        self.change_meta(|meta| {
            let changed = meta.untidy != untidy;
            meta.untidy = untidy;
            changed
        })?;
        Ok(())
    }

    /// Does all that [`Index::vacuum`] does but for removing rows (`amvacuumcleanup`): finishes what an interrupted vacuum left,
    /// frees what has become free since, gives codes to lists that have none, notes free space, counts. After a vacuum that
    /// found dead rows it is of use only where vertices are [`VacuumStats::waiting`] and the searches meant have ended.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn cleanup(&mut self, options: &VacuumOptions) -> Result<VacuumStats> {
        self.refresh()?;
        let mut vacuum = Vacuum::new(self, *options);
        let first = vacuum.survey(1)?;
        vacuum.stats.rows = first.rows;
        vacuum.finish(first)
    }
}

impl<'i, 's, S: PageStore> Vacuum<'i, 's, S> {
    fn new(index: &'i mut Index<'s, S>, options: VacuumOptions) -> Self {
        let gather = Gather::new(options.memory / 4);
        Self { store: index.store, index, options, gather, stats: VacuumStats::default() }
    }

    /// Asks about the rows of all pages, removes the dead ones, and surveys what is there then.
    fn remove_dead_rows(&mut self, is_dead: &mut dyn FnMut(ItemPointer) -> bool) -> Result<Survey> {
        let mut survey = Survey::new(self.options.memory / 4 * 3, 1);
        let mut block = 1;
        // Inserts may add pages meanwhile.
        while block < self.store.len() {
            self.store.check_interrupts()?;
            self.remove_rows(block, is_dead)?;
            self.survey_page(block, &mut survey)?;
            block += 1;
        }
        self.close(&survey);
        Ok(survey)
    }

    /// Surveys all pages, collecting what has to be done from block `from` on.
    fn survey(&mut self, from: BlockNo) -> Result<Survey> {
        let mut survey = Survey::new(self.options.memory / 4 * 3, from);
        let mut block = 1;
        while block < self.store.len() {
            self.store.check_interrupts()?;
            self.survey_page(block, &mut survey)?;
            block += 1;
        }
        self.close(&survey);
        Ok(survey)
    }

    fn survey_page(&self, block: BlockNo, survey: &mut Survey) -> Result<()> {
        let page = self.store.read(block)?;
        if !page.is_new() {
            survey.page(self.index, page.view(NODES).at(block)?, block)?;
        }
        Ok(())
    }

    /// Takes the counts of a survey over.
    fn close(&mut self, survey: &Survey) {
        self.stats.pages = u64::from(self.store.len());
        self.stats.vertices = survey.vertices;
        self.stats.dead_vertices = self.stats.dead_vertices.max(survey.dead_vertices);
    }

    /// Everything after the removal of rows; `survey` tells what there is.
    fn finish(mut self, survey: Survey) -> Result<VacuumStats> {
        self.index.refresh()?;
        self.replace_entry(&survey)?;
        let dead = self.lead_past_dead(survey)?;
        let (vertices, rows) = (self.stats.vertices, self.stats.rows);
        self.index.change_meta(|meta| {
            let counts = (meta.vertices, meta.rows) != (vertices, rows);
            (meta.vertices, meta.rows) = (vertices, rows);
            counts
        })?;
        self.gather = Gather::new(0);
        self.stats.reconnected = self.index.reconnect(self.options.memory.saturating_sub(dead.bytes()))?;
        self.free_dead(&dead)?;
        self.stats.waiting = self.stats.dead_vertices.saturating_sub(self.stats.freed);
        self.index.set_untidy(self.stats.waiting > 0)?;
        Ok(self.stats)
    }

    /// Goes over all pages, as often as memory demands: repairs lists, frees what is past or belongs to nobody. Then takes
    /// the dead vertices out of the graph. Answers those of them that it still remembers.
    fn lead_past_dead(&mut self, mut survey: Survey) -> Result<Places> {
        let mut rounds = 0;
        loop {
            let mut block = 1;
            while block < self.store.len() {
                self.store.check_interrupts()?;
                self.tend(block, &mut survey)?;
                block += 1;
            }
            self.claim_frame(&mut survey)?;
            self.free_dead(&survey.dead)?;
            self.free_orphans(&survey)?;
            rounds += 1;
            // What did not fit into memory comes in the next round.
            let Some(from) = survey.stopped else { break };
            survey = self.survey(from)?;
        }
        // Not earlier: the list of a dead vertex that the graph still leads to may lead to another one.
        if rounds == 1 {
            self.unlink_dead(survey.dead.iter().map(Link::block))?;
        } else {
            self.unlink_dead(1..self.store.len())?;
        }
        Ok(survey.dead)
    }
}

#[cfg(test)]
pub(crate) mod tests;
