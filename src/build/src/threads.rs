//! Work divided among threads, while the thread that asked for it looks after interrupts.

use crate::{Host, Stopped};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long the asking thread waits between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// The most items that a thread takes at a time.
const CHUNK: usize = 16;
/// Towards the end it takes so small a share of what its fellows have left to do that none of them waits for long.
const SHARE: usize = 4;

/// Runs `work` on all chunks of `0..items` and waits for all of it. The first state is the calling thread's, which works where
/// the job is small or no other thread can be had; each of the others is a thread's.
///
/// # Errors
/// What the host says when it is asked whether to go on; the threads then end after the chunk at hand.
pub fn run<S: Send>(
    host: &impl Host,
    states: &mut [S],
    items: usize,
    work: impl Fn(&mut S, Range<usize>) + Sync,
) -> Result<(), Stopped> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let Some((own, others)) = states.split_first_mut() else { return Ok(()) };
    let share = SHARE * others.len().max(1);
    let chunk = |first: usize| (items.saturating_sub(first) / share).clamp(1, CHUNK);
    let take = || {
        let first = next.fetch_update(Relaxed, Relaxed, |first| Some(first + chunk(first))).ok()?;
        (first < items && !stop.load(Relaxed)).then(|| first..items.min(first + chunk(first)))
    };
    let alone = |own: &mut S| {
        while let Some(chunk) = take() {
            host.go_on()?;
            work(own, chunk);
        }
        Ok(())
    };
    if others.is_empty() || items <= CHUNK {
        return alone(own);
    }
    std::thread::scope(|scope| {
        let (done, ended) = channel::<()>();
        let mut threads = 0;
        host.spawning(|| {
            for state in others.iter_mut() {
                let (done, take, work) = (done.clone(), &take, &work);
                let body = move || {
                    let _done = done;
                    while let Some(chunk) = take() {
                        work(state, chunk);
                    }
                };
                if std::thread::Builder::new().name("pgkite build".into()).spawn_scoped(scope, body).is_err()
                {
                    break;
                }
                threads += 1;
            }
        });
        drop(done);
        if threads == 0 {
            return alone(own);
        }
        loop {
            match ended.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if let Err(stopped) = host.go_on() {
                stop.store(true, Relaxed);
                return Err(stopped);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Patient;

    impl Host for Patient {
        fn go_on(&self) -> Result<(), Stopped> {
            Ok(())
        }
    }

    struct Impatient;

    impl Host for Impatient {
        fn go_on(&self) -> Result<(), Stopped> {
            Err(Stopped::Interrupted)
        }
    }

    #[test]
    fn every_item_is_worked_on_once() {
        for threads in 0..5 {
            for items in [0, 1, 15, 16, 17, 100, 1000] {
                let mut states = vec![Vec::new(); threads];
                run(&Patient, &mut states, items, |state, range| {
                    assert!((1..=CHUNK).contains(&range.len()));
                    state.extend(range);
                })
                .unwrap();
                let mut all = states.concat();
                all.sort_unstable();
                assert!(threads == 0 || all.into_iter().eq(0..items), "{items} items, {threads} threads");
            }
        }
    }

    #[test]
    fn who_is_stopped_says_so() {
        let mut done = [0];
        assert_eq!(run(&Impatient, &mut done, 100, |n, _| *n += 1), Err(Stopped::Interrupted));
        assert_eq!(done, [0]);
        let mut done = [0; 3];
        let slowly = |n: &mut usize, _| {
            std::thread::sleep(LOOK);
            *n += 1;
        };
        assert_eq!(run(&Impatient, &mut done, 1_000_000, slowly), Err(Stopped::Interrupted));
    }
}
