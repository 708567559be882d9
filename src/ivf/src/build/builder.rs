//! Collecting the rows of a new index, and making the index of them.

use super::assign::Assigner;
use super::finder::Finder;
use super::kmeans::{Clustered, Setting};
use super::learn::{effective, learn, quantiser, sample_size, take};
use super::partitions::{Partitions, write_grouped};
use super::records::{Layout, Records, spread};
use super::sample::Sample;
use super::write::Writer;
use crate::format::{META, META_BLOCK, META_ITEM, Meta};
use crate::index::Index;
use crate::quantiser::{Quantiser, centre_len};
use crate::{Codes, Error, Options, Result};
use kite_build::memory::Memory;
use kite_build::{Host, Phase, Resources, Scratch, ScratchFile, read_whole};
use kite_codecs::{Scorer, Value};
use kite_pages::{At, BlockNo, BulkWriter, ItemPointer, Page, PageStore, PageTxn};

/// What was built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Built {
    /// Rows that are in the index.
    pub rows: u64,
    /// Lists that it has.
    pub lists: usize,
    /// Codes that it has: `pq` needs rows to learn from, and is `rabitq` without.
    pub codes: Codes,
    /// Pages of the index.
    pub pages: BlockNo,
    /// Whether rows went by way of temporary files.
    pub spilled: bool,
    /// The most bytes that were counted at any time.
    pub memory: usize,
}

/// Builds an index from rows that are pushed one by one.
#[derive(Debug)]
pub struct Builder<T: Scratch> {
    options: Options,
    resources: Resources,
    scorer: Scorer,
    records: Records,
    /// All rows, once they do not fit memory.
    spilled: Option<T::File>,
    rows: u64,
    payload: Vec<u8>,
    memory: Memory,
    scratch: T,
}

impl<T: Scratch> Builder<T> {
    /// A build without rows.
    ///
    /// # Errors
    /// Bad options.
    pub fn new(options: &Options, resources: Resources, scratch: T) -> Result<Self> {
        let options = options.settle()?;
        let scorer = Scorer::new(options.spec(), None)?;
        let payload = scorer.payload_len().ok_or(Error::Options("payloads differ in length"))?;
        // Without enough rows `pq` is `rabitq`.
        let other = match options.codes {
            Codes::Pq { .. } => Options { codes: Codes::RabitQ { bits: 1 }, ..options },
            _ => options,
        };
        let code = |of: Options| of.code_len() + of.factors_len();
        let memory = Memory::new(resources.memory);
        let layout = Layout::new(payload, code(options).max(code(other)));
        Ok(Self {
            options,
            resources,
            records: Records::new(layout, &memory),
            scorer,
            spilled: None,
            rows: 0,
            payload: Vec::new(),
            memory,
            scratch,
        })
    }

    /// Takes a row. `false`: a zero vector under cosine distance, which the index does not hold.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, one that is not finite, and temporary files that fail.
    pub fn push(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        self.payload.clear();
        match self.scorer.encode(value, &mut self.payload) {
            Err(kite_codecs::Error::Zero) => return Ok(false),
            other => other?,
        }
        if self.spilled.is_none() && self.records.bytes() / 8 * 9 + 4096 > self.for_rows() {
            let mut file = self.scratch.file()?;
            file.append(self.records.range(0..self.records.len()))?;
            self.records = Records::new(self.records.layout, &self.memory);
            self.spilled = Some(file);
        }
        self.records.push(&self.payload, tid)?;
        if let Some(file) = &mut self.spilled {
            // One at a time goes through memory.
            file.append(self.records.get(0))?;
            self.records = Records::new(self.records.layout, &self.memory);
        }
        self.rows += 1;
        Ok(true)
    }

    /// Whether memory was not enough for the rows so far.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Bytes that rows may take; the rest is for sample and centroids.
    fn for_rows(&self) -> usize {
        self.resources.memory / 4 * 3
    }

    /// Finds the centroids, and writes the index to an empty store.
    ///
    /// # Errors
    /// A store that is not empty, [`Error::Memory`] for more lists than memory holds, the end of space, temporary files that fail,
    /// and what the host says.
    pub fn finish<S: PageStore>(mut self, store: &S, host: &impl Host) -> Result<Built> {
        if !store.is_empty() {
            return Err(Error::Options("an index is made in an empty relation"));
        }
        let mut meta = Meta::new(self.options);
        let spilled = self.spilled.is_some();
        if self.rows == 0 {
            Index::create(store, &self.options)?;
        } else {
            let options = effective(self.options, self.rows);
            host.phase(Phase::Clustering);
            let mut source = self.spilled.take();
            let sample = self.sample(&options, &mut source, host)?;
            let setting = Setting {
                threads: self.resources.threads,
                seed: self.options.seed,
                memory: &self.memory,
                host,
            };
            let (clustered, codebook) = learn(options, &sample, &setting)?;
            let of_list = shares(&clustered, &sample, source.is_some(), &self.memory)?;
            drop(sample);
            let groups = clustered.groups;
            let quantiser = quantiser(options, clustered.centres, codebook)?;
            let _centres = self.memory.charge(quantiser.centres.count() * quantiser.centres.held_each());
            let bulk = begin(store)?;
            let mut writer = Writer::new(bulk, &quantiser, self.records.layout, store.now(), host);
            let finder = Finder::new(&quantiser.centres, &groups, &self.memory)?;
            let quantiser = &quantiser;
            host.phase(Phase::Assigning);
            match source {
                Some(file) => self.write_spilled(file, &of_list, (quantiser, finder), &mut writer, host)?,
                None => self.write_held((quantiser, finder), &mut writer, host)?,
            }
            let (directory, rows, error) = writer.finish()?;
            meta.codes = quantiser.options.codes;
            meta.lists = quantiser.centres.count() as u32;
            meta.directory = Some(directory);
            (meta.rows, meta.built_rows) = (rows, rows);
            meta.built_error = error / rows.max(1) as f64;
            end(store, &meta)?;
        }
        Ok(Built {
            rows: self.rows,
            lists: meta.lists as usize,
            codes: meta.codes,
            pages: store.len(),
            spilled,
            memory: self.memory.peak(),
        })
    }

