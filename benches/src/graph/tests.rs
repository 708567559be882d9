//! Searches end to end, held against exact answers.

use super::flat::Flat;
use super::layout::Layout;
use super::link::{Building, linked};
use super::pgvector::{Pages, Pgvector};
use super::set::Set;
use crate::data::{Dataset, Source, Truth};

const M: usize = 8;

fn with_set(source: &str, test: impl FnOnce(&Set<'_>)) {
    let data: Dataset = source.parse::<Source>().unwrap().open().unwrap();
    let truth = Truth::compute(&data, data.metric(), 10, None, &|_, _| ()).unwrap();
    test(&Set::read(&data, 10, 100, truth).unwrap());
}

fn building() -> Building {
    Building { m: M, ef_construction: 40, threads: 2 }
}

fn answers(layout: &mut dyn Layout, set: &Set<'_>, ef: usize) -> Vec<Vec<i64>> {
    (0..set.queries.len())
        .map(|query| {
            let mut found = Vec::new();
            layout.search(query, ef, &mut found).unwrap();
            found
        })
        .collect()
}

#[test]
fn arrays_and_pages_of_the_same_graph_give_the_same_answers() {
    for source in ["generated:2kx48,queries=100", "generated:2kx40,queries=100,metric=l2"] {
        with_set(source, |set| {
            let (graph, _) = linked(set, &building()).unwrap();
            let pages = Pages::write(set, &graph, M).unwrap();
            let mut recalls = Vec::new();
            for ef in [10, 80] {
                let flat = answers(&mut Flat::new(set, &graph, M), set, ef);
                for together in [1, 3, 8] {
                    let mut paged = Pgvector::new(set, &pages, together);
                    assert_eq!(answers(&mut paged, set, ef), flat, "{source} {ef} {together}");
                }
                recalls.push(set.quality(flat).unwrap().recall);
            }
            assert!(recalls[0] < recalls[1] && recalls[1] > 0.98, "{source} {recalls:?}");
        });
    }
}
