//! Work divided among threads, while the thread that asked for it looks after interrupts.

use crate::{Host, Stopped};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long the asking thread waits between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Items that a thread takes at a time.
const CHUNK: usize = 16;

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
    let take = || {
        let first = next.fetch_add(CHUNK, Relaxed);
        (first < items && !stop.load(Relaxed)).then(|| first..items.min(first + CHUNK))
    };
    let Some((own, others)) = states.split_first_mut() else { return Ok(()) };
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
