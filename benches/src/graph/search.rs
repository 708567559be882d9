//! `graph search`: the same graph in several layouts.

use super::Search;
use super::contest::{Contender, Known, contest, warm_up};
use super::flat::Flat;
use super::index;
use super::kite::Kite;
use super::layout::{Layout, Way};
use super::link::linked;
use super::pgvector::{Pages, Pgvector};
use super::run::{Bench, Built, on_all_data};
use crate::engine::Place;
use crate::inprocess::{InProcess, Library};
use crate::pin;
use crate::record::BuildMode;
use crate::stage::scratch_file;
use anyhow::{Context, Result, bail, ensure};
use kite_codecs::PayloadKind;
use kite_hnsw::Graph;
use kite_pages::{Latency, MemStore};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Measures every data set, and reports all of them.
pub(super) fn run(search: &Search) -> Result<()> {
    let mut python = None;
    for peer in &search.peer {
        match (&peer.place, peer.kind.name) {
            (Place::Python(place), "hnswlib") => python = Some(place.as_path()),
            _ => bail!("{} is no peer of this bench: hnswlib=PYTHON is", peer.kind.name),
        }
    }
    let ways: Vec<Way> = search.layout.iter().flat_map(|ways| ways.0.iter().copied()).collect();
    for (n, way) in ways.iter().enumerate() {
        ensure!(!ways[..n].contains(way), "the layout {way} is given twice");
    }
    let absent = if python.is_some() { Vec::new() } else { vec!["hnswlib".into()] };
    on_all_data("graph", &search.common, &absent, |bench| measure(bench, search, &ways, python))
}

fn measure(bench: &mut Bench<'_>, search: &Search, ways: &[Way], python: Option<&Path>) -> Result<()> {
    let set = bench.set;
    let mut library = python.map(|python| Hnswlib::build(bench, search, python)).transpose()?;
    let Search { common, page_ns, .. } = search;
    let m = common.building.m;
    let (graph, link_seconds) = linked(set, &common.building)?;
    let stores = Stores::write(bench, &graph, search, ways)?;
    let mut contenders = Vec::new();
    for &way in ways {
        let name = way.to_string();
        let layout: Box<dyn Layout + Send + '_> = match way {
            Way::Flat => Box::new(Flat::new(set, &graph, m)),
            Way::Pgvector { together } => {
                let pages = stores.pgvector.as_ref().context("pages were written")?;
                Box::new(Pgvector::new(set, pages, together))
            }
            Way::Kite { payload, codes, width } => {
                Box::new(Kite::open(set, &stores.kite(payload, codes)?.store, width)?)
            }
        };
        bench.enter(&name, &[("page_ns", page_ns.to_string())])?;
        let seconds = match way {
            Way::Flat => link_seconds,
            Way::Pgvector { .. } => link_seconds + stores.pgvector_seconds,
            Way::Kite { payload, codes, .. } => stores.kite(payload, codes)?.seconds,
        };
        let built = Built { seconds, index_bytes: layout.bytes(), peak_memory_bytes: None };
        bench.built(&name, BuildMode::AfterLoad, &built)?;
        contenders.push(Contender { name, layout });
    }
    // On a thread of its own, so that pinning it leaves the builds of other data sets alone.
    std::thread::scope(|scope| {
        let searcher = scope.spawn(|| -> Result<()> {
            pin::process(0, pin::core(0)?)?;
            searches(bench, search, &mut contenders, library.as_mut())
        });
        searcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn searches(
    bench: &mut Bench<'_>,
    search: &Search,
    contenders: &mut [Contender<'_>],
    library: Option<&mut Hnswlib>,
) -> Result<()> {
    let (set, searching) = (bench.set, &search.common.searching);
    let known: Vec<Vec<Known>> = contenders
        .iter_mut()
        .map(|contender| {
            warm_up(set, contender, &searching.ef).with_context(|| format!("searching {}", contender.name))
        })
        .collect::<Result<_>>()?;
    let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
    contest(set, contenders, &known, searching, |n, step, repeat, seconds| {
        bench.pass(&names[n], &known[n][step], repeat, seconds)
    })?;
    if let Some(library) = library {
        library.search(bench, &searching.ef, searching.repeats)?;
    }
    Ok(())
}

/// The pages that the layouts share.
struct Stores {
    pgvector: Option<Pages>,
    /// What writing those took.
    pgvector_seconds: f64,
    kites: Vec<Stored>,
}

/// An index of kite-hnsw.
struct Stored {
    payload: PayloadKind,
    codes: u8,
    store: MemStore,
    /// What building it took.
    seconds: f64,
}

impl Stores {
    fn write(bench: &Bench<'_>, graph: &Graph, search: &Search, ways: &[Way]) -> Result<Self> {
        let (set, building) = (bench.set, &search.common.building);
        let begin = Instant::now();
        let wanted = ways.iter().any(|way| matches!(way, Way::Pgvector { .. }));
        let pgvector = wanted.then(|| Pages::write(set, graph, building.m)).transpose()?;
        let mut all = Self { pgvector, pgvector_seconds: begin.elapsed().as_secs_f64(), kites: Vec::new() };
        for &way in ways {
            if let Way::Kite { payload, codes, .. } = way
                && all.kite(payload, codes).is_err()
            {
                let (store, begin) = (MemStore::new(), Instant::now());
                index::build(set, payload, codes, building, &store)
                    .with_context(|| format!("building {way}"))?;
                all.kites.push(Stored { payload, codes, store, seconds: begin.elapsed().as_secs_f64() });
            }
        }
        let stores = all.pgvector.iter().map(Pages::store).chain(all.kites.iter().map(|kite| &kite.store));
        stores.for_each(|store| price(store, search.page_ns));
        Ok(all)
    }

    fn kite(&self, payload: PayloadKind, codes: u8) -> Result<&Stored> {
        let found = self.kites.iter().find(|kite| (kite.payload, kite.codes) == (payload, codes));
        found.context("an index was built for each payload and number of code bits")
    }
}

/// Makes each page read take so much longer.
fn price(store: &MemStore, page_ns: u64) {
    store.set_latency(Latency { nanos: page_ns, waits: page_ns > 0 });
}

/// hnswlib in a process of its own. It takes all queries at once, so that it searches after the layouts and not by turns with
/// them.
struct Hnswlib {
    library: InProcess,
    name: String,
}

impl Hnswlib {
    fn build(bench: &mut Bench<'_>, search: &Search, python: &Path) -> Result<Self> {
        let set = bench.set;
        let building = &search.common.building;
        let mut library = InProcess::start(python, Library::Hnswlib)?;
        let name = "hnswlib".to_owned();
        bench.enter_engine(&name, "hnswlib", library.version().into(), &[])?;
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
        bench.built(&name, BuildMode::AfterLoad, &built)?;
        let queries = scratch_file(set.data, "queries")?;
        set.data.write_queries_npy(&queries)?;
        library.load_queries(&queries, set.queries.len())?;
        Ok(Self { library, name })
    }

    fn search(&mut self, bench: &mut Bench<'_>, efs: &[usize], repeats: usize) -> Result<()> {
        let set = bench.set;
        for repeat in 0..repeats {
            for &ef in efs {
                let answers = self.library.search(set.k, &ef.to_string(), 1)?;
                let quality = set.quality(answers.found.clone())?;
                let known = Known::without_pages(ef, answers.found, quality);
                bench.pass(&self.name, &known, repeat, &answers.seconds)?;
            }
        }
        Ok(())
    }
}
