//! A run over all data sets: right answers, journal.

use super::Common;
use super::contest::Known;
use super::set::Set;
use crate::data::{Dataset, Truth};
use crate::engine::OWN;
use crate::journal::Journal;
use crate::metric::Element;
use crate::progress::Progress;
use crate::record::{Arm, Build, BuildMode, DataFacts, GraphPass, Record};
use crate::rounds::on_each;
use crate::settings::{Settings, load_average};
use crate::stats::quantiles;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// One data set, with its journal.
pub(super) struct Bench<'a> {
    pub(super) set: &'a Set<'a>,
    pub(super) journal: Journal,
}

/// Reads every data set and measures on it.
pub(super) fn on_all_data(
    command: &str,
    common: &Common,
    absent: &[String],
    mut measure: impl FnMut(&mut Bench<'_>) -> Result<()>,
) -> Result<()> {
    common.check()?;
    on_each(&common.data, None, |data, journals| {
        let set = read(data, common)?;
        let mut bench = Bench::begin(command, common, &set, absent.to_vec())?;
        journals.push(bench.journal.path().to_owned());
        measure(&mut bench)
    })
}

fn read<'a>(data: &'a Dataset, common: &Common) -> Result<Set<'a>> {
    let element = data.element();
    ensure!(
        element == Element::Vector,
        "{}: layouts of a graph are made for vector, not for {}",
        data.name(),
        element.sql()
    );
    let progress = Progress::new(&format!("exact answers for {}", data.name()));
    let say = |done, total| progress.say("", done, total);
    let truth = Truth::cached(data, data.metric(), common.k, None, &say)?;
    Set::read(data, common.k, common.queries, truth)
}

impl<'a> Bench<'a> {
    fn begin(command: &str, common: &Common, set: &'a Set<'a>, absent: Vec<String>) -> Result<Self> {
        let mut journal = Journal::create(command)?;
        let facts = DataFacts {
            name: set.data.name().into(),
            fingerprint: set.data.fingerprint(),
            rows: set.rows.len(),
            dims: set.rows.dims,
            queries: set.queries.len(),
            metric: set.data.metric().operator().into(),
        };
        let run = journal.run(facts, &Settings::none(), set.k, common.searching.repeats, absent);
        journal.write(&Record::Run(run))?;
        Ok(Self { set, journal })
    }

    /// Names a competitor. `settings` tell it from others of that name in other runs.
    pub(super) fn enter(&mut self, name: &str, settings: &[(&str, String)]) -> Result<()> {
        self.enter_engine(name, OWN, env!("CARGO_PKG_VERSION").into(), settings)
    }

    /// The same of a library that is not ours.
    pub(super) fn enter_engine(
        &mut self,
        name: &str,
        engine: &str,
        version: String,
        settings: &[(&str, String)],
    ) -> Result<()> {
        let settings: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        self.journal.write(&Record::Arm(Arm {
            run: self.journal.run_id().into(),
            arm: name.into(),
            engine: engine.into(),
            version,
            server: None,
            kernels: (engine == OWN).then(|| kite_kernels::kernels().name.into()),
            index: None,
            session: Vec::new(),
            parameter: Some("ef".into()),
            in_process: true,
            settings,
        }))
    }

    /// Writes down what the making of an index took.
    pub(super) fn built(&mut self, name: &str, mode: BuildMode, built: &Built) -> Result<()> {
        self.journal.write(&Record::Build(Build {
            run: self.journal.run_id().into(),
            arm: name.into(),
            repeat: 0,
            seconds: built.seconds,
            peak_memory_bytes: built.peak_memory_bytes,
            index_bytes: built.index_bytes,
            heap_bytes: 0,
            toast_bytes: 0,
            wal_bytes: None,
            workers: None,
            mode,
            rows: self.set.rows.len(),
        }))
    }

    /// Writes down a pass over all queries.
    pub(super) fn pass(&mut self, name: &str, known: &Known, repeat: usize, seconds: &[f64]) -> Result<()> {
        let micros: Vec<f64> = seconds.iter().map(|seconds| seconds * 1e6).collect();
        let [p50_us, p99_us] = quantiles(&micros, [0.5, 0.99]);
        let queries = micros.len() as f64;
        self.journal.write(&Record::Graph(GraphPass {
            run: self.journal.run_id().into(),
            arm: name.into(),
            ef: known.ef,
            repeat,
            queries: micros.len(),
            recall: known.quality.recall,
            recall_min: known.quality.recall_min,
            mean_us: micros.iter().sum::<f64>() / queries,
            p50_us,
            p99_us,
            index_pages: known.reads as f64 / queries,
            fetches: known.fetches.rows as f64 / queries,
            heap_pages: known.fetches.pages as f64 / queries,
            load: load_average(),
        }))
    }
}

/// What an index took to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Built {
    pub(super) seconds: f64,
    pub(super) index_bytes: u64,
    /// As the builder counted.
    pub(super) peak_memory_bytes: Option<u64>,
}
