//! Where a build runs, and what it may use.

use crate::Error;
use std::collections::TryReserveError;

/// Where the build runs.
pub trait Host {
    /// Asked often, by the thread that called.
    ///
    /// # Errors
    /// When the build is to end.
    fn go_on(&self) -> Result<(), Stopped>;

    /// Told what begins.
    fn phase(&self, _: Phase) {}

    /// Told how many vectors are linked or assigned so far. Where the graph is linked beyond memory the number begins anew with every
    /// part, and some count twice.
    fn linked(&self, _: usize) {}

    /// Told how many pages are written so far.
    fn written(&self, _: u32) {}

    /// Calls `spawn`, which starts threads: a server process lets them inherit that all signals are blocked.
    fn spawning(&self, spawn: impl FnOnce()) {
        spawn();
    }
}

/// What a build does; an index goes through those that it has, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rows that did not fit memory are divided.
    Dividing,
    /// Vectors are linked to each other.
    Linking,
    /// Centroids are found by k-means.
    Clustering,
    /// Vectors are assigned to their centroids and encoded.
    Assigning,
    /// Pages are written.
    Writing,
}

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Threads that work, besides the calling one, which waits for them. With one, only the calling thread works.
    pub threads: usize,
    /// Bytes that may be taken (`maintenance_work_mem`).
    pub memory: usize,
}

/// Why a part of a build ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The host said so.
    Interrupted,
    /// There is no room.
    OutOfMemory,
}

impl From<TryReserveError> for Stopped {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        if error == Error::Interrupted { Self::Interrupted } else { Self::OutOfMemory }
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Interrupted => Self::Interrupted,
            Stopped::OutOfMemory => Self::OutOfMemory { bytes: 0 },
        }
    }
}
