//! `floor`: what a statement that does nothing takes, on every engine.

use crate::common::Common;
use crate::engine::{Server, turns};
use crate::journal::Journal;
use crate::judge::times;
use crate::record::{Floor, Record};
use crate::sessions::{Parameters, Sessions};
use crate::stage::on_all_data;
use anyhow::Result;
use clap::Args;
use std::collections::BTreeMap;
use std::time::Duration;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Numbers of clients that ask at the same time
    #[arg(long, value_delimiter = ',', default_value = "1")]
    clients: Vec<usize>,
}

/// Sessions on every server that ask for nothing.
pub(crate) struct Floors(Vec<(&'static str, Sessions)>);

impl Floors {
    pub(crate) fn open(servers: &BTreeMap<&'static str, Server>, clients: usize) -> Result<Self> {
        servers
            .iter()
            .map(|(name, server)| Ok((*name, Sessions::open(server, clients, &[], "SELECT 1")?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Asks so many times on every server in turn, and writes down what it took.
    pub(crate) fn measure(
        &mut self,
        journal: &mut Journal,
        clients: usize,
        repeat: usize,
        count: usize,
    ) -> Result<()> {
        let nothing: Vec<Parameters> = (0..count.max(clients)).map(|_| Vec::new()).collect();
        for n in turns(self.0.len(), repeat) {
            let (engine, sessions) = &mut self.0[n];
            let times = times(&sessions.pass(clients, &nothing, Duration::from_secs(10))?);
            journal.write(&Record::Floor(Floor {
                run: journal.run_id().into(),
                engine: (*engine).into(),
                clients,
                repeat,
                mean_us: times.mean,
                p50_us: times.p50,
                p99_us: times.p99,
                qps: times.qps,
            }))?;
        }
        Ok(())
    }
}

/// Measures nothing but that.
pub(crate) fn run(options: &Options) -> Result<()> {
    let most = options.clients.iter().copied().max().unwrap_or(1);
    on_all_data("floor", &options.common, |stage| {
        let mut floors = Floors::open(&stage.servers, most)?;
        for repeat in 0..options.common.repeats {
            for &clients in &options.clients {
                floors.measure(&mut stage.journal, clients, repeat, options.common.queries)?;
            }
        }
        Ok(())
    })
}
