//! Counting and pricing reads.

use super::frames::Frame;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a read costs beside its own work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// Price of each page read, in nanoseconds.
    pub nanos: u64,
    /// Whether the reader waits so long; else the price is only added up.
    pub waits: bool,
}

/// What has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Pages pinned by `read` and `read_many`.
    pub pins: u64,
    /// Different pages among them.
    pub distinct: u64,
    /// The price of all pins at the latency set now, in nanoseconds; waited for or not.
    pub nanos: u64,
}

/// Counters of one thread or a few, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    pins: AtomicU64,
    distinct: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Counters {
    shards: [Shard; 16],
    /// The round of counting; a frame last read in another one is counted as distinct.
    round: AtomicU32,
    nanos: AtomicU64,
    waits: AtomicBool,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            // Frames begin in round 0.
            round: AtomicU32::new(1),
            nanos: AtomicU64::new(0),
            waits: AtomicBool::new(false),
        }
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Relaxed);
}

impl Counters {
    #[inline]
    pub(super) fn read(&self, frame: &Frame) {
        let shard = &self.shards[THREAD.with(|thread| thread % self.shards.len())];
        shard.pins.fetch_add(1, Relaxed);
        let round = self.round.load(Relaxed);
        if frame.round.load(Relaxed) != round && frame.round.swap(round, Relaxed) != round {
            shard.distinct.fetch_add(1, Relaxed);
        }
        if self.waits.load(Relaxed) {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        let (begin, price) = (Instant::now(), Duration::from_nanos(self.nanos.load(Relaxed)));
        while begin.elapsed() < price {
            spin_loop();
        }
    }

    pub(super) fn set_latency(&self, latency: Latency) {
        self.nanos.store(latency.nanos, Relaxed);
        self.waits.store(latency.waits, Relaxed);
    }

    pub(super) fn take(&self) -> Reads {
        self.round.fetch_add(1, Relaxed);
        let take = |counter: fn(&Shard) -> &AtomicU64| {
            self.shards.iter().map(|shard| counter(shard).swap(0, Relaxed)).sum::<u64>()
        };
        let (pins, distinct) = (take(|shard| &shard.pins), take(|shard| &shard.distinct));
        Reads { pins, distinct, nanos: pins * self.nanos.load(Relaxed) }
    }
}
