//! Reading lists: every block of each, once.
//!
//! Several lists are read together, so that the pages of all of them can be fetched ahead. A list is followed by its links; what a
//! build has written in one piece is fetched in one piece, and followed by links all the same, since a vacuum may have
//! replaced some of it.

use crate::format::{Anchor, BODY, Block, CHAINS, Link, Shape};
use crate::{Error, Result};
use kite_pages::{At, BlockNo, PageStore, View};

/// A list being read.
#[derive(Debug)]
struct Progress {
    chains: [Link; CHAINS],
    run: (BlockNo, u32),
}

/// Visits all blocks of the lists with these anchors. `visit` gets the place of the list among them, under the lock of a page.
///
/// A block that is gone ends its chain: that is seen where a vacuum on the primary is replayed beneath a search.
pub(crate) fn walk<S: PageStore>(
    store: &S,
    shape: &Shape,
    anchors: &[Link],
    mut visit: impl FnMut(usize, Link, &Block<'_>) -> Result<()>,
) -> Result<()> {
    let mut lists: Vec<Progress> = Vec::new();
    let mut outcome = Ok(());
    let mut take = |place: usize, link: Link, view: View<'_>| -> kite_pages::Result<Link> {
        let Some(block) = link.list_block(view, shape).at(link.block())? else { return Ok(Link::NONE) };
        if let Err(error) = visit(place, link, &block) {
            outcome = Err(error);
            return Err(kite_pages::Error::Interrupted);
        }
        Ok(block.next().unwrap_or(Link::NONE))
    };
    let mut run = || -> Result<()> {
        let batch = store.batch().max(1);
        for group in anchors.chunks(batch) {
            store.check_interrupts()?;
            let blocks: Vec<BlockNo> = group.iter().map(|anchor| anchor.block()).collect();
            store.read_many(&blocks, |n, page| {
                let view = page.view(BODY).at(blocks[n])?;
                let found = group[n].anchor(view).at(blocks[n])?;
                let missing =
                    kite_pages::Error::Corrupt { block: blocks[n], what: "the anchor of a list is missing" };
                let anchor: &Anchor = found.ok_or(missing)?;
                let mut progress = Progress { chains: anchor.chains, run: anchor.run() };
                if let Some(first) = progress.chains[0].some()
                    && first.block() == blocks[n]
                {
                    progress.chains[0] = take(lists.len(), first, view)?;
                }
                lists.push(progress);
                Ok(())
            })?;
        }
        follow_runs(store, &mut lists, &mut take)?;
        follow_links(store, &mut lists, &mut take)
    };
    // An error of `visit` is what counts, and not that it ended the reading.
    let ran = run();
    outcome?;
    ran
}

/// Reads the pages that a build has written in one piece.
fn follow_runs<S: PageStore>(
    store: &S,
    lists: &mut [Progress],
    take: &mut impl FnMut(usize, Link, View<'_>) -> kite_pages::Result<Link>,
) -> Result<()> {
    let (batch, end) = (store.batch().max(1), store.len());
    let mut wanted: Vec<(usize, BlockNo)> = Vec::new();
    let mut read = |wanted: &mut Vec<(usize, BlockNo)>, lists: &mut [Progress]| -> Result<()> {
        let blocks: Vec<BlockNo> = wanted.iter().map(|&(_, block)| block).collect();
        store.read_many(&blocks, |n, page| {
            let (place, block) = wanted[n];
            let expected = lists[place].chains[0];
            if !expected.is_none() && expected.block() == block {
                lists[place].chains[0] = take(place, expected, page.view(BODY).at(block)?)?;
            }
            Ok(())
        })?;
        wanted.clear();
        Ok(store.check_interrupts()?)
    };
    for place in 0..lists.len() {
        let (first, len) = lists[place].run;
        let run = first..first.saturating_add(len).min(end);
        if !run.contains(&lists[place].chains[0].block()) {
            continue;
        }
        for block in run {
            wanted.push((place, block));
            if wanted.len() == batch {
                read(&mut wanted, lists)?;
            }
        }
    }
    read(&mut wanted, lists)
}

/// Follows the links that are left, of all chains of all lists together.
fn follow_links<S: PageStore>(
    store: &S,
    lists: &mut [Progress],
    take: &mut impl FnMut(usize, Link, View<'_>) -> kite_pages::Result<Link>,
) -> Result<()> {
    let all = |(place, list): (usize, &Progress)| list.chains.map(|link| (place, link));
    let mut frontier: Vec<(usize, Link)> = lists.iter().enumerate().flat_map(all).collect();
    let mut steps = Steps::new(store);
    loop {
        frontier.retain(|(_, link)| !link.is_none());
        if frontier.is_empty() {
            return Ok(());
        }
        for group in frontier.chunks_mut(store.batch().max(1)) {
            store.check_interrupts()?;
            let blocks: Vec<BlockNo> = group.iter().map(|(_, link)| link.block()).collect();
            steps.take(&blocks)?;
            store.read_many(&blocks, |n, page| {
                let (place, link) = group[n];
                group[n].1 = take(place, link, page.view(BODY).at(link.block())?)?;
                Ok(())
            })?;
        }
    }
}

/// Counts what is followed, so that links that lead in a circle end.
#[derive(Debug)]
pub(crate) struct Steps(u64);

impl Steps {
    /// No page has as many blocks.
    pub(crate) fn new<S: PageStore>(store: &S) -> Self {
        Self((u64::from(store.len()) + 1000) * 256)
    }

    pub(crate) fn take(&mut self, blocks: &[BlockNo]) -> Result<()> {
        self.0 = self.0.saturating_sub(blocks.len() as u64);
        match (self.0, blocks.first()) {
            (0, Some(&block)) => Err(Error::corrupt(block, "the blocks of a list lead in a circle")),
            _ => Ok(()),
        }
    }
}
