//! Assigning rows to their centroids, and encoding them, on all threads.

use super::finder::Finder;
use super::records::Layout;
use super::table::BLOCK;
use crate::centres::Place;
use crate::coder::Desk;
use crate::format::Scanned;
use crate::quantiser::Quantiser;
use crate::{Error, Result};
use kite_build::{Host, threads};
use std::ops::Range;
use std::sync::Mutex;

/// What assigns.
#[derive(Debug)]
pub(super) struct Assigner<'a> {
    pub(super) quantiser: &'a Quantiser,
    pub(super) finder: Finder<'a>,
    pub(super) layout: Layout,
    pub(super) threads: usize,
}

/// A thread at it.
struct Worker {
    /// One for each record of a block.
    desks: Vec<Desk>,
    code: Vec<u8>,
    order: Vec<(f32, usize)>,
    outcome: Result<()>,
}

impl Assigner<'_> {
    /// Fills in list, error and code of records that lie one after the other.
    pub(super) fn assign(&self, records: &mut [u8], host: &impl Host) -> Result<()> {
        let blocks: Vec<Mutex<&mut [u8]>> =
            records.chunks_mut(BLOCK * self.layout.stride).map(Mutex::new).collect();
        let mut workers = Vec::new();
        workers.resize_with(self.threads.max(1) + usize::from(self.threads > 1), || Worker {
            desks: vec![Desk::default(); BLOCK],
            code: Vec::new(),
            order: Vec::new(),
            outcome: Ok(()),
        });
        threads::run(host, &mut workers, blocks.len(), |worker, range| self.run(worker, &blocks, range))?;
        workers.into_iter().try_for_each(|worker| worker.outcome)
    }

    fn run(&self, worker: &mut Worker, blocks: &[Mutex<&mut [u8]>], range: Range<usize>) {
        for block in range {
            // Each block is one thread's; the lock only says so.
            let Ok(mut records) = blocks[block].lock() else { continue };
            if let Err(error) = self.assign_block(worker, &mut records) {
                worker.outcome = Err(error);
            }
        }
    }

    fn assign_block(&self, worker: &mut Worker, records: &mut [u8]) -> Result<()> {
        let (quantiser, layout) = (self.quantiser, self.layout);
        let values = records
            .chunks_exact(layout.stride)
            .map(|record| quantiser.scorer.value(layout.payload(record)))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let mut lists = [(0, 0.0); BLOCK];
        {
            let mut places = [Place::Bits(&[]); BLOCK];
            let places = &mut places[..values.len()];
            for ((place, value), desk) in places.iter_mut().zip(&values).zip(&mut worker.desks) {
                let found = quantiser.place(value.as_ref(), desk);
                *place = found.ok_or(Error::Codecs(kite_codecs::Error::Zero))?;
            }
            let places = &*places;
            self.finder.nearest(places, &mut worker.order, |n, list| {
                lists[n] = (list, quantiser.centres.error(places[n], list as usize) as f32);
            });
        }
        let records = records.chunks_exact_mut(layout.stride);
        for (((record, value), (list, error)), desk) in records.zip(&values).zip(lists).zip(&mut worker.desks)
        {
            worker.code.clear();
            if quantiser.shape.scanned == Scanned::Code {
                let centre = quantiser.centres.point(list as usize);
                quantiser.coder.encode(value.as_ref(), desk, centre, &mut worker.code)?;
            }
            layout.assign(record, &worker.code, list, error);
        }
        Ok(())
    }
}
