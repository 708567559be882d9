//! Crashes: a store of which only the first k records survived is an index that answers, checks clean, and can be worked on.
//!
//! `KITE_CRASH_POINTS=10000 cargo test --release -p kite-hnsw --test crashes` tries so many places.

mod world;

use kite_codecs::Value;
use kite_hnsw::{Index, VacuumOptions};
use kite_pages::{MemStore, PageStore};
use std::collections::{BTreeMap, BTreeSet};
use world::{KINDS, Kind, Recall, build, everything, judge, number, rows, setting, tid};

/// What was known at some record: rows whose insert was done, and those that vacuum had been told are dead.
#[derive(Debug, Clone, Default)]
struct Moment {
    records: usize,
    live: BTreeSet<u32>,
    /// Rows of which part may be there: being inserted, or dead.
    doubtful: BTreeSet<u32>,
}

/// A run of random work on a store that keeps its records.
struct History {
    kind: Kind,
    store: MemStore,
    vectors: BTreeMap<u32, Vec<f32>>,
    /// One at the beginning of each operation.
    moments: Vec<Moment>,
}

fn history(seed: u64, kind: Kind) -> History {
    let mut rng = fastrand::Rng::with_seed(seed);
    let store = MemStore::logged();
    let mut vectors = BTreeMap::new();
    // Codes need many rows, so that an index with codes begins with a build.
    if kind.code_bits > 0 {
        vectors = build(&store, kind, &mut rng);
    } else {
        Index::create(&store, &kind.options()).unwrap();
    }
    let mut index = Index::open(&store).unwrap();
    let mut now = Moment { live: vectors.keys().copied().collect(), ..Moment::default() };
    let mut moments = Vec::new();
    let first = vectors.len() as u32;
    for next in first..first + 240 {
        let value = kind.vector(&mut rng);
        now.doubtful.insert(next);
        note(&mut moments, &mut now, &store);
        assert!(index.insert(tid(next), Value::F32(&value)).unwrap());
        vectors.insert(next, value);
        now.doubtful.remove(&next);
        now.live.insert(next);
        store.tick();
        if next % 60 == 29 {
            let dead: BTreeSet<u32> = now.live.iter().copied().filter(|_| rng.u8(..4) == 0).collect();
            now.live.retain(|row| !dead.contains(row));
            now.doubtful.extend(&dead);
            note(&mut moments, &mut now, &store);
            index.vacuum(&VacuumOptions::default(), &mut |tid| dead.contains(&number(tid))).unwrap();
            index.cleanup(&VacuumOptions::default()).unwrap();
            now.doubtful.clear();
        }
    }
    note(&mut moments, &mut now, &store);
    History { kind, store, vectors, moments }
}

fn note(moments: &mut Vec<Moment>, now: &mut Moment, store: &MemStore) {
    now.records = store.records();
    moments.push(now.clone());
}

impl History {
    /// What is to be expected after a crash that `records` survived.
    fn at(&self, records: usize) -> &Moment {
        let after = self.moments.partition_point(|moment| moment.records <= records);
        &self.moments[after.max(1) - 1]
    }

    /// Holds queries against the rows that must and may be there.
    fn ask(
        &self,
        index: &mut Index<'_, MemStore>,
        moment: &Moment,
        extra: &BTreeMap<u32, Vec<f32>>,
    ) -> Recall {
        let mut recall = Recall::default();
        let queries = self.vectors.values().step_by(self.vectors.len().div_ceil(3));
        for query in queries {
            let found = rows(index, query, everything());
            let vector_of = |row: u32| {
                let known = moment.live.contains(&row) || moment.doubtful.contains(&row);
                extra.get(&row).or_else(|| self.vectors.get(&row).filter(|_| known)).cloned()
            };
            let must: Vec<u32> = moment.live.iter().chain(extra.keys()).copied().collect();
            recall.add(judge(&found, query, vector_of, &must));
        }
        recall
    }

    /// Crashes after `records`, and goes on. Answers what queries found at once and in the end.
    fn crash(&self, records: usize, rng: &mut fastrand::Rng) -> (Recall, Recall) {
        let store = self.store.replay(records);
        let moment = self.at(records);
        let mut index = Index::open(&store).unwrap();
        sound(&mut index, records);
        let at_once = self.ask(&mut index, moment, &BTreeMap::new());

        // Whatever was in doubt is dead now; more is inserted before and after the vacuum, under numbers not used so far.
        let mut moment = moment.clone();
        let mut extra = BTreeMap::new();
        for row in 5000..5010 {
            let value = self.kind.vector(rng);
            assert!(index.insert(tid(row), Value::F32(&value)).unwrap());
            extra.insert(row, value);
        }
        store.tick();
        let dead: BTreeSet<u32> = std::mem::take(&mut moment.doubtful);
        index.vacuum(&VacuumOptions::default(), &mut |tid| dead.contains(&number(tid))).unwrap();
        store.tick();
        index.cleanup(&VacuumOptions::default()).unwrap();
        for row in 5010..5020 {
            let value = self.kind.vector(rng);
            assert!(index.insert(tid(row), Value::F32(&value)).unwrap());
            extra.insert(row, value);
        }
        sound(&mut index, records);
        (at_once, self.ask(&mut index, &moment, &extra))
    }
}

fn sound<S: PageStore>(index: &mut Index<'_, S>, records: usize) {
    let report = index.check().unwrap();
    assert!(report.is_clean(), "after {records} records: {report:?}");
}

#[test]
fn after_any_record_the_index_answers_is_sound_and_heals() {
    let points = setting("KITE_CRASH_POINTS", 45);
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut at_once, mut in_the_end, mut uncrashed) =
        (Recall::default(), Recall::default(), Recall::default());
    for (seed, kind) in (1..).zip(KINDS) {
        let history = history(seed, kind);
        let (begin, last) = (history.moments[0].records, history.store.records());
        let mut index = Index::open(&history.store).unwrap();
        sound(&mut index, last);
        uncrashed.add(history.ask(&mut index, history.at(last), &BTreeMap::new()));
        drop(index);
        for _ in 0..points / KINDS.len() as u64 {
            let (first, then) = history.crash(rng.usize(begin..=last), &mut rng);
            at_once.add(first);
            in_the_end.add(then);
        }
    }
    eprintln!("found without a crash {uncrashed:?}, after one {at_once:?}, later {in_the_end:?}");
    // A graph need not lead everywhere, but a crash takes nothing away.
    assert!(at_once.share() >= uncrashed.share() - 0.01, "{at_once:?} {uncrashed:?}");
    assert!(in_the_end.share() >= uncrashed.share() - 0.01, "{in_the_end:?} {uncrashed:?}");
    assert!(uncrashed.share() > 0.97, "{uncrashed:?}");
}
