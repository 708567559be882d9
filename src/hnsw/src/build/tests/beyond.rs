//! Builds beyond memory.

use super::*;
use crate::build::{Scratch, ScratchFile};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::rc::Rc;

/// A share of what the values take.
fn share(values: &[f32], percent: usize) -> Resources {
    Resources { threads: 2, memory: size_of_val(values) * percent / 100 }
}

#[test]
fn memory_is_kept_and_no_row_lost() {
    let values = clustered(3000, 48, 21);
    let resources = share(&values, 60);
    let (store, built) = build(&options(spec(48)), resources, dense(&values, 48));
    assert!(built.parts > 2 && built.memory <= resources.memory, "{built:?} of {}", resources.memory);
    let walk = Walk::of(&store);
    assert_eq!(rows_of(&walk), (0..3000).collect::<Vec<_>>());
    assert!(walk.reachable(crate::Index::open(&store).unwrap().meta.entry) > 2950);
}

#[test]
fn recall_is_that_of_a_build_in_memory() {
    let values = clustered(2500, 32, 22);
    let [small, large] = [share(&values, 100), ROOMY].map(|resources| {
        let (store, built) = build(&options(spec(32)), resources, dense(&values, 32));
        (recall(&store, &values, 32, 60), built.parts)
    });
    assert!(small.1 > 1 && large.1 == 1);
    assert!(small.0 > large.0 - 0.01, "{small:?} {large:?}");
}

#[test]
fn a_build_that_memory_just_holds_keeps_it() {
    let values = clustered(1500, 24, 23);
    let needs =
        build(&options(spec(24)), Resources { threads: 1, memory: ENOUGH }, dense(&values, 24)).1.memory;
    for percent in [70, 90, 110, 130, 150] {
        let resources = Resources { threads: 1, memory: needs * percent / 100 };
        let built = build(&options(spec(24)), resources, dense(&values, 24)).1;
        assert!(built.memory <= resources.memory, "{percent} %: {built:?} of {}", resources.memory);
        assert!(built.parts > 1 || percent > 100, "{percent} %: {built:?}");
        assert!(built.parts == 1 || percent < 150, "{percent} %: {built:?}");
    }
}

#[test]
fn the_same_bytes_whatever_the_threads() {
    let values = clustered(1200, 32, 24);
    let build = |threads| {
        let resources = Resources { threads, memory: 200_000 };
        let (store, built) = build(&options(spec(32)), resources, dense(&values, 32));
        assert!(built.parts > 1);
        bytes(&store)
    };
    let one = build(1);
    assert!(one == build(2) && one == build(3));
}

#[test]
fn equal_rows_share_a_vertex_in_parts_as_well() {
    let base = clustered(2000, 32, 25);
    let mut values = base.clone();
    // Every row again, some of them many times.
    values.extend_from_slice(&base);
    for _ in 0..3000 {
        values.extend_from_slice(&base[64..96]);
    }
    let resources = Resources { threads: 1, memory: 300_000 };
    let (store, built) = build(&options(spec(32)), resources, dense(&values, 32));
    assert!(built.parts > 1 && built.rows == 7000, "{built:?}");
    // A part that is full sends rows elsewhere, so that a vector may have two vertices.
    assert!(built.vertices < 2040, "{built:?}");
    assert_eq!(rows_of(&Walk::of(&store)), (0..7000).collect::<Vec<_>>());
}

#[test]
fn the_host_ends_it_in_parts_as_well() {
    let values = clustered(1500, 16, 26);
    let mut looks = 0;
    loop {
        let resources = Resources { threads: 2, memory: 80_000 };
        let builder = pushed(&options(spec(16)), resources, dense(&values, 16));
        match builder.finish(&MemStore::new(), &Looks(Cell::new(looks))) {
            Ok(built) => break assert!(built.parts > 1),
            Err(error) => assert_eq!(error, Error::Interrupted),
        }
        looks = looks * 2 + 1;
    }
    assert!(looks > 1000);
}

/// Temporary files that fail after so many operations.
#[derive(Debug, Clone)]
struct Failing(Rc<Cell<usize>>);

impl Failing {
    fn step(&self) -> kite_build::Result<()> {
        let left = self.0.get().checked_sub(1).ok_or(kite_build::Error::Scratch(ErrorKind::StorageFull))?;
        self.0.set(left);
        Ok(())
    }
}

/// A file in memory.
#[derive(Debug)]
struct FailingFile {
    failing: Failing,
    bytes: Vec<u8>,
    at: usize,
}

impl Scratch for Failing {
    type File = FailingFile;

    fn file(&mut self) -> kite_build::Result<FailingFile> {
        self.step()?;
        Ok(FailingFile { failing: self.clone(), bytes: Vec::new(), at: 0 })
    }
}

impl ScratchFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> kite_build::Result<()> {
        self.failing.step()?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn rewind(&mut self) -> kite_build::Result<()> {
        self.failing.step()?;
        self.at = 0;
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> kite_build::Result<usize> {
        self.failing.step()?;
        let read = bytes.len().min(self.bytes.len() - self.at);
        bytes[..read].copy_from_slice(&self.bytes[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

#[test]
fn a_temporary_file_that_fails_ends_it_without_an_index() {
    const MANY: usize = 1 << 40;
    let values = clustered(400, 16, 27);
    let build = |operations: usize| {
        let left = Rc::new(Cell::new(operations));
        let resources = Resources { threads: 1, memory: 40_000 };
        let store = MemStore::new();
        let mut builder = Builder::new(&options(spec(16)), resources, Failing(Rc::clone(&left))).unwrap();
        let pushed: Result<()> = dense(&values, 16)
            .zip(0..)
            .try_for_each(|(value, row)| builder.push(tid(row), value).map(|_| ()));
        let built = pushed.and_then(|()| builder.finish(&store, &endless()));
        (built, store, left.get())
    };
    let (built, _, left) = build(MANY);
    assert!(built.unwrap().parts > 1);
    for operations in (0..MANY - left).step_by((MANY - left) / 12) {
        let (built, store, _) = build(operations);
        assert_eq!(built.unwrap_err(), Error::Scratch(ErrorKind::StorageFull));
        assert!(crate::Index::open(&store).is_err());
    }
}
