//! Figures of an index, for `kite.index_info`.

use crate::Result;
use crate::format::{CHUNK, Item, LIST, List, NODES, POSTING, Posting, VERTEX, Vertex};
use crate::index::{Index, Options};
use kite_pages::{At, BlockNo, PAGE_SIZE, PageStore, View};

/// What an index consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// What it was made with.
    pub options: Options,
    /// Pages, the meta page among them.
    pub pages: u64,
    /// Bytes of all pages.
    pub bytes: u64,
    /// Bytes that items could still take.
    pub free_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Vertices without rows that wait for a vacuum.
    pub dead_vertices: u64,
    /// Those of them that vacuum has taken out of the graph, and that are freed once the searches under way have ended.
    pub unlinked_vertices: u64,
    /// What there is on each level, from 0.
    pub levels: Vec<Level>,
    /// Lists with codes of the current frame.
    pub coded_lists: u64,
    /// Lists without them.
    pub bare_lists: u64,
    /// Postings: where the rows of vertices with more than a few of them are.
    pub postings: u64,
    /// Chunks of payloads that are longer than a page.
    pub chunks: u64,
    /// The number of the frame of the codes; 0 while there is none.
    pub frame: u32,
}

/// A level of the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// Vertices with rows that are on this level.
    pub vertices: u64,
    /// How many lists have how many links, from none; those of vertices without rows among them.
    pub degrees: Vec<u64>,
}

impl Level {
    /// Links of a list, on average; 0 without lists.
    pub fn mean_degree(&self) -> f64 {
        let lists: u64 = self.degrees.iter().sum();
        let links: u64 = self.degrees.iter().zip(0..).map(|(&lists, links)| lists * links).sum();
        if lists == 0 { 0.0 } else { links as f64 / lists as f64 }
    }
}

impl<S: PageStore> Index<'_, S> {
    /// Counts what there is, page by page; inserts meanwhile are counted or not.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn info(&mut self) -> Result<Info> {
        self.refresh()?;
        let pages = self.store.len();
        let mut info = Info {
            options: self.options(),
            pages: u64::from(pages),
            bytes: u64::from(pages) * PAGE_SIZE as u64,
            free_bytes: 0,
            rows: 0,
            dead_vertices: 0,
            unlinked_vertices: 0,
            levels: Vec::new(),
            coded_lists: 0,
            bare_lists: 0,
            postings: 0,
            chunks: 0,
            frame: self.meta.frame,
        };
        for block in 1..pages {
            self.store.check_interrupts()?;
            let page = self.store.read(block)?;
            if !page.is_new() {
                info.page(self, page.view(NODES).at(block)?, block)?;
            }
        }
        Ok(info)
    }
}

impl Info {
    fn page<S>(&mut self, index: &Index<'_, S>, view: View<'_>, block: BlockNo) -> Result<()> {
        self.free_bytes += view.room().at(block)? as u64;
        for item in view.items() {
            let (_, item) = item.at(block)?;
            match item.first() {
                Some(&VERTEX) => self.vertex(&Vertex::parse(item, ()).at(block)?),
                Some(&LIST) => self.list(&List::parse(item, index.shape).at(block)?),
                Some(&POSTING) => {
                    let posting = Posting::parse(item, ()).at(block)?;
                    self.postings += 1;
                    if posting.unlinked().is_none() {
                        self.rows += posting.tids.len() as u64;
                    }
                }
                Some(&CHUNK) => self.chunks += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn vertex(&mut self, vertex: &Vertex<'_>) {
        if vertex.is_dead() {
            self.dead_vertices += 1;
            self.unlinked_vertices += u64::from(vertex.unlinked().is_some());
            return;
        }
        self.rows += vertex.tids.len() as u64;
        for level in 0..=vertex.level() {
            self.level(level).vertices += 1;
        }
    }

    fn list(&mut self, list: &List<'_>) {
        if list.frame() != 0 && list.frame() == self.frame {
            self.coded_lists += 1;
        } else {
            self.bare_lists += 1;
        }
        let degrees = &mut self.level(list.level()).degrees;
        let degree = list.links.len();
        if degrees.len() <= degree {
            degrees.resize(degree + 1, 0);
        }
        degrees[degree] += 1;
    }

    /// A level is a byte, so that there are not many.
    fn level(&mut self, level: u8) -> &mut Level {
        let level = usize::from(level);
        if self.levels.len() <= level {
            self.levels.resize(level + 1, Level::default());
        }
        &mut self.levels[level]
    }
}
