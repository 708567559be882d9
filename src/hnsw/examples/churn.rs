#![allow(missing_docs)]
use kite_codecs::*;
use kite_hnsw::*;
use kite_pages::*;
fn vector(rng: &mut fastrand::Rng) -> Vec<f32> {
    if rng.u8(..4) == 0 {
        return vec![f32::from(rng.u8(..3)); 16];
    }
    let centre = f32::from(rng.u8(..6));
    (0..16).map(|n| rng.f32() + if n % 6 == centre as usize { 3.0 } else { 0.0 }).collect()
}
fn main() {
    let store = MemStore::new();
    let m: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let spec = Spec {
        vector_type: VectorType::Vector,
        metric: Metric::L2,
        payload: PayloadKind::Sq8,
        code_bits: 0,
        dims: 16,
    };
    let mut index =
        Index::create(&store, &Options { spec, m, ef_construction: 32.max(2 * m), seed: 11 }).unwrap();
    let mut rng = fastrand::Rng::with_seed(5);
    let t = |n: u32| ItemPointer::new(n / 50, (n % 50) as u16 + 1);
    let mut rows: Vec<u32> = vec![];
    let mut next = 0;
    for round in 0..800 {
        while rows.len() < 1100 {
            index.insert(t(next), Value::F32(&vector(&mut rng))).unwrap();
            rows.push(next);
            next += 1;
        }
        let r = index.check().unwrap();
        let a = r.unreachable;
        store.tick();
        let dead: std::collections::HashSet<u32> =
            rows.iter().copied().filter(|_| rng.u8(..5) == 0).collect();
        rows.retain(|r| !dead.contains(r));
        index
            .vacuum(&VacuumOptions::default(), &mut |tid| {
                dead.contains(&(tid.block() * 50 + u32::from(tid.no()) - 1))
            })
            .unwrap();
        store.tick();
        index.cleanup(&VacuumOptions::default()).unwrap();
        let r = index.check().unwrap();
        if round % 40 == 0 {
            println!(
                "round {round}: after inserts {a}, after vacuum {} of {}, problems {}",
                r.unreachable,
                r.vertices,
                r.problems.len()
            );
        }
    }
}
