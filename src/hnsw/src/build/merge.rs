//! The lists of all parts, put together while the pages are written.

use super::ScratchFile;
use super::part::{Linked, Setting, level_of};
use super::spool::{Extra, Near, RowSpool};
use super::write::{Neighbours, Outgoing, Source};
use crate::Result;
use kite_build::read_whole;
use zerocopy::{FromZeros, IntoBytes};

/// The vertices of an index that was linked in parts. They come part by part.
#[derive(Debug)]
pub(super) struct Merged<'a, F> {
    /// The rows of each part.
    pub(super) rows: Vec<RowSpool<F>>,
    /// What each part was linked to; the last has the upper levels of all.
    pub(super) linked: Vec<Linked<F>>,
    pub(super) setting: &'a Setting<'a>,
    /// The row of the vector where searches begin, and its level.
    pub(super) entry: Option<(u32, u8)>,
    /// The number of rows altogether.
    pub(super) ids: usize,
    /// The most neighbours on level 0 and on those above.
    pub(super) slots: (usize, usize),
}

impl<F: ScratchFile> Source for Merged<'_, F> {
    fn ids(&self) -> usize {
        self.ids
    }

    fn each(&mut self, bytes: bool, visit: &mut dyn FnMut(&Outgoing<'_>) -> Result<()>) -> Result<()> {
        for part in &mut self.linked {
            part.lists.rewind(bytes)?;
            part.extras.rewind()?;
        }
        (0..self.rows.len()).try_for_each(|part| self.each_of(part, visit))
    }
}

impl<F: ScratchFile> Merged<'_, F> {
    /// Visits the vertices of one part.
    fn each_of(&mut self, part: usize, visit: &mut dyn FnMut(&Outgoing<'_>) -> Result<()>) -> Result<()> {
        let (mut payload, mut tids, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        let mut extra = next_extra(&mut self.linked[part].extras)?;
        self.rows[part].rewind()?;
        while let Some(head) = self.rows[part].next(&mut payload)? {
            let key = (head.part(), head.row());
            // Rows that belong elsewhere first, and rows whose vector another row has brought, are no vertices here.
            if usize::from(key.0) != part || self.linked[part].lists.seek(key)?.is_none() {
                continue;
            }
            tids.clear();
            tids.push(head.tid);
            while let Some(found) = extra.filter(|extra| extra.of() <= key.1) {
                tids.push(found.tid);
                extra = next_extra(&mut self.linked[part].extras)?;
            }
            let levels = usize::from(level_of(&payload, self.setting)) + 1;
            self.gather(key, levels, &mut lists)?;
            visit(&Outgoing { id: key.1, payload: &payload, tids: &tids, lists: &lists[..levels] })?;
        }
        Ok(())
    }

    /// Puts together the lists that the parts have for a vertex.
    fn gather(&mut self, key: (u16, u32), levels: usize, into: &mut Vec<Neighbours>) -> Result<()> {
        let mut found: Vec<Vec<(Near, &[u8])>> = Vec::new();
        found.resize_with(levels, Vec::new);
        for part in &mut self.linked {
            let size = part.lists.code_size();
            let Some(lists) = part.lists.seek(key)? else { continue };
            let mut codes = lists.codes.as_slice();
            for (list, level) in lists.lists.iter().zip(usize::from(lists.lowest)..) {
                for &near in list {
                    // Without bytes there are no codes.
                    let (code, rest) = codes.split_at(size.min(codes.len()));
                    codes = rest;
                    if let Some(found) = found.get_mut(level) {
                        found.push((near, code));
                    }
                }
            }
        }
        into.resize_with(levels.max(into.len()), Neighbours::default);
        for (level, (found, into)) in found.iter_mut().zip(into).enumerate() {
            found.sort_unstable_by(|(a, _), (b, _)| {
                a.distance().total_cmp(&b.distance()).then(a.row().cmp(&b.row()))
            });
            found.dedup_by_key(|(near, _)| near.row());
            found.truncate(if level == 0 { self.slots.0 } else { self.slots.1 });
            into.ids.clear();
            into.codes.clear();
            for (near, code) in found {
                into.ids.push(near.row());
                into.codes.extend_from_slice(code);
            }
        }
        Ok(())
    }
}

fn next_extra(file: &mut impl ScratchFile) -> Result<Option<Extra>> {
    let mut extra = Extra::new_zeroed();
    Ok(read_whole(file, extra.as_mut_bytes())?.then_some(extra))
}
