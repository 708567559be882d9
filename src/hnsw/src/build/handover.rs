//! Pages that one thread makes while the calling one, which alone may touch the store, writes them.

use super::Host;
use crate::Result;
use kite_pages::{BlockNo, BulkWriter, Page};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Where the thread that makes pages puts them.
#[derive(Debug)]
pub(super) struct Handover {
    next: BlockNo,
    made: SyncSender<Box<Page>>,
    /// Pages that have been written, to be used again.
    spare: Receiver<Box<Page>>,
}

impl BulkWriter for Handover {
    fn next(&self) -> BlockNo {
        self.next
    }

    fn append(&mut self, page: &Page) -> kite_pages::Result<BlockNo> {
        let mut copy = self.spare.try_recv().unwrap_or_else(|_| Page::zeroed());
        copy.copy_from(page);
        // Who does not take it any more has failed, and says why.
        self.made.send(copy).map_err(|_| kite_pages::Error::Interrupted)?;
        self.next += 1;
        Ok(self.next - 1)
    }

    fn finish(self) -> kite_pages::Result<()> {
        Ok(())
    }
}

/// Runs `make` on a thread of its own, and `write` for every page that it has made, in their order, of which at most `ahead` wait.
/// `None` where no thread can be had.
///
/// # Errors
/// Those of `write`, which end `make` at its next page, and those of `make`.
pub(super) fn run<T: Send>(
    host: &impl Host,
    ahead: usize,
    make: impl Fn(Handover) -> Result<T> + Sync,
    mut write: impl FnMut(&Page) -> Result<()>,
) -> Result<Option<T>> {
    let make = &make;
    std::thread::scope(|scope| {
        let (made, pages) = sync_channel::<Box<Page>>(ahead);
        let (written, spare) = sync_channel(ahead);
        let mut thread = None;
        host.spawning(|| {
            let body = move || make(Handover { next: 0, made, spare });
            thread = std::thread::Builder::new().name("pgkite build".into()).spawn_scoped(scope, body).ok();
        });
        let Some(thread) = thread else { return Ok(None) };
        // Dropped with the loop, also by an error: nobody waits for what is not taken.
        for page in pages {
            write(&page)?;
            // One too many is let go.
            let _ = written.try_send(page);
        }
        match thread.join() {
            Ok(outcome) => outcome.map(Some),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    struct Anywhere;

    impl Host for Anywhere {
        fn go_on(&self) -> Result<(), super::super::Stopped> {
            Ok(())
        }
    }

    fn make(pages: u8) -> impl Fn(Handover) -> Result<u8> {
        move |mut to| {
            let mut page = Page::zeroed();
            for n in 0..pages {
                page.bytes_mut().fill(n);
                assert_eq!(to.next(), u32::from(n));
                assert_eq!(to.append(&page)?, u32::from(n));
            }
            to.finish()?;
            Ok(pages)
        }
    }

    #[test]
    fn pages_come_in_their_order() {
        for ahead in [1, 7, 300] {
            let mut came = Vec::new();
            let outcome = run(&Anywhere, ahead, make(200), |page| {
                assert!(page.bytes().iter().all(|byte| byte == &page.bytes()[0]));
                came.push(page.bytes()[0]);
                Ok(())
            });
            assert_eq!((outcome, came), (Ok(Some(200)), (0..200).collect()));
        }
    }

    #[test]
    fn either_side_may_fail() {
        let mut left = 20;
        let outcome = run(&Anywhere, 4, make(200), |_| {
            left -= 1;
            if left == 0 { Err(Error::Options("full")) } else { Ok(()) }
        });
        assert_eq!((outcome, left), (Err(Error::Options("full")), 0));
        let failing = |to: Handover| make(3)(to).and(Err::<u8, _>(Error::Options("bad")));
        let mut came = 0;
        let outcome = run(&Anywhere, 4, failing, |_| {
            came += 1;
            Ok(())
        });
        assert_eq!((outcome, came), (Err(Error::Options("bad")), 3));
    }

    #[test]
    fn a_panic_on_either_side_ends_both() {
        let writing = std::panic::catch_unwind(|| run(&Anywhere, 1, make(200), |_| panic!("by the store")));
        assert!(writing.is_err());
        let making = |_: Handover| -> Result<u8> { panic!("by the maker") };
        assert!(std::panic::catch_unwind(|| run(&Anywhere, 1, making, |_| Ok(()))).is_err());
    }
}
