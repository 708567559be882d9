//! What a build asks of the server: whether to go on, threads that get no signals, temporary files.

use crate::am::progress;
use kite_build::{Error, Host, Phase, Result, Scratch, ScratchFile, Stopped};
use pgrx::pg_sys::{self, BufFile, MemoryContext};
use std::any::Any;
use std::cell::RefCell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The backend that builds.
///
/// An interrupt must not unwind through a build whose threads work: it is caught and kept, the build ends, and
/// [`raise`](Server::raise) lets it go on.
#[derive(Default)]
pub(in crate::am) struct Server {
    caught: RefCell<Option<Box<dyn Any + Send>>>,
}

impl Server {
    /// Goes on with what [`Host::go_on`] has caught, if anything.
    pub(in crate::am) fn raise(&self) {
        if let Some(caught) = self.caught.take() {
            resume_unwind(caught);
        }
    }
}

impl Host for Server {
    fn go_on(&self) -> Result<(), Stopped> {
        // SAFETY: a flag of this process, which signal handlers set.
        if unsafe { (&raw const pg_sys::InterruptPending).read_volatile() } == 0 {
            return Ok(());
        }
        // SAFETY: the build holds no lock of the server while it asks. An ERROR comes as a panic, and is kept as one.
        let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { pg_sys::ProcessInterrupts() }));
        outcome.map_err(|caught| {
            *self.caught.borrow_mut() = Some(caught);
            Stopped::Interrupted
        })
    }

    fn phase(&self, phase: Phase) {
        progress::phase(phase.into());
    }

    fn linked(&self, nodes: usize) {
        progress::tuples_done(nodes as u64);
    }

    fn written(&self, pages: kite_pages::BlockNo) {
        progress::blocks_done(pages.into());
    }

    fn spawning(&self, spawn: impl FnOnce()) {
        let _masked = Masked::all();
        spawn();
    }
}

/// All signals are blocked while it lives. Threads inherit that, so that signals go to the thread that runs the backend.
struct Masked(libc::sigset_t);

impl Masked {
    fn all() -> Self {
        // SAFETY: the sets are this frame's, initialised before they are read; the calls change the mask of this thread alone.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        // SAFETY: the mask that `all` found; this is no call of Postgres.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// Temporary files of the server: in its temporary table spaces, counted by `temp_file_limit`, gone with the transaction.
pub(in crate::am) struct BufFiles {
    /// Where they keep their buffers: rows come, and files are made, in a context of less long life.
    context: MemoryContext,
}

impl BufFiles {
    /// Files that last as long as the current memory context.
    pub(in crate::am) fn new() -> Self {
        // SAFETY: a variable of the server, read by its only thread.
        Self { context: unsafe { pg_sys::CurrentMemoryContext } }
    }
}

/// One of [`BufFiles`].
pub(in crate::am) struct TemporaryFile(*mut BufFile);

impl Scratch for BufFiles {
    type File = TemporaryFile;

    fn file(&mut self) -> Result<TemporaryFile> {
        // SAFETY: in a transaction; the context outlives the build. What cannot be had unwinds, and the abort sets the context anew.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.context);
            let file = pg_sys::BufFileCreateTemp(false);
            pg_sys::MemoryContextSwitchTo(before);
            Ok(TemporaryFile(file))
        }
    }
}

impl ScratchFile for TemporaryFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        // SAFETY: the file is open, and is written to from these bytes, which are not changed.
        unsafe { pg_sys::BufFileWrite(self.0, bytes.as_ptr().cast_mut().cast(), bytes.len()) };
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        // SAFETY: the file is open.
        match unsafe { pg_sys::BufFileSeek(self.0, 0, 0, libc::SEEK_SET) } {
            0 => Ok(()),
            _ => Err(Error::Scratch(ErrorKind::UnexpectedEof)),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &mut bytes[done..];
            // SAFETY: the file is open, and at most as many bytes are written as there is room for.
            match unsafe { read(self.0, rest) } {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }
}

#[cfg(any(feature = "pg14", feature = "pg15"))]
unsafe fn read(file: *mut BufFile, bytes: &mut [u8]) -> usize {
    // SAFETY: the caller's promise.
    unsafe { pg_sys::BufFileRead(file, bytes.as_mut_ptr().cast(), bytes.len()) }
}

#[cfg(not(any(feature = "pg14", feature = "pg15")))]
unsafe fn read(file: *mut BufFile, bytes: &mut [u8]) -> usize {
    // SAFETY: the caller's promise. Less than asked for comes at the end of the file alone, which is no error here.
    unsafe { pg_sys::BufFileReadMaybeEOF(file, bytes.as_mut_ptr().cast(), bytes.len(), true) }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // After an ERROR the end of the transaction closes it.
        if !std::thread::panicking() {
            // SAFETY: the file is open, and not used again.
            unsafe { pg_sys::BufFileClose(self.0) };
        }
    }
}