    /// Rows for k-means, evenly spread.
    fn sample(&self, options: &Options, source: &mut Option<T::File>, host: &impl Host) -> Result<Sample> {
        let used = if source.is_some() { 0 } else { self.memory.used() };
        let count = sample_size(options, self.rows, self.resources.memory.saturating_sub(used))?;
        let mut sample = Sample::new(options.metric, centre_len(options), &self.memory);
        sample.reserve(count)?;
        let (space, mut point) = (options.space(), Vec::new());
        let layout = self.records.layout;
        let mut wanted = spread(self.rows as usize, count);
        let Some(file) = source else {
            for row in wanted {
                host.go_on()?;
                let value = self.scorer.value(layout.payload(self.records.get(row)))?;
                take(&mut sample, &value, &space, &mut point)?;
            }
            return Ok(sample);
        };
        file.rewind()?;
        let (mut record, mut next) = (vec![0u64; layout.stride / 8], wanted.next());
        for row in 0.. {
            if !read_whole(file, zerocopy::IntoBytes::as_mut_bytes(record.as_mut_slice()))? {
                break;
            }
            if next == Some(row) {
                host.go_on()?;
                next = wanted.next();
                let record = zerocopy::IntoBytes::as_bytes(record.as_slice());
                let value = self.scorer.value(layout.payload(record))?;
                take(&mut sample, &value, &space, &mut point)?;
            }
        }
        Ok(sample)
    }

    fn write_held<B: BulkWriter, H: Host>(
        &mut self,
        (quantiser, finder): (&Quantiser, Finder<'_>),
        writer: &mut Writer<'_, B, H>,
        host: &H,
    ) -> Result<()> {
        let layout = self.records.layout;
        let assigner = Assigner { quantiser, finder, layout, threads: self.resources.threads };
        for (n, chunk) in self.records.as_mut_bytes().chunks_mut(CHUNK * layout.stride).enumerate() {
            assigner.assign(chunk, host)?;
            host.linked(n * CHUNK + chunk.len() / layout.stride);
        }
        host.phase(Phase::Writing);
        write_grouped(&self.records, 0..quantiser.centres.count(), writer, &self.memory)
    }

    fn write_spilled<B: BulkWriter, H: Host>(
        &mut self,
        mut file: T::File,
        of_list: &[u32],
        (quantiser, finder): (&Quantiser, Finder<'_>),
        writer: &mut Writer<'_, B, H>,
        host: &H,
    ) -> Result<()> {
        let layout = self.records.layout;
        let part = self.resources.memory / 2;
        let bytes = self.rows * layout.stride as u64;
        let mut partitions = Partitions::new(&mut self.scratch, of_list, bytes, layout, part)?;
        {
            let assigner = Assigner { quantiser, finder, layout, threads: self.resources.threads };
            let count = (part / 2 / layout.stride).clamp(1, CHUNK);
            let mut chunk = Records::zeroed(layout, count, &self.memory)?;
            let mut done = 0;
            file.rewind()?;
            loop {
                let read = file.read(chunk.as_mut_bytes())?;
                if read == 0 {
                    break;
                }
                let records = &mut chunk.as_mut_bytes()[..read / layout.stride * layout.stride];
                assigner.assign(records, host)?;
                partitions.take(records)?;
                done += records.len() / layout.stride;
                host.linked(done);
            }
        }
        drop(file);
        host.phase(Phase::Writing);
        partitions.write(writer, part, &self.memory)
    }
}

/// Rows that are assigned between two reports.
const CHUNK: usize = 8192;

/// How many members of the sample each list has, where that is needed.
fn shares(clustered: &Clustered, sample: &Sample, needed: bool, memory: &Memory) -> Result<Vec<u32>> {
    let mut of_list = vec![0; clustered.centres.count()];
    if needed {
        let (finder, mut order) = (Finder::new(&clustered.centres, &clustered.groups, memory)?, Vec::new());
        // Some are enough to know which lists are long.
        let places: Vec<_> = spread(sample.count(), 16 * of_list.len()).map(|row| sample.get(row)).collect();
        finder.nearest(&places, &mut order, |_, list| of_list[list as usize] += 1);
    }
    Ok(of_list)
}

/// Begins to write: the meta page comes first, and gets its item last, so that an index that was not finished does not open.
fn begin<S: PageStore>(store: &S) -> Result<S::Bulk<'_>> {
    let mut bulk = store.bulk()?;
    let mut page = Page::zeroed();
    page.init(META);
    match bulk.append(&page)? {
        META_BLOCK => Ok(bulk),
        block => Err(Error::corrupt(block, "the first page of a new index is taken")),
    }
}

fn end<S: PageStore>(store: &S, meta: &Meta) -> Result<()> {
    let mut txn = store.begin();
    let slot = txn.lock(META_BLOCK)?;
    let added = txn.page_mut(slot).add(&meta.to_bytes()).at(META_BLOCK)?;
    if added != Some(META_ITEM) {
        return Err(Error::corrupt(META_BLOCK, "the meta page of a new index is taken"));
    }
    Ok(txn.commit()?)
}
