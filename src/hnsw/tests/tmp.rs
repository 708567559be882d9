mod world;
use world::*;
use kite_codecs::{PayloadKind, Value};
use kite_hnsw::Index;
use kite_pages::MemStore;
#[test]
fn tmp() {
    let count: u32 = setting("COUNT", 200) as u32;
    let mut bad = 0;
    for seed in 0..60 { for bits in [0, 2] {
        let mut rng = fastrand::Rng::with_seed(seed);
        let store = MemStore::new();
        Index::create(&store, &options(PayloadKind::Full, bits)).unwrap();
        let vs: Vec<Vec<f32>> = (0..count).map(|_| vector(&mut rng)).collect();
        std::thread::scope(|s| for t in 0..2 { let (store, vs) = (&store, &vs); s.spawn(move || { let mut index = Index::open(store).unwrap(); for n in (t..count).step_by(2) { index.insert(tid(n), Value::F32(&vs[n as usize])).unwrap(); } }); });
        let mut index = Index::open(&store).unwrap();
        let found = rows(&mut index, &vs[0], everything());
        if found.len() < count as usize { bad += 1; eprintln!("bits {bits} seed {seed} {} of {count}", found.len()); }
    }}
    eprintln!("bad {bad}");
}
