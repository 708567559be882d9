//! The stage of a run: a journal, one data set, the engines, and their arms with a table each.

use crate::building::{Built, Sizes, create_index, sizes};
use crate::common::Common;
use crate::contender::Contender;
use crate::data::{Attributes, Dataset, Filter, Truth};
use crate::engine::{Arm, Home, Kind, Place, Server};
use crate::inprocess::{InProcess, Library};
use crate::items;
use crate::journal::Journal;
use crate::metric::Metric;
use crate::progress::Progress;
use crate::record::{self, BuildMode, DataFacts, Record};
use crate::rounds::on_each;
use crate::table::Storage;
use anyhow::{Context, Result, bail};
use kite_cluster::workspace_root;
use postgres::error::SqlState;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Errors of CREATE INDEX that say that the engine has no such index.
const UNABLE: [SqlState; 3] =
    [SqlState::PROGRAM_LIMIT_EXCEEDED, SqlState::FEATURE_NOT_SUPPORTED, SqlState::UNDEFINED_OBJECT];

/// Everything that a bench of indexes works with.
pub(crate) struct Stage<'a> {
    pub(crate) common: &'a Common,
    pub(crate) data: &'a Dataset,
    pub(crate) journal: Journal,
    pub(crate) servers: BTreeMap<&'static str, Server>,
    pub(crate) arms: Vec<Act>,
    /// Where vectors are put that are loaded from now on; the type says where nothing else does.
    pub(crate) storage: Option<Storage>,
    /// Tables named so far: that of an arm that left the stage is not given again.
    tables: usize,
}

/// An arm on the stage.
pub(crate) struct Act {
    pub(crate) arm: Arm,
    /// Its name in all records.
    pub(crate) name: String,
    /// Its table, where it is on a server.
    pub(crate) table: String,
    pub(crate) index: Option<String>,
    /// Rows that the table was loaded with.
    pub(crate) rows: usize,
    /// The library that runs it, where it is not.
    pub(crate) library: Option<InProcess>,
}

