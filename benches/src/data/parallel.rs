//! Work on blocks, by all cores.

use anyhow::{Result, anyhow};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Runs `work` on all blocks of `0..total`, each `block` long except the last, in any order; each thread has a state of its
/// own. Answers the states. `progress` hears of what is done and of the total, in this thread. The first error ends the work.
pub(super) fn for_blocks<S: Send>(
    total: usize,
    block: usize,
    progress: &dyn Fn(u64, u64),
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Range<usize>) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let block = block.max(1);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(total.div_ceil(block));
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, done) = mpsc::channel();
    let run = |sender: mpsc::Sender<usize>| {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let first = next.fetch_add(block, Ordering::Relaxed);
            if first >= total {
                break;
            }
            let range = first..total.min(first + block);
            let len = range.len();
            work(&mut state, range).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            // The receiver outlives the threads.
            let _ = sender.send(len);
        }
        Ok(state)
    };
    thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || run(sender))
            })
            .collect();
        drop(sender);
        let mut sum = 0;
        for len in done {
            sum += len;
            progress(sum as u64, total as u64);
        }
        workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}

/// Splits `out` into pieces of `piece` elements and fills them by all cores; `fill` gets the number of its piece.
pub(super) fn fill<T: Send>(
    out: &mut [T],
    piece: usize,
    fill: impl Fn(usize, &mut [T]) -> Result<()> + Sync,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let pieces = std::sync::Mutex::new(out.chunks_mut(piece.max(1)).enumerate());
    let run = || -> Result<()> {
        loop {
            let next = pieces.lock().map_err(|_| anyhow!("a thread panicked"))?.next();
            let Some((n, piece)) = next else { return Ok(()) };
            fill(n, piece)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;
    use std::cell::Cell;

    #[test]
    fn every_block_is_done_once() {
        let last = Cell::new((0, 0));
        let states = for_blocks(
            1003,
            10,
            &|done, total| last.set((done, total)),
            Vec::new,
            |seen: &mut Vec<usize>, range| {
                seen.extend(range);
                Ok(())
            },
        );
        let mut seen = states.unwrap().concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..1003).collect::<Vec<_>>());
        assert_eq!(last.get(), (1003, 1003));
        let mut out = vec![0; 1003];
        fill(&mut out, 10, |n, piece| {
            piece.fill(n);
            Ok(())
        })
        .unwrap();
        assert!(out.iter().enumerate().all(|(n, &piece)| piece == n / 10));
    }

    #[test]
    fn errors_are_answered() {
        let result = for_blocks(
            100,
            1,
            &|_, _| (),
            || (),
            |(), range| {
                ensure!(range.start != 50, "fifty");
                Ok(())
            },
        );
        assert_eq!(result.unwrap_err().to_string(), "fifty");
        assert!(fill(&mut [0; 9], 2, |n, _| Err(anyhow!("{n}"))).is_err());
    }
}
