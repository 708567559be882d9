//! Repairing a graph.

use super::Hnsw;
use crate::am::error::Failure;
use crate::am::store::PgStore;
use crate::am::vacuum::{Done, Vacuum};
use kite_hnsw::{Index, VacuumOptions, VacuumStats};
use kite_pages::ItemPointer;

impl Vacuum for Hnsw {
    fn vacuum(
        index: &mut Index<'_, PgStore>,
        memory: usize,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<Done, Failure> {
        Ok(done(&index.vacuum(&VacuumOptions { memory }, is_dead)?))
    }

    fn is_tidy(index: &mut Index<'_, PgStore>) -> Result<bool, Failure> {
        Ok(index.is_tidy()?)
    }

    fn cleanup(index: &mut Index<'_, PgStore>, memory: usize) -> Result<Done, Failure> {
        Ok(done(&index.cleanup(&VacuumOptions { memory })?))
    }
}

fn done(stats: &VacuumStats) -> Done {
    Done { pages: stats.pages, rows: stats.rows, dead_rows: stats.dead_rows }
}
