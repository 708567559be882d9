//! `graph search`: the same graph in several layouts.

use super::contest::{Contender, compete};
use super::flat::Flat;
use super::index::{AMPLE, Kind};
use super::ivf::{self, Ivf};
use super::kite::Kite;
use super::layout::{Layout, Way, Ways};
use super::link::linked;
use super::pgvector::{Pages, Pgvector};
use super::run::{Bench, Built, on_all_data};
use super::{Common, hnswlib};
use crate::record::BuildMode;
use anyhow::{Context, Result};
use clap::Args;
use kite_hnsw::Graph;
use kite_pages::{Latency, MemStore};
use std::time::Instant;

/// Which layouts are compared.
#[derive(Debug, Clone, Args)]
// It stands beside another one of that name.
#[group(skip)]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    /// `flat`, `pgvector[,together=N]`, `kite[,payload=sq8/half/full][,codes=0/1/2][,width=1/2/4]` or
    /// `ivf[,lists=N][,codes=none/sq8/rabitq1/rabitq2/pq48x8][,payload=full/half/sq8/none][,epsilon=1.9]`, for which `--ef` is the
    /// number of lists that are read; may be given several times, and `/` separates alternatives
    #[arg(long, value_name = "LAYOUT", default_values = ["flat", "pgvector,together=1/8", "kite,codes=0/1/2"])]
    layout: Vec<Ways>,
    #[command(flatten)]
    beside: hnswlib::Beside,
    /// What a page read is made to take, in nanoseconds, beyond what it takes here
    #[arg(long, default_value_t = 0)]
    page_ns: u64,
}

/// Measures every data set, and reports all of them.
pub(super) fn run(options: &Options) -> Result<()> {
    let ways = Ways::all(&options.layout)?;
    on_all_data("graph", &options.common, &options.beside.absent(), |bench| measure(bench, options, &ways))
}

fn measure(bench: &mut Bench<'_>, options: &Options, ways: &[Way]) -> Result<()> {
    let set = bench.set;
    let Options { common, beside, page_ns, .. } = options;
    let mut library = beside.build(bench, &common.building)?;
    let shared = ways.iter().any(|way| matches!(way, Way::Flat | Way::Pgvector { .. }));
    let graph = shared.then(|| linked(set, &common.building)).transpose()?;
    let stores = Stores::write(bench, graph.as_ref(), options, ways)?;
    let mut contenders = Vec::new();
    for &way in ways {
        let name = way.to_string();
        let (layout, seconds): (Box<dyn Layout + Send + '_>, f64) = match way {
            Way::Flat => {
                let (graph, seconds) = graph.as_ref().context("a graph was linked")?;
                (Box::new(Flat::new(set, graph, common.building.m)), *seconds)
            }
            Way::Pgvector { together } => {
                let (pages, seconds) = stores.pgvector.as_ref().context("pages were written")?;
                (Box::new(Pgvector::new(set, pages, together)), *seconds)
            }
            Way::Kite { .. } => {
                let (kind, width) = Kind::of(way)?;
                let kite = stores.kite(kind).context("an index was built")?;
                (Box::new(Kite::open(set, &kite.store, width)?), kite.seconds)
            }
            Way::Ivf { kind, epsilon } => {
                let ivf = stores.ivf(kind).context("lists were built")?;
                (Box::new(Ivf::open(set, &ivf.store, epsilon)?), ivf.seconds)
            }
        };
        bench.enter(&name, &[("page_ns", page_ns.to_string())])?;
        let built = Built { seconds, index_bytes: layout.bytes(), peak_memory_bytes: None };
        bench.built(&name, BuildMode::AfterLoad, &built)?;
        contenders.push(Contender { name, layout });
    }
    compete(bench, &mut contenders, &common.searching)?;
    library.as_mut().map_or(Ok(()), |library| library.search(bench, &common.searching))
}

/// The pages that the layouts share.
struct Stores {
    /// With what linking and writing them took.
    pgvector: Option<(Pages, f64)>,
    kites: Vec<Stored<Kind>>,
    ivfs: Vec<Stored<ivf::Kind>>,
}

/// An index of kite-hnsw or kite-ivf.
struct Stored<K> {
    kind: K,
    store: MemStore,
    /// What building it took.
    seconds: f64,
}

impl Stores {
    fn write(
        bench: &Bench<'_>,
        graph: Option<&(Graph, f64)>,
        options: &Options,
        ways: &[Way],
    ) -> Result<Self> {
        let (set, building) = (bench.set, &options.common.building);
        let mut all = Self { pgvector: None, kites: Vec::new(), ivfs: Vec::new() };
        for &way in ways {
            let begin = Instant::now();
            match way {
                Way::Pgvector { .. } if all.pgvector.is_none() => {
                    let (graph, seconds) = graph.context("a graph was linked")?;
                    let pages = Pages::write(set, graph, building.m)?;
                    price(pages.store(), options.page_ns);
                    all.pgvector = Some((pages, seconds + begin.elapsed().as_secs_f64()));
                }
                Way::Kite { .. } => {
                    let (kind, _) = Kind::of(way)?;
                    if all.kite(kind).is_none() {
                        let store = MemStore::new();
                        kind.build(set, 0..set.rows.len(), building, AMPLE, &store)
                            .with_context(|| format!("building {way}"))?;
                        price(&store, options.page_ns);
                        all.kites.push(Stored { kind, store, seconds: begin.elapsed().as_secs_f64() });
                    }
                }
                Way::Ivf { kind, .. } if all.ivf(kind).is_none() => {
                    let store = MemStore::new();
                    kind.build(set, building, AMPLE, &store).with_context(|| format!("building {way}"))?;
                    price(&store, options.page_ns);
                    all.ivfs.push(Stored { kind, store, seconds: begin.elapsed().as_secs_f64() });
                }
                Way::Flat | Way::Pgvector { .. } | Way::Ivf { .. } => {}
            }
        }
        Ok(all)
    }

    fn kite(&self, kind: Kind) -> Option<&Stored<Kind>> {
        self.kites.iter().find(|kite| kite.kind == kind)
    }

    fn ivf(&self, kind: ivf::Kind) -> Option<&Stored<ivf::Kind>> {
        self.ivfs.iter().find(|ivf| ivf.kind == kind)
    }
}

/// Makes each page read take so much longer.
fn price(store: &MemStore, page_ns: u64) {
    store.set_latency(Latency { nanos: page_ns, waits: page_ns > 0 });
}
