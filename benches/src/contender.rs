//! An arm that is asked: through sessions on its server, or in process.

use crate::data::Dataset;
use crate::engine::{DEFAULT, Server};
use crate::inprocess::InProcess;
use crate::plan;
use crate::sessions::{Answers, Parameters, Sessions};
use crate::stage::Act;
use anyhow::{Context, Result};
use std::time::Duration;

/// An arm with its queries at hand.
pub(crate) enum Contender {
    Server { sessions: Sessions, statement: String, queries: Vec<Parameters>, settings: Vec<String> },
    Library { library: InProcess, k: usize, value: String },
}

impl Contender {
    /// Opens sessions on the arm's table.
    pub(crate) fn server(
        server: &Server,
        act: &Act,
        data: &Dataset,
        k: usize,
        queries: usize,
        clients: usize,
    ) -> Result<Self> {
        let (statement, queries) = questions(act, data, k, queries);
        let sessions = Sessions::open(server, clients, &act.arm.set_up(), &statement)
            .with_context(|| format!("cannot open sessions for {}", act.name))?;
        let settings = act.arm.swept.clone();
        Ok(Self::Server { sessions, statement, queries, settings })
    }

    /// A library whose index is built and that has the queries.
    pub(crate) fn library(library: InProcess, k: usize) -> Self {
        Self::Library { library, k, value: String::new() }
    }

    /// Runs a command in all sessions, where there are any.
    pub(crate) fn command(&mut self, command: &str) -> Result<()> {
        match self {
            Self::Server { sessions, .. } => sessions.all(command),
            Self::Library { .. } => Ok(()),
        }
    }

    /// Sets the swept parameter, where there is one; `default` leaves it to the engine.
    pub(crate) fn set(&mut self, to: &str) -> Result<()> {
        match self {
            Self::Server { sessions, settings, .. } => settings.iter().try_for_each(|name| {
                sessions.all(&setting(name, to)).with_context(|| format!("{name} = {to}"))
            }),
            Self::Library { value, .. } => {
                to.clone_into(value);
                Ok(())
            }
        }
    }

    /// Asks all queries once, untimed, and answers how many that were: a process pays for each page that it has not touched before, and for
    /// what it keeps of an index. It may take twice as long as a pass, so that it gets as far as the passes that come after it.
    pub(crate) fn warm(&mut self, clients: usize, budget: Duration) -> Result<usize> {
        Ok(self.pass(clients, 2 * budget)?.queries.len())
    }

    /// Asks all queries once.
    pub(crate) fn pass(&mut self, clients: usize, budget: Duration) -> Result<Answers> {
        match self {
            Self::Server { sessions, queries, .. } => sessions.pass(clients, queries, budget),
            Self::Library { library, k, value } => library.search(*k, value, clients),
        }
    }

    /// The plan of the first query, where there is a planner.
    pub(crate) fn plan(&mut self) -> Result<Option<String>> {
        match self {
            Self::Server { sessions, statement, queries, .. } => {
                let parameters: Vec<_> = queries[0].iter().map(AsRef::as_ref).collect();
                plan::nodes(sessions.any(), statement, &parameters).map(Some)
            }
            Self::Library { .. } => Ok(None),
        }
    }
}

/// The command that sets a parameter; `default` leaves it to the engine.
pub(crate) fn setting(name: &str, to: &str) -> String {
    let value = if to == DEFAULT { "DEFAULT".into() } else { format!("'{to}'") };
    format!("SET {name} TO {value}")
}

/// What an arm on a server is asked: a statement, and the parameters of each query.
pub(crate) fn questions(act: &Act, data: &Dataset, k: usize, queries: usize) -> (String, Vec<Parameters>) {
    let order = act.arm.order(data.column());
    let statement = format!("SELECT id FROM {} ORDER BY {order} LIMIT {k}", act.table);
    let element = act.arm.method.searched(data.element());
    let queries = data.queries().take(queries).map(|query| vec![element.bind(query)]).collect();
    (statement, queries)
}
