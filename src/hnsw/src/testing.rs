//! Small indexes for tests, written item by item.

use crate::build::{Choice, Distances, Host, Parameters, Stopped, link};
use crate::format::{Entry, Link, ListBuf, META_BLOCK, Meta, NODES, VertexBuf};
use crate::index::{Index, META_ITEM, Options};
use kite_codecs::{Frame, Metric, PayloadKind, Scorer, Spec, Value, VectorType};
use kite_pages::payload;
use kite_pages::{At, ItemPointer, ItemRef, MemStore, PageStore, PageTxn, with_room};

/// A vector index over so many dimensions.
pub(crate) fn spec(metric: Metric, payload: PayloadKind, code_bits: u8, dims: usize) -> Spec {
    Spec { vector_type: VectorType::Vector, metric, payload, code_bits, dims }
}

/// Vectors in some clusters, from a seed.
pub(crate) fn vectors(count: usize, dims: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut draw = |scale: f32| -> Vec<f32> {
        // The sum of some uniform numbers is normal enough.
        (0..dims).map(|_| scale * ((0..4).map(|_| rng.f32()).sum::<f32>() - 2.0)).collect()
    };
    let centres: Vec<Vec<f32>> = (0..10).map(|_| draw(1.0)).collect();
    (0..count).map(|n| centres[n % 10].iter().zip(draw(1.0)).map(|(c, x)| c + x).collect()).collect()
}

/// Vectors in some clusters, and a dense one around the first of them.
pub(crate) fn crowd(others: usize, crowd: usize, dims: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rows = vectors(others, dims, seed);
    let mut rng = fastrand::Rng::with_seed(!seed);
    for _ in 0..crowd {
        let near = rows[0].iter().map(|x| x + 0.2 * (rng.f32() - 0.5)).collect();
        rows.push(near);
    }
    rows
}

/// The row of a vector by its number.
pub(crate) fn tid(n: usize) -> ItemPointer {
    ItemPointer::new(n as u32 / 100, (n % 100) as u16 + 1)
}

/// The number of a row.
pub(crate) fn number(tid: ItemPointer) -> usize {
    tid.block() as usize * 100 + usize::from(tid.no()) - 1
}

/// Exact search: what an index is held against.
pub(crate) struct Exact {
    scorer: Scorer,
    payloads: Vec<Vec<u8>>,
}

impl Exact {
    pub(crate) fn new(spec: Spec, vectors: &[Vec<f32>]) -> Self {
        let spec = Spec { payload: PayloadKind::Full, code_bits: 0, ..spec };
        let scorer = Scorer::new(spec, None).unwrap();
        let payloads = encode(vectors, |value, out| scorer.encode(value, out).unwrap());
        Self { scorer, payloads }
    }

    /// The numbers of the `k` nearest of the vectors for which `alive` holds, nearest first.
    pub(crate) fn nearest(&self, query: &[f32], k: usize, alive: impl Fn(usize) -> bool) -> Vec<usize> {
        let query = self.scorer.prepare(Some(Value::F32(query))).unwrap();
        let rank = |n: usize| (self.scorer.exact(&query, &self.payloads[n]).unwrap(), n);
        let mut ranked: Vec<(f32, usize)> =
            (0..self.payloads.len()).filter(|&n| alive(n)).map(rank).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.into_iter().take(k).map(|(_, n)| n).collect()
    }
}

fn encode(vectors: &[Vec<f32>], encode: impl Fn(Value<'_>, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let bytes = |vector: &Vec<f32>| {
        let mut bytes = Vec::new();
        encode(Value::F32(vector), &mut bytes);
        bytes
    };
    vectors.iter().map(bytes).collect()
}

struct Payloads<'a>(&'a Scorer, &'a [Vec<u8>]);

impl Distances for Payloads<'_> {
    fn len(&self) -> usize {
        self.1.len()
    }
    fn between(&self, a: u32, b: u32) -> f32 {
        self.0.between(&self.1[a as usize], &self.1[b as usize]).unwrap()
    }
    fn prefetch(&self, _: u32) {}
}

struct Alone;

impl Host for Alone {
    fn go_on(&self) -> Result<(), Stopped> {
        Ok(())
    }
    fn linked(&self, _: usize) {}
}

