//! Puts journals together: which measurements may stand in one table, and which are repeats of each other.

use crate::engine::OWN;
use crate::record::{
    Arm, Build, Cold, DataFacts, FilterPass, GraphPass, Insert, Pass, Record, Run, Update, Vacuum,
};
use crate::stats::median;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) runs: Vec<Run>,
    pub(super) sections: Vec<Section>,
    /// What a reader has to know about the files.
    pub(super) notes: Vec<String>,
}

/// What is comparable: the same vectors and k, on the same machine.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) data: DataFacts,
    pub(super) k: usize,
    machine: (String, usize),
    pub(super) entrants: Vec<Entrant>,
    /// Arms that could not compete, and why.
    pub(super) unable: BTreeMap<String, String>,
    /// Microseconds that half of the statements that do nothing stay below, by run, engine and clients: a mean of so short a
    /// time is made by what else the machine does.
    floors: BTreeMap<(String, String, usize), Vec<f64>>,
}

/// One competitor and all that was measured of it, in one run or in several that differ in nothing that matters.
#[derive(Debug)]
pub(super) struct Entrant {
    /// Unique within its section.
    pub(super) label: String,
    pub(super) arm: Arm,
    identity: Identity,
    pub(super) passes: Vec<Pass>,
    pub(super) builds: Vec<Build>,
    pub(super) inserts: Vec<Insert>,
    pub(super) updates: Vec<Update>,
    pub(super) vacuums: Vec<Vacuum>,
    pub(super) filters: Vec<FilterPass>,
    pub(super) colds: Vec<Cold>,
    pub(super) graphs: Vec<GraphPass>,
}

/// Measurements are repeats of each other only if all of this is the same.
#[derive(Debug, Clone, PartialEq)]
struct Identity {
    /// With no run in it.
    arm: Arm,
    settings: BTreeMap<String, String>,
    /// Of the engine that this workspace builds: another commit is another engine.
    commit: Option<String>,
    /// Where changes were not committed, no other run is known to have measured the same.
    run: Option<String>,
}

impl Identity {
    fn of(arm: &Arm, run: &Run) -> Self {
        let own = arm.engine.starts_with(OWN);
        Self {
            arm: Arm { run: String::new(), index: arm.index.as_deref().map(statement), ..arm.clone() },
            settings: run.settings.clone(),
            commit: own.then(|| run.commit.clone()),
            run: (own && (run.dirty || run.commit == "unknown")).then(|| run.run.clone()),
        }
    }
}

impl Section {
    /// Median microseconds of a statement that does nothing, in the same run; none within a process of its own.
    pub(super) fn floor(&self, run: &str, arm: &Arm, clients: usize) -> Option<f64> {
        if arm.in_process {
            return Some(0.0);
        }
        self.floors.get(&(run.into(), arm.engine.clone(), clients)).map(|floors| median(floors))
    }

    /// What such statements took in all runs, by engine.
    pub(super) fn floors(&self, clients: usize) -> BTreeMap<&str, Vec<f64>> {
        let mut floors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for ((_, engine, _), means) in self.floors.iter().filter(|((_, _, of), _)| *of == clients) {
            floors.entry(engine).or_default().extend(means);
        }
        floors
    }

    /// What sets have in common that differ in the number of their rows at most, if that is what they are called without it.
    pub(super) fn family(&self, name: &str) -> impl PartialEq + use<> {
        let (data, machine) = (&self.data, self.machine.clone());
        (name.to_owned(), data.dims, data.metric.clone(), self.k, machine)
    }

    /// Entrants of which there are such measurements.
    pub(super) fn having<'a, T: 'a>(&'a self, of: impl Fn(&'a Entrant) -> &'a [T]) -> Vec<&'a Entrant> {
        self.entrants.iter().filter(|entrant| !of(entrant).is_empty()).collect()
    }

    /// Which of the section's entrants this is: what it looks like in pictures.
    pub(super) fn place(&self, entrant: &Entrant) -> usize {
        self.entrants.iter().position(|one| std::ptr::eq(one, entrant)).unwrap_or(0)
    }

    fn label(&mut self) {
        let mut by_arm: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (n, entrant) in self.entrants.iter().enumerate() {
            by_arm.entry(entrant.arm.arm.clone()).or_default().push(n);
        }
        for same in by_arm.into_values().filter(|same| same.len() > 1) {
            let marks: [fn(&Entrant) -> String; 3] = [
                |entrant| entrant.arm.version.clone(),
                |entrant| entrant.identity.commit.as_deref().map_or("-", short).to_owned(),
                |entrant| entrant.arm.run.clone(),
            ];
            let telling = marks.into_iter().find(|mark| {
                let all: BTreeSet<String> = same.iter().map(|&n| mark(&self.entrants[n])).collect();
                all.len() == same.len()
            });
            for (count, &n) in (1..).zip(&same) {
                let entrant = &mut self.entrants[n];
                let mark = telling.map_or_else(|| format!("no. {count}"), |mark| mark(entrant));
                entrant.label = format!("{} @ {mark}", entrant.arm.arm);
            }
        }
    }
}

/// A statement in one line, without the number that its table has among those of its run.
pub(super) fn statement(text: &str) -> String {
    const TABLE: &str = "items_";
    let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.split(TABLE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + if rest.len() < part.len() { "items" } else { TABLE } + rest
    })
}