/// Sets a stage for every data set and measures on it.
pub(crate) fn on_all_data(
    command: &str,
    common: &Common,
    mut measure: impl FnMut(&mut Stage<'_>) -> Result<()>,
) -> Result<()> {
    common.check()?;
    on_each(&common.data, common.baseline.as_deref(), |data, journals| {
        let mut stage = Stage::set(command, common, data)?;
        journals.push(stage.journal.path().to_owned());
        measure(&mut stage)
    })
}

impl<'a> Stage<'a> {
    /// Starts all servers and libraries that the arms need, and the journal.
    fn set(command: &str, common: &'a Common, data: &'a Dataset) -> Result<Self> {
        let settings = common.settings();
        let mut journal = Journal::create(command)?;
        let facts = DataFacts {
            name: data.name().into(),
            fingerprint: data.fingerprint(),
            rows: data.len(),
            dims: data.dims(),
            queries: data.queries().len().min(common.queries),
            metric: data.metric().operator().into(),
        };
        let absent = common.absent();
        for name in &absent {
            eprintln!("{name} was not given (--peer {name}=PLACE): nothing is compared with it");
        }
        let run = journal.run(facts, &settings, common.k, common.repeats, absent);
        journal.write(&Record::Run(run))?;
        let mut stage = Self {
            common,
            data,
            journal,
            servers: BTreeMap::new(),
            arms: Vec::new(),
            storage: None,
            tables: 0,
        };
        for arm in common.arms()? {
            if !stage.servers.contains_key(arm.kind.name) && !arm.kind.in_process() {
                let mut server = match common.peer(arm.kind) {
                    Some(peer) => Server::peer(peer, &settings)?,
                    None => Server::own(&settings)?,
                };
                server.pinned = common.pin && server.is_own();
                stage.servers.insert(arm.kind.name, server);
            }
            stage.enter(&arm)?;
        }
        Ok(stage)
    }

    /// Brings an arm onto the stage and into the journal. One that has no index for such a column is only noted.
    pub(crate) fn enter(&mut self, arm: &Arm) -> Result<()> {
        self.tables += 1;
        let table = format!("items_{}", self.tables);
        let (arm, column) = (arm.resolved(self.data.len()), self.data.column());
        let index = match arm.kind.home {
            Home::InProcess => None,
            Home::Server { .. } => arm.create_index(&table, column),
        };
        let unable = match (arm.unable(column), &index) {
            (None, Some(index)) => self.refusal(&arm, &table, index)?,
            (unable, _) => unable,
        };
        if let Some(why) = unable {
            eprintln!("{arm} is left out on {}: {why}", self.data.name());
            let (run, arm) = (self.journal.run_id().into(), arm.to_string());
            return self.journal.write(&Record::Unable(record::Unable { run, arm, why }));
        }
        let library = match arm.kind.home {
            Home::InProcess => Some(self.library(arm.kind)?),
            Home::Server { .. } => None,
        };
        let (version, server, kernels) = match (&library, self.servers.get(arm.kind.name)) {
            (Some(library), _) => {
                let hello = library.hello();
                (format!("{} (Python {})", library.version(), hello.python), None, hello.simd.clone())
            }
            (None, Some(Server { facts, .. })) => {
                (facts.version.clone(), Some(facts.server.clone()), facts.kernels.clone())
            }
            (None, None) => bail!("{arm} has no server"),
        };
        let settings = match self.servers.get(arm.kind.name) {
            Some(server) => server.other_settings(&self.common.settings())?,
            None => BTreeMap::new(),
        };
        let act = Act { name: arm.to_string(), table, index, rows: 0, library, arm };
        self.journal.write(&Record::Arm(record::Arm {
            run: self.journal.run_id().into(),
            arm: act.name.clone(),
            engine: act.arm.kind.name.into(),
            version,
            server,
            kernels,
            index: act.index.clone(),
            session: act.arm.set_up(),
            parameter: act.arm.parameter().map(Into::into),
            in_process: act.library.is_some(),
            settings,
        }))?;
        self.arms.push(act);
        Ok(())
    }

    /// What the engine says where it has no such index: a column of the type is indexed while it is empty.
    fn refusal(&self, arm: &Arm, table: &str, index: &str) -> Result<Option<String>> {
        let server = self.servers.get(arm.kind.name).with_context(|| format!("{arm} has no server"))?;
        let mut client = server.connect()?;
        items::create(&mut client, table, self.data.column(), None)?;
        let answer = client.batch_execute(index);
        client.batch_execute(&format!("DROP TABLE {table}"))?;
        let error = answer.as_ref().err().and_then(postgres::Error::as_db_error);
        // What else is wrong shows when the index is built.
        Ok(error.filter(|error| UNABLE.contains(error.code())).map(|error| error.message().into()))
    }

    fn library(&self, kind: &Kind) -> Result<InProcess> {
        let library = match kind.name {
            "hnswlib" => Library::Hnswlib,
            "faiss" => Library::Faiss,
            other => bail!("no runner for {other}"),
        };
        match self.common.peer(kind).map(|peer| &peer.place) {
            Some(Place::Python(python)) => InProcess::start(python, library),
            _ => bail!("{} needs --peer {0}=PYTHON", kind.name),
        }
    }

    /// Exact answers to the queries, among the rows that pass the filter.
    pub(crate) fn truth(&self, filter: Option<&Filter>) -> Result<Truth> {
        self.truth_of(self.common.k, filter)
    }

    /// As [`truth`](Self::truth), of so many rows each.
    pub(crate) fn truth_of(&self, k: usize, filter: Option<&Filter>) -> Result<Truth> {
        let rows = filter.map_or_else(String::new, |filter| format!(" ({})", filter.name()));
        let progress = Progress::new(&format!("exact answers for {}{rows}", self.data.name()));
        Truth::cached(self.data, self.metric(), k, filter, &|done, total| {
            progress.say("", done, total);
        })
    }

    /// How long a pass may take.
    pub(crate) fn budget(&self) -> Duration {
        Duration::from_secs_f64(self.common.budget)
    }

    /// Queries of a pass.
    pub(crate) fn queries(&self) -> usize {
        self.data.queries().len().min(self.common.queries)
    }

    pub(crate) fn metric(&self) -> Metric {
        self.data.metric()
    }

    /// The server of an arm that is on one.
    pub(crate) fn server(&self, act: &Act) -> Result<&Server> {
        self.servers.get(act.arm.kind.name).with_context(|| format!("{} is on no server", act.name))
    }

    /// Makes and fills an arm's table with some of the rows; a library reads its rows itself.
    pub(crate) fn load(
        &mut self,
        n: usize,
        rows: Range<usize>,
        attributes: Option<&Attributes>,
    ) -> Result<()> {
        self.arms[n].rows = rows.len();
        let act = &self.arms[n];
        if act.library.is_some() {
            return Ok(());
        }
        let mut client = self.server(act)?.connect()?;
        let (column, count) = (self.data.column(), rows.len());
        items::create(&mut client, &act.table, column, self.storage)?;
        items::copy(&mut client, &act.table, self.data, rows, attributes)?;
        if let Some(storage) = self.storage {
            column.stored(storage).placement(&mut client, &act.table, count)?;
        }
        items::settle(&mut client, &act.table)
    }

    /// Builds an arm's index on what its table holds, and records it.
    pub(crate) fn build(&mut self, n: usize, repeat: usize) -> Result<()> {
        let (data, metric) = (self.data, self.metric());
        let act = &mut self.arms[n];
        let what = format!("building {}", act.name);
        let (built, bytes) = if let Some(library) = &mut act.library {
            eprintln!("{what}");
            let path = scratch_file(data, "rows")?;
            data.write_npy(&path)?;
            let options = act.arm.options.iter().cloned().collect();
            let figures = library.build(&path, metric, act.arm.method.name, &options)?;
            let built = Built {
                seconds: figures.seconds,
                peak_memory_bytes: figures.peak_rss_bytes,
                workers: 0,
                wal_bytes: 0,
            };
            (built, Sizes { index: figures.bytes, ..Default::default() })
        } else {
            let act = &self.arms[n];
            let server = self.server(act)?;
            let Some(index) = &act.index else { return Ok(()) };
            let mut client = server.connect()?;
            client.batch_execute(&format!("DROP INDEX IF EXISTS {}_index", act.table))?;
            let built = create_index(server, index, &what)?;
            (built, sizes(&mut client, &act.table)?)
        };
        self.record_build(n, repeat, BuildMode::AfterLoad, built, bytes)
    }

    /// Writes down what a build took.
    pub(crate) fn record_build(
        &mut self,
        n: usize,
        repeat: usize,
        mode: BuildMode,
        built: Built,
        bytes: Sizes,
    ) -> Result<()> {
        let in_process = self.arms[n].library.is_some();
        let record = record::Build {
            run: self.journal.run_id().into(),
            arm: self.arms[n].name.clone(),
            repeat,
            seconds: built.seconds,
            peak_memory_bytes: built.peak_memory_bytes,
            index_bytes: bytes.index,
            heap_bytes: bytes.heap,
            toast_bytes: bytes.toast,
            wal_bytes: (!in_process).then_some(built.wal_bytes),
            workers: (!in_process).then_some(built.workers),
            mode,
            rows: self.arms[n].rows,
        };
        self.journal.write(&Record::Build(record))
    }

    /// An arm ready to be asked by so many clients.
    pub(crate) fn contender(&mut self, n: usize, clients: usize) -> Result<Contender> {
        let queries = self.queries();
        let library = self.arms[n].library.take();
        let act = &self.arms[n];
        match library {
            Some(mut library) => {
                let path = scratch_file(self.data, "queries")?;
                self.data.write_queries_npy(&path)?;
                library.load_queries(&path, queries)?;
                Ok(Contender::library(library, self.common.k))
            }
            None => Contender::server(self.server(act)?, act, self.data, self.common.k, queries, clients),
        }
    }
}

/// Where vectors are put for a library to read.
pub(crate) fn scratch_file(data: &Dataset, what: &str) -> Result<PathBuf> {
    let folder = workspace_root().join("target/bench/vectors");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{}-{what}.npy", data.fingerprint())))
}
