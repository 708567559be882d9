//! Inserting a row.
//!
//! A search finds the neighbours, with nothing locked; then come the records, in an order that leaves an index that answers
//! wherever they end:
//!
//! 1. the chunks of a payload that is longer than a page; nobody refers to them yet;
//! 2. the vertex with its lists, on up to four pages; nobody refers to it yet;
//! 3. a link back from each neighbour, one list at a time;
//! 4. the meta page, if searches are to begin at the new vertex.
//!
//! A row whose vector the index has becomes a further row of that vertex: one record instead.
//!
//! What is found may have changed when it is written to. Each change looks again under its lock; a list that was computed from
//! what others may have changed is written only if it is still the list that was read.

mod back;
mod choose;
mod entry;
mod frame;
mod near;
mod place;
mod rows;

use crate::build::{Parameters, level};
use crate::format::{Entry, Link, META_BLOCK};
use crate::index::Index;
use crate::payloads::{Fate, Payloads, fetch};
use crate::{Error, Result};
use kite_codecs::Value;
use kite_pages::{ItemPointer, PageStore};
#[cfg(test)]
pub(crate) use near::Equal;
use near::Neighbourhood;
pub(crate) use near::Room;

/// How often a vertex is linked again whose neighbours have all died meanwhile.
const ATTEMPTS: usize = 100;

/// What is being inserted.
#[derive(Debug)]
struct New<'a> {
    /// None for a vertex that is there already and of which there is only the payload.
    value: Option<Value<'a>>,
    payload: &'a [u8],
    level: u8,
    /// Its code and factors in the frame of this number.
    code: Vec<u8>,
    frame: u32,
    /// Once it is written.
    vertex: Option<Link>,
}

impl New<'_> {
    fn link(&self) -> Link {
        self.vertex.unwrap_or(Link::NONE)
    }

    fn entry(&self) -> Entry {
        Entry { link: self.link(), code: self.code.clone() }
    }

    /// Whether it is not new, but nothing led to it any more.
    fn is_lost(&self) -> bool {
        self.value.is_none()
    }
}

impl<S: PageStore> Index<'_, S> {
    /// Inserts a row. `false` for a value that is not indexed: a zero vector under cosine distance.
    ///
    /// After an error the row may be there, or be found by some searches, or not at all; the caller's transaction must not commit.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, and those of the store.
    pub fn insert(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        self.refresh()?;
        let mut payload = Vec::new();
        match self.scorer.encode(value, &mut payload) {
            Err(kite_codecs::Error::Zero) => return Ok(false),
            encoded => encoded?,
        }
        let pages = self.store.len();
        let mut new = self.describe(tid, value, &payload);
        let mut found = self.neighbourhood(&new, true)?;
        if let Some(equal) = found.equal {
            if self.add_row(equal, &payload, tid)? {
                return Ok(true);
            }
            found = self.neighbourhood(&new, false)?;
        }
        self.code(&mut new)?;
        new.vertex = Some(self.write_vertex(&new, tid, &found.levels)?);
        self.link_in(&mut new, found)?;
        self.learn_if_grown(pages)?;
        Ok(true)
    }

    /// What is to be inserted, before anything is.
    fn describe<'a>(&self, tid: ItemPointer, value: Value<'a>, payload: &'a [u8]) -> New<'a> {
        New {
            value: Some(value),
            payload,
            level: self.level_of(tid),
            code: Vec::new(),
            frame: 0,
            vertex: None,
        }
    }

    /// Makes a vertex that was just written findable.
    fn link_in(&mut self, new: &mut New<'_>, mut found: Neighbourhood) -> Result<()> {
        for attempt in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            if attempt > 0 {
                self.refresh()?;
                found = self.neighbourhood(new, false)?;
                self.link_out(new, &found)?;
            }
            let alone = found.levels[0].is_empty();
            if alone && self.claim_entry(found.entry, new.link(), new.level)? {
                return Ok(());
            }
            if self.link_all_back(new, &found)? {
                return self.enter(new);
            }
        }
        Err(Error::corrupt(META_BLOCK, "searches find only vertices without rows"))
    }

    /// Links a vertex again to which no way leads any more on level 0. Whether it is there and alive.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub(crate) fn relink(&mut self, vertex: Link) -> Result<bool> {
        self.refresh()?;
        let mut payloads = Payloads::default();
        let Some(&Fate::Live(number)) = fetch(self.store, &[vertex], &mut payloads)?.first() else {
            return Ok(false);
        };
        let payload = payloads.get(number);
        let mut new =
            New { value: None, payload, level: 0, code: Vec::new(), frame: 0, vertex: Some(vertex) };
        self.code(&mut new)?;
        let found = self.neighbourhood(&new, false)?;
        self.link_out(&new, &found)?;
        self.link_in(&mut new, found)?;
        Ok(true)
    }

    /// Has all neighbours link back. Whether one of them does on level 0, where every search ends.
    fn link_all_back(&mut self, new: &mut New<'_>, found: &Neighbourhood) -> Result<bool> {
        let mut linked = false;
        for level in (0..=new.level).rev() {
            for neighbour in &found.levels[usize::from(level)] {
                // The heuristic of each of them may prefer others; then the nearest must do without.
                let must = level == 0 && !linked;
                let there = self.link_back(neighbour, level, new, must)?;
                linked |= there && level == 0;
            }
        }
        Ok(linked)
    }

    /// Adds neighbours to the lists of the new vertex, which are written already.
    fn link_out(&mut self, new: &New<'_>, found: &Neighbourhood) -> Result<()> {
        for (level, neighbours) in (0..).zip(&found.levels) {
            self.recode(new.link(), level)?;
            let Some(list) = self.list_of(new.link(), level)? else { continue };
            let Some(seen) = self.read_list(new.link(), list)? else { continue };
            let mut next = seen.clone();
            for neighbour in neighbours {
                let there = next.entries.iter().any(|entry| entry.link == neighbour.entry.link);
                if !there && next.entries.len() < self.meta.slots(level) {
                    next.entries.push(neighbour.entry.clone());
                }
            }
            next.capacity = next.capacity.max(next.entries.len());
            if seen.frame == self.meta.frame {
                self.rewrite(new.link(), list, &seen, &next)?;
            }
        }
        Ok(())
    }

    /// Lets searches begin at the new vertex if it is on a higher level than where they begin now.
    fn enter(&mut self, new: &New<'_>) -> Result<()> {
        self.refresh()?;
        if self.meta.entry.is_none() || new.level > self.meta.entry_level {
            self.raise_entry(new.link(), new.level)?;
        }
        Ok(())
    }

    /// The level of the vertex of a row.
    fn level_of(&self, tid: ItemPointer) -> u8 {
        let parameters =
            Parameters { m: usize::from(self.meta.m), seed: self.meta.seed, ..Parameters::default() };
        let number = u64::from(tid.block()) << 16 | u64::from(tid.no());
        level(&parameters, number).min(self.highest())
    }

    /// Encodes the new vector in the frame that this index knows.
    fn code(&self, new: &mut New<'_>) -> Result<()> {
        if new.frame != self.meta.frame {
            new.code.clear();
            match new.value {
                Some(value) => self.scorer.encode_code(value, &mut new.code)?,
                None => self.scorer.encode_code_of(new.payload, &mut new.code)?,
            }
            new.frame = self.meta.frame;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
