//! Assigning rows to their centroids, and encoding them, on all threads.

use super::finder::Finder;
use super::records::Layout;
use crate::coder::Desk;
use crate::format::Scanned;
use crate::quantiser::Quantiser;
use crate::{Error, Result};
use kite_build::{Host, threads};
use std::ops::Range;
use std::sync::Mutex;

/// Records that a thread does at a time.
const BLOCK: usize = 16;

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
    desk: Desk,
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
            desk: Desk::default(),
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
            for record in records.chunks_exact_mut(self.layout.stride) {
                if let Err(error) = self.assign_one(worker, record) {
                    worker.outcome = Err(error);
                }
            }
        }
    }

    fn assign_one(&self, worker: &mut Worker, record: &mut [u8]) -> Result<()> {
        let quantiser = self.quantiser;
        let value = quantiser.scorer.value(self.layout.payload(record))?;
        let place = quantiser.place(value.as_ref(), &mut worker.desk);
        let place = place.ok_or(Error::Codecs(kite_codecs::Error::Zero))?;
        let list = self.finder.nearest(place, &mut worker.order);
        let error = quantiser.centres.error(place, list as usize) as f32;
        worker.code.clear();
        if quantiser.shape.scanned == Scanned::Code {
            let centre = quantiser.centres.point(list as usize);
            quantiser.coder.encode(value.as_ref(), &mut worker.desk, centre, &mut worker.code)?;
        }
        self.layout.assign(record, &worker.code, list, error);
        Ok(())
    }
}
