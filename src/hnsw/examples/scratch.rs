#![allow(missing_docs)]
use kite_codecs::*;
use kite_hnsw::*;
use kite_pages::*;
use std::time::Instant;
fn npy(path: &str) -> (usize, usize, Vec<f32>) {
    let b = std::fs::read(path).unwrap();
    let hl = u16::from_le_bytes([b[8], b[9]]) as usize;
    let h = std::str::from_utf8(&b[10..10 + hl]).unwrap();
    let s = h.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let v: Vec<usize> = s.split(',').filter_map(|x| x.trim().parse().ok()).collect();
    let d = b[10 + hl..].chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect();
    (v[0], v[1], d)
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let dir = "/work/main/target/bench/vectors/";
    let (mut n, d, rows) = npy(&format!("{dir}{}-rows.npy", a[1]));
    let (nq, _, qs) = npy(&format!("{dir}{}-queries.npy", a[1]));
    let bits: u8 = a[2].parse().unwrap();
    let threads: usize = a[3].parse().unwrap();
    if let Some(x) = a.get(4) {
        n = n.min(x.parse().unwrap());
    }
    let nq = nq.min(500);
    let store = MemStore::new();
    let spec = Spec {
        vector_type: VectorType::Vector,
        metric: Metric::Cosine,
        payload: PayloadKind::Sq8,
        code_bits: bits,
        dims: d,
    };
    let o = Options { spec, m: 16, ef_construction: 64, seed: 1 };
    Index::create(&store, &o).unwrap();
    let t = Instant::now();
    std::thread::scope(|s| {
        for th in 0..threads {
            let (store, rows) = (&store, &rows);
            s.spawn(move || {
                let mut index = Index::open(store).unwrap();
                for i in (th..n).step_by(threads) {
                    index
                        .insert(
                            ItemPointer::new((i / 50) as u32, (i % 50) as u16 + 1),
                            Value::F32(&rows[i * d..][..d]),
                        )
                        .unwrap();
                }
            });
        }
    });
    let el = t.elapsed().as_secs_f64();
    println!(
        "insert {n} in {el:.2} s, {:.0} us each, pages {} = {:.0} B/row",
        el * 1e6 / n as f64,
        store.len(),
        f64::from(store.len()) * 8192.0 / n as f64
    );
    let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let norms: Vec<f32> = (0..n).map(|i| norm(&rows[i * d..][..d])).collect();
    let truth: Vec<Vec<usize>> = std::thread::scope(|s| {
        let hs: Vec<_> = (0..2)
            .map(|h| {
                let (qs, rows, norms) = (&qs, &rows, &norms);
                s.spawn(move || {
                    (0..nq)
                        .filter(|q| q % 2 == h)
                        .map(|q| {
                            let q = &qs[q * d..][..d];
                            let mut r: Vec<(f32, usize)> = (0..n)
                                .map(|i| {
                                    let x = &rows[i * d..][..d];
                                    let mut acc = [0f32; 16];
                                    for (a, b) in x.chunks_exact(16).zip(q.chunks_exact(16)) {
                                        for k in 0..16 {
                                            acc[k] += a[k] * b[k];
                                        }
                                    }
                                    (-acc.iter().sum::<f32>() / norms[i], i)
                                })
                                .collect();
                            r.select_nth_unstable_by(10, |a, b| a.0.total_cmp(&b.0));
                            r.truncate(10);
                            r.into_iter().map(|x| x.1).collect::<Vec<_>>()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut a: Vec<std::vec::IntoIter<_>> =
            hs.into_iter().map(|h| h.join().unwrap().into_iter()).collect();
        (0..nq).map(|q| a[q % 2].next().unwrap()).collect()
    });
    let mut index = Index::open(&store).unwrap();
    for ef in [20, 40, 100, 200] {
        let opt = ScanOptions { ef, order: Order::Off, ..ScanOptions::default() };
        store.take_reads();
        let t = Instant::now();
        let mut all = vec![];
        let mut visits = 0;
        for q in 0..nq {
            let mut s = index.scan(Some(Value::F32(&qs[q * d..][..d])), opt).unwrap();
            let mut f = vec![];
            while let Some(r) = s.next_row().unwrap() {
                f.push(r.tid.block() as usize * 50 + r.tid.no() as usize - 1);
            }
            visits += s.visits();
            all.push(f);
        }
        let _ = 0;
        let el = t.elapsed().as_secs_f64();
        let reads = store.take_reads();
        let hit: usize = (0..nq).map(|q| truth[q].iter().filter(|x| all[q].contains(x)).count()).sum();
        println!(
            "ef {ef}: recall in ef {:.4}, {:.0} us, {:.0} pages, {} visits",
            hit as f64 / (nq * 10) as f64,
            el * 1e6 / nq as f64,
            reads.pins as f64 / nq as f64,
            visits / nq
        );
    }
}
