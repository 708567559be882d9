//! Temporary files, for what does not fit memory.

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Makes temporary files. Only the thread that builds uses it, never one that it starts.
pub trait Scratch {
    /// Dropped, it is gone.
    type File: ScratchFile;

    /// A new file, empty.
    ///
    /// # Errors
    /// Those of the file system.
    fn file(&mut self) -> Result<Self::File>;
}

/// A file that is written from begin to end, and then read so, once or several times.
pub trait ScratchFile {
    /// Writes at the end.
    ///
    /// # Errors
    /// Those of the file system.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends writing, or an earlier reading, and goes to the begin.
    ///
    /// # Errors
    /// Those of the file system.
    fn rewind(&mut self) -> Result<()>;

    /// Reads on, as much as there is up to the length of `bytes`, and answers how much that was: less only at the end.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize>;
}

/// Files in a folder of the operating system.
#[derive(Debug, Clone)]
pub struct TempFiles {
    folder: PathBuf,
}

impl TempFiles {
    /// In this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Default for TempFiles {
    fn default() -> Self {
        Self::new(std::env::temp_dir())
    }
}

/// One of [`TempFiles`].
#[derive(Debug)]
pub struct TempFile {
    path: PathBuf,
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Writing(BufWriter<File>),
    Reading(BufReader<File>),
}

impl Scratch for TempFiles {
    type File = TempFile;

    fn file(&mut self) -> Result<TempFile> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("kite-build-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = self.folder.join(name);
        let file = File::create_new(&path)?;
        Ok(TempFile { path, stream: Stream::Writing(BufWriter::new(file)) })
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // What is left behind in a folder for temporary files harms nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ScratchFile for TempFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.stream {
            Stream::Writing(writer) => Ok(writer.write_all(bytes)?),
            Stream::Reading(_) => Err(std::io::Error::from(std::io::ErrorKind::InvalidInput).into()),
        }
    }

    fn rewind(&mut self) -> Result<()> {
        match &mut self.stream {
            Stream::Writing(writer) => {
                writer.flush()?;
                self.stream = Stream::Reading(BufReader::new(File::open(&self.path)?));
            }
            Stream::Reading(reader) => reader.rewind()?,
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let Stream::Reading(reader) = &mut self.stream else {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput).into());
        };
        let mut done = 0;
        while done < bytes.len() {
            match reader.read(&mut bytes[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}

/// Fills `bytes`. `false` at the end of the file.
///
/// # Errors
/// Those of the file system, and a file that ends in the middle.
pub fn read_whole(file: &mut impl ScratchFile, bytes: &mut [u8]) -> Result<bool> {
    match file.read(bytes)? {
        0 if !bytes.is_empty() => Ok(false),
        read if read == bytes.len() => Ok(true),
        _ => Err(Error::Scratch(std::io::ErrorKind::UnexpectedEof)),
    }
}

/// Fills `bytes`, which are there.
///
/// # Errors
/// Those of the file system, and a file that ends before.
pub fn expect(file: &mut impl ScratchFile, bytes: &mut [u8]) -> Result<()> {
    if read_whole(file, bytes)? { Ok(()) } else { Err(Error::Scratch(std::io::ErrorKind::UnexpectedEof)) }
}

/// Replaces what `bytes` holds by the next `len` bytes of the file, which are there.
///
/// # Errors
/// As [`expect`], and the end of memory.
pub fn refill(file: &mut impl ScratchFile, bytes: &mut Vec<u8>, len: usize) -> Result<()> {
    bytes.clear();
    bytes.try_reserve(len).map_err(|_| Error::OutOfMemory { bytes: len })?;
    bytes.resize(len, 0);
    expect(file, bytes)
}
