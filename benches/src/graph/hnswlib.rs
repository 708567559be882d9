//! hnswlib in a process of its own: the limit that others have reached.

use super::contest::{Known, Searching};
use super::link::Building;
use super::run::{Bench, Built};
use crate::engine::{Peer, Place};
use crate::inprocess::{InProcess, Library};
use crate::record::BuildMode;
use crate::stage::scratch_file;
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::Path;

const NAME: &str = "hnswlib";

/// Where it is.
#[derive(Debug, Clone, Args)]
pub(super) struct Beside {
    /// hnswlib, as the limit that others have reached: `hnswlib=PYTHON`
    #[arg(long, value_name = "NAME=PLACE")]
    peer: Option<Peer>,
}

impl Beside {
    /// What a report has to say is missing.
    pub(super) fn absent(&self) -> Vec<String> {
        if self.peer.is_some() { Vec::new() } else { vec![NAME.into()] }
    }

    /// Builds its index over the set, if it was given.
    pub(super) fn build(&self, bench: &mut Bench<'_>, building: &Building) -> Result<Option<Hnswlib>> {
        match &self.peer {
            None => Ok(None),
            Some(Peer { kind, place: Place::Python(python) }) if kind.name == NAME => {
                Hnswlib::build(bench, building, python).map(Some)
            }
            Some(peer) => bail!("{} is no peer of this bench: {NAME}=PYTHON is", peer.kind.name),
        }
    }
}

/// Its index. It takes all queries at once, so that it searches after the layouts and not by turns with them.
pub(super) struct Hnswlib(InProcess);

impl Hnswlib {
    fn build(bench: &mut Bench<'_>, building: &Building, python: &Path) -> Result<Self> {
        let set = bench.set;
        let mut library = InProcess::start(python, Library::Hnswlib)?;
        bench.enter_engine(NAME, NAME, library.version().into(), &[])?;
        let rows = scratch_file(set.data, "rows")?;
        set.data.write_npy(&rows)?;
        let options = BTreeMap::from([
            ("m".into(), building.m.to_string()),
            ("ef_construction".into(), building.ef_construction.to_string()),
        ]);
        let figures = library.build(&rows, set.data.metric(), "hnsw", &options)?;
        let built = Built {
            seconds: figures.seconds,
            index_bytes: figures.bytes,
            peak_memory_bytes: figures.peak_rss_bytes,
        };
        bench.built(NAME, BuildMode::AfterLoad, &built)?;
        let queries = scratch_file(set.data, "queries")?;
        set.data.write_queries_npy(&queries)?;
        library.load_queries(&queries, set.queries.len())?;
        Ok(Self(library))
    }

    /// Searches as often as the layouts did.
    pub(super) fn search(&mut self, bench: &mut Bench<'_>, searching: &Searching) -> Result<()> {
        let set = bench.set;
        for repeat in 0..searching.repeats {
            for &ef in &searching.ef {
                let answers = self.0.search(set.k, &ef.to_string(), 1)?;
                let quality = set.quality(answers.found.clone(), &set.truth)?;
                let known = Known::without_pages(ef, answers.found, quality);
                bench.pass(NAME, &known, repeat, &answers.seconds)?;
            }
        }
        Ok(())
    }
}
