//! Where searches begin, once that vertex is dead.

use super::Vacuum;
use super::survey::Survey;
use crate::Result;
use crate::format::Link;
use crate::index::read_meta;
use kite_pages::PageStore;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Lets searches begin at a vertex that has rows. Nothing is freed before, so that there always is one to begin at.
    pub(super) fn replace_entry(&self, survey: &Survey) -> Result<()> {
        self.switch_entry(survey.highest)?;
        if survey.highest.is_none() {
            // An insert that saw the dead entry point may have added a vertex behind the survey's back, and not have made it
            // the entry point, since there was one.
            let again = self.store.len();
            let mut late = Survey::new(0, again);
            for block in 1..again {
                self.store.check_interrupts()?;
                self.survey_page(block, &mut late)?;
            }
            self.switch_entry(late.highest)?;
        }
        Ok(())
    }

    /// Makes this vertex, or none, the entry point if the one at hand is dead or missing.
    fn switch_entry(&self, to: Option<(u8, Link)>) -> Result<()> {
        loop {
            self.store.check_interrupts()?;
            let old = read_meta(self.store)?.entry;
            let alive = !old.is_none() && self.index.is_live(old)?;
            if alive || (old.is_none() && to.is_none()) {
                return Ok(());
            }
            let (level, vertex) = to.unwrap_or((0, Link::NONE));
            if self.index.claim_entry(old, vertex, level)? {
                return Ok(());
            }
        }
    }
}