/// The first digits of a commit.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// Where the records of an arm go.
type Places = BTreeMap<(String, String), (usize, usize)>;

/// Puts the records of several files together.
pub(super) fn gather(files: impl IntoIterator<Item = Vec<Record>>) -> Result<Gathered> {
    let mut all = Gathered::default();
    for records in files {
        all.add(records)?;
    }
    for section in &mut all.sections {
        section.label();
    }
    Ok(all)
}

impl Gathered {
    fn add(&mut self, records: Vec<Record>) -> Result<()> {
        let mut places = Places::new();
        // Section of each run of this file; none for what an earlier file told already.
        let mut runs: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for record in records {
            if let Record::Run(run) = record {
                let known = self.runs.iter().any(|known| known.run == run.run);
                if known {
                    self.notes.push(format!("run {} was given twice and counts once", run.run));
                }
                let section = (!known).then(|| self.section(&run));
                runs.insert(run.run.clone(), section);
                if !known {
                    self.runs.push(run);
                }
                continue;
            }
            let name = run_of(&record);
            let section = *runs.get(name).with_context(|| format!("run {name} is not described"))?;
            if let Some(section) = section {
                self.place(section, record, &mut places)?;
            }
        }
        Ok(())
    }

    fn section(&mut self, run: &Run) -> usize {
        let machine = (run.machine.cpu.clone(), run.machine.cores);
        let same =
            |section: &Section| section.data == run.data && section.k == run.k && section.machine == machine;
        self.sections.iter().position(same).unwrap_or_else(|| {
            let (data, k) = (run.data.clone(), run.k);
            self.sections.push(Section {
                data,
                k,
                machine: machine.clone(),
                entrants: Vec::new(),
                unable: BTreeMap::new(),
                floors: BTreeMap::new(),
            });
            self.sections.len() - 1
        })
    }

    fn place(&mut self, section: usize, record: Record, places: &mut Places) -> Result<()> {
        match record {
            Record::Run(_) => unreachable!("runs are dealt with before"),
            Record::Arm(arm) => {
                let run = self.runs.iter().find(|run| run.run == arm.run);
                let identity = Identity::of(&arm, run.context("the run of an arm")?);
                let entrants = &mut self.sections[section].entrants;
                let known = entrants.iter().position(|entrant| entrant.identity == identity);
                let key = (arm.run.clone(), arm.arm.clone());
                let n = known.unwrap_or_else(|| {
                    entrants.push(Entrant::new(arm, identity));
                    entrants.len() - 1
                });
                places.insert(key, (section, n));
            }
            Record::Unable(unable) => {
                self.sections[section].unable.insert(unable.arm, unable.why);
            }
            Record::Floor(floor) => {
                let floors = &mut self.sections[section].floors;
                floors.entry((floor.run, floor.engine, floor.clients)).or_default().push(floor.p50_us);
            }
            Record::Pass(pass) => self.entrant(places, &pass.run, &pass.arm)?.passes.push(pass),
            Record::Build(build) => self.entrant(places, &build.run, &build.arm)?.builds.push(build),
            Record::Insert(insert) => self.entrant(places, &insert.run, &insert.arm)?.inserts.push(insert),
            Record::Update(update) => self.entrant(places, &update.run, &update.arm)?.updates.push(update),
            Record::Vacuum(vacuum) => self.entrant(places, &vacuum.run, &vacuum.arm)?.vacuums.push(vacuum),
            Record::Filter(filter) => self.entrant(places, &filter.run, &filter.arm)?.filters.push(filter),
            Record::Cold(cold) => self.entrant(places, &cold.run, &cold.arm)?.colds.push(cold),
            Record::Graph(graph) => self.entrant(places, &graph.run, &graph.arm)?.graphs.push(graph),
        }
        Ok(())
    }

    fn entrant(&mut self, places: &Places, run: &str, arm: &str) -> Result<&mut Entrant> {
        let place = places.get(&(run.to_owned(), arm.to_owned()));
        let &(section, n) = place.with_context(|| format!("arm {arm} of run {run} is not described"))?;
        Ok(&mut self.sections[section].entrants[n])
    }
}

impl Entrant {
    fn new(arm: Arm, identity: Identity) -> Self {
        Self {
            label: arm.arm.clone(),
            arm,
            identity,
            passes: Vec::new(),
            builds: Vec::new(),
            inserts: Vec::new(),
            updates: Vec::new(),
            vacuums: Vec::new(),
            filters: Vec::new(),
            colds: Vec::new(),
            graphs: Vec::new(),
        }
    }
}

fn run_of(record: &Record) -> &str {
    match record {
        Record::Run(of) => &of.run,
        Record::Arm(of) => &of.run,
        Record::Unable(of) => &of.run,
        Record::Pass(of) => &of.run,
        Record::Floor(of) => &of.run,
        Record::Build(of) => &of.run,
        Record::Insert(of) => &of.run,
        Record::Update(of) => &of.run,
        Record::Vacuum(of) => &of.run,
        Record::Filter(of) => &of.run,
        Record::Cold(of) => &of.run,
        Record::Graph(of) => &of.run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_different_runs_are_the_same() {
        let text = "CREATE INDEX items_12_index\n  ON items_12 USING x (items_id) WITH (m = 4)";
        assert_eq!(statement(text), "CREATE INDEX items_index ON items USING x (items_id) WITH (m = 4)");
    }
}
