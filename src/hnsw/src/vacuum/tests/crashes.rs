//! What a crash or a failure at any moment leaves.

use super::super::survey::Survey;
use super::mixed::{add_orphans, items};
use super::*;
use crate::format::{Item, POSTING, Posting};
use kite_pages::FaultStore;

/// What must hold whenever a vacuum ends too early: no damage, and every row that is not dead is found once.
fn holds<S: PageStore>(index: &mut Index<'_, S>, mixed: &Mixed, when: &str) {
    clean(index);
    let mut found = found(index, &mixed.data[1], 1000);
    found.sort_unstable();
    assert!(found.is_sorted_by(|a, b| a < b), "{when}: a row is found twice");
    let missing: Vec<&usize> =
        mixed.rows.iter().filter(|&n| !dead(*n) && found.binary_search(n).is_err()).collect();
    assert!(missing.is_empty(), "{when}: {missing:?} are not found");
}

/// What the next vacuum makes of it.
fn finished<S: PageStore>(index: &mut Index<'_, S>, mixed: &Mixed, tick: impl Fn(), when: &str) {
    tick();
    vacuum(index, dead).unwrap();
    // Dead vertices are taken out of the graph by now, and in the next cleanup they are freed.
    index.cleanup(&VacuumOptions::default()).unwrap();
    tick();
    index.cleanup(&VacuumOptions::default()).unwrap();
    holds(index, mixed, when);
    let report = clean(index);
    let left = mixed.rows.iter().filter(|&&n| !dead(n)).count() as u64;
    assert_eq!((report.rows, report.dead, report.stale, report.orphans), (left, 0, 0, 0), "{when}");
    tick();
    index.cleanup(&VacuumOptions::default()).unwrap();
    tick();
    index.cleanup(&VacuumOptions::default()).unwrap();
    clean(index);
}

#[test]
fn after_a_crash_at_any_record_the_index_answers_and_the_next_vacuum_finishes() {
    let mixed = Mixed::new();
    let begin = mixed.store.records();
    let mut index = Index::open(&mixed.store).unwrap();
    vacuum(&mut index, dead).unwrap();
    cleanup_later(&mixed.store, &mut index);
    let end = mixed.store.records();
    assert!(end - begin > 120, "{}", end - begin);
    for count in begin..=end {
        let store = mixed.store.replay(count);
        let mut index = Index::open(&store).unwrap();
        let when = format!("record {} of {}", count - begin, end - begin);
        holds(&mut index, &mixed, &when);
        finished(&mut index, &mixed, || store.tick(), &when);
        assert_eq!(freed(&store), 0, "{when}");
    }
}

#[test]
fn after_a_failure_of_any_operation_the_index_answers_and_the_next_vacuum_finishes() {
    let mixed = Mixed::new();
    let begin = mixed.store.records();
    let mut operation = 0;
    loop {
        let store = FaultStore::new(mixed.store.replay(begin));
        let mut index = Index::open(&store).unwrap();
        store.fail_at(Some(operation));
        let outcome = vacuum(&mut index, dead);
        store.fail_at(None);
        if outcome.is_ok() {
            break;
        }
        let when = format!("operation {operation}");
        holds(&mut index, &mixed, &when);
        finished(&mut index, &mixed, || store.inner().tick(), &when);
        operation += 13;
    }
    assert!(operation > 1000, "{operation}");
}

#[test]
fn an_interrupted_vacuum_goes_on() {
    let mixed = Mixed::new();
    let mut index = Index::open(&mixed.store).unwrap();
    let mut asked = 0;
    let outcome = index.vacuum(&VacuumOptions::default(), &mut |tid| {
        asked += 1;
        mixed.store.interrupt(asked > 60);
        dead(number(tid))
    });
    mixed.store.interrupt(false);
    assert_eq!(outcome, Err(kite_pages::Error::Interrupted.into()));
    assert!(clean(&mut index).dead > 0);
    finished(&mut index, &mixed, || mixed.store.tick(), "interrupted");
}

/// An insert may put a posting in front of a chain where the pass that marks has been, so that nobody marks the one behind. It has rows all the same.
#[test]
fn a_posting_that_nobody_has_marked_stays_in_its_chain() {
    let mixed = Mixed::new();
    let mut index = Index::open(&mixed.store).unwrap();
    let mut vacuum = Vacuum::new(&mut index, VacuumOptions::default());
    let mut survey = Survey::new(1 << 20, 1);
    let postings = items(&mixed.store, POSTING, |at, item| {
        Link::new(at, Posting::parse(item, ()).unwrap().generation())
    });
    postings.iter().for_each(|&posting| survey.foreign.push(posting).unwrap());
    vacuum.free_orphans(&survey).unwrap();
    assert!(
        postings.len() > 30 && vacuum.stats.orphans == 0,
        "{} of {}",
        vacuum.stats.orphans,
        postings.len()
    );
    holds(&mut index, &mixed, "afterwards");
}

#[test]
fn orphans_are_freed_once_their_writers_cannot_be_at_work() {
    let mixed = Mixed::new();
    let mut index = Index::open(&mixed.store).unwrap();
    let options = VacuumOptions::default();
    {
        let _writing = mixed.store.snapshot();
        add_orphans(&mixed.store);
        // Of the chains, the first chunks that are left.
        assert_eq!(clean(&mut index).orphans, 4);
        mixed.store.tick();
        // Lists and postings are written together with what refers to them, so that only the chunks wait.
        assert_eq!(index.cleanup(&options).unwrap().orphans, 2);
        assert_eq!(index.cleanup(&options).unwrap().orphans, 0);
    }
    assert_eq!(index.cleanup(&options).unwrap().orphans, 2);
    assert_eq!(clean(&mut index).orphans, 0);
    holds(&mut index, &mixed, "afterwards");
}

#[test]
fn locks_out_of_order_are_not_needed() {
    let mixed = Mixed::new();
    mixed.store.refuse_out_of_order(true);
    let mut index = Index::open(&mixed.store).unwrap();
    finished(&mut index, &mixed, || mixed.store.tick(), "in order");
}