/// An index over all vectors, row `n` at [`tid`]`(n)`, with codes if the spec has any.
pub(crate) fn built<'s>(store: &'s MemStore, options: &Options, vectors: &[Vec<f32>]) -> Index<'s, MemStore> {
    let index = Index::create(store, options).unwrap();
    let options = index.options();
    let values = vectors.iter().map(|vector| Value::F32(vector));
    let frame: Option<Frame> =
        (options.spec.code_bits > 0).then(|| index.scorer().learn(values, options.seed).unwrap());
    let number = u32::from(frame.is_some());
    let scorer = Scorer::new(options.spec, frame).unwrap();
    let payloads = encode(vectors, |value, out| scorer.encode(value, out).unwrap());
    let codes = encode(vectors, |value, out| scorer.encode_code(value, out).unwrap());
    let Options { m, ef_construction, seed, .. } = options;
    let parameters = Parameters { m, ef_construction, choice: Choice::of(&options.spec), seed, threads: 1 };
    let graph = link(&Payloads(&scorer, &payloads), &parameters, &Alone).unwrap();
    let nodes = 0..vectors.len() as u32;
    let capacity = |level| if level == 0 { 2 * m } else { m };
    let list = |owner, level, entries: Vec<Entry>| ListBuf {
        generation: 0,
        owner,
        level,
        frame: number,
        capacity: capacity(level),
        entries,
    };
    // First everything with empty lists, since places are known only then.
    let mut vertices = Vec::new();
    for node in nodes.clone() {
        let level = graph.level(node);
        let sizes: usize = (0..=level).map(|level| index.shape.size(capacity(level), true) + 16).sum();
        let payload = payloads[node as usize].clone();
        let size = VertexBuf::size(level, payload.len(), 1) + sizes;
        let (mut txn, slot) = with_room(store, NODES, size.min(kite_pages::MAX_ITEM)).unwrap();
        let block = txn.block(slot);
        let page = txn.page_mut(slot);
        let mut vertex = VertexBuf {
            generation: page.next_generation(),
            dead: false,
            chained: false,
            unlinked: None,
            postings: Link::NONE,
            lists: vec![Link::NONE; usize::from(level) + 1],
            payload,
            tids: vec![tid(node as usize)],
            slots: 0,
        };
        let no = page.add(&vertex.to_bytes().unwrap()).unwrap().unwrap();
        let pointer = ItemPointer::new(block, no);
        for level in 0..=level {
            let buf = ListBuf { generation: page.next_generation(), ..list(pointer, level, Vec::new()) };
            let at = page.add(&buf.to_bytes(index.shape).unwrap()).unwrap().expect("a small vector");
            vertex.lists[usize::from(level)] = Link::new(ItemPointer::new(block, at), buf.generation);
        }
        assert!(page.replace(no, &vertex.to_bytes().unwrap()).unwrap());
        let room = page.sound().and_then(kite_pages::View::room).unwrap();
        txn.commit().unwrap();
        store.note_space(block, room).unwrap();
        vertices.push((Link::new(pointer, vertex.generation), vertex));
    }
    for node in nodes {
        let (own, vertex) = &vertices[node as usize];
        for level in 0..=graph.level(node) {
            let entry =
                |other: u32| Entry { link: vertices[other as usize].0, code: codes[other as usize].clone() };
            let entries = graph.links(node, level).map(entry).collect();
            let at = vertex.lists[usize::from(level)];
            let mut txn = store.begin();
            let slot = txn.lock(at.block()).unwrap();
            let generation =
                at.find::<crate::format::List<'_>>(txn.page(slot).view(NODES).unwrap(), index.shape);
            let generation = crate::format::Item::generation(&generation.unwrap().unwrap());
            let buf = ListBuf { generation, ..list(own.pointer, level, entries) };
            let page = txn.page_mut(slot);
            assert!(page.replace(at.no(), &buf.to_bytes(index.shape).unwrap()).unwrap());
            txn.commit().unwrap();
        }
    }
    let frame_chain = index_frame(store, &scorer);
    let meta = Meta {
        entry: vertices.get(graph.entry() as usize).map_or(Link::NONE, |vertex| vertex.0),
        entry_level: if vertices.is_empty() { 0 } else { graph.level(graph.entry()) },
        frame: number,
        frame_chain,
        vertices: vectors.len() as u64,
        rows: vectors.len() as u64,
        ..index.meta
    };
    let mut txn = store.begin();
    let slot = txn.lock(META_BLOCK).unwrap();
    assert!(txn.page_mut(slot).replace(META_ITEM, &meta.to_bytes()).at(META_BLOCK).unwrap());
    txn.commit().unwrap();
    Index::open(store).unwrap()
}

fn index_frame(store: &MemStore, scorer: &Scorer) -> ItemRef {
    scorer.frame().map_or(ItemRef::NONE, |frame| {
        payload::write(store, crate::format::CHUNKS, ItemPointer::NONE, &frame.to_bytes()).unwrap()
    })
}
