//! Rows that do not fit memory: files of records, each of a range of lists.

use super::records::{Layout, Records};
use super::write::Writer;
use crate::Result;
use kite_build::memory::{Counted, Memory};
use kite_build::{Host, Scratch, ScratchFile, read_whole};
use kite_pages::BulkWriter;
use std::ops::Range;

/// Files at most: each has a buffer of its own.
const MOST: usize = 64;

/// The files.
#[derive(Debug)]
pub(super) struct Partitions<F> {
    files: Vec<F>,
    /// The lists of each.
    ranges: Vec<Range<usize>>,
    /// Rows of each list.
    counts: Vec<u64>,
    layout: Layout,
}

impl<F: ScratchFile> Partitions<F> {
    /// For lists of which so many members of a sample are of each, and rows that take `bytes` in all.
    pub(super) fn new<T: Scratch<File = F>>(
        scratch: &mut T,
        of_list: &[u32],
        bytes: u64,
        layout: Layout,
        part: usize,
    ) -> Result<Self> {
        let wanted = (bytes / part.max(1) as u64 + 1).min(MOST as u64) as usize;
        let total: u64 = of_list.iter().map(|&count| u64::from(count) + 1).sum();
        let (mut ranges, mut begin, mut sum) = (Vec::new(), 0, 0);
        for (list, &count) in of_list.iter().enumerate() {
            sum += u64::from(count) + 1;
            if sum * wanted as u64 >= total * (ranges.len() as u64 + 1) {
                ranges.push(begin..list + 1);
                begin = list + 1;
            }
        }
        if begin < of_list.len() {
            ranges.push(begin..of_list.len());
        }
        let files = ranges.iter().map(|_| scratch.file()).collect::<Result<Vec<F>, _>>()?;
        Ok(Self { files, ranges, counts: vec![0; of_list.len()], layout })
    }

    /// Takes records that are assigned.
    pub(super) fn take(&mut self, records: &[u8]) -> Result<()> {
        for record in records.chunks_exact(self.layout.stride) {
            let list = self.layout.list(record) as usize;
            let file = self.ranges.partition_point(|range| range.end <= list);
            self.files[file].append(record)?;
            self.counts[list] += 1;
        }
        Ok(())
    }

    /// Writes all lists, holding no more than about `part` bytes of rows at a time. A list that is longer goes from its file
    /// straight to the pages.
    pub(super) fn write<B: BulkWriter, H: Host>(
        mut self,
        writer: &mut Writer<'_, B, H>,
        part: usize,
        memory: &Memory,
    ) -> Result<()> {
        let most = (part / self.layout.stride).max(1) as u64;
        for (file, lists) in self.files.iter_mut().zip(&self.ranges) {
            let mut begin = lists.start;
            while begin < lists.end {
                let (mut end, mut count) = (begin, 0);
                while end < lists.end && (end == begin || count + self.counts[end] <= most) {
                    count += self.counts[end];
                    end += 1;
                }
                file.rewind()?;
                if count > most {
                    stream(file, self.layout, begin, writer)?;
                } else {
                    let records = load(file, self.layout, begin..end, count as usize, memory)?;
                    write_grouped(&records, begin..end, writer, memory)?;
                }
                begin = end;
            }
        }
        Ok(())
    }
}

/// Reads the records of some lists.
fn load(
    file: &mut impl ScratchFile,
    layout: Layout,
    lists: Range<usize>,
    count: usize,
    memory: &Memory,
) -> Result<Records> {
    let mut records = Records::zeroed(layout, count, memory)?;
    let mut spare = vec![0; layout.stride];
    let mut slots = records.as_mut_bytes().chunks_exact_mut(layout.stride);
    while read_whole(file, &mut spare)? {
        if lists.contains(&(layout.list(&spare) as usize))
            && let Some(slot) = slots.next()
        {
            slot.copy_from_slice(&spare);
        }
    }
    Ok(records)
}

/// Writes one list in the order of its rows.
fn stream<B: BulkWriter, H: Host>(
    file: &mut impl ScratchFile,
    layout: Layout,
    list: usize,
    writer: &mut Writer<'_, B, H>,
) -> Result<()> {
    // Payloads are read where they lie, so they begin where numbers of any kind may.
    let mut words = vec![0u64; layout.stride / 8];
    while read_whole(file, zerocopy::IntoBytes::as_mut_bytes(words.as_mut_slice()))? {
        let record = zerocopy::IntoBytes::as_bytes(words.as_slice());
        if layout.list(record) as usize == list {
            writer.add(record)?;
        }
    }
    writer.end_list()
}

/// How many records before it is written one is fetched: they lie anywhere.
const AHEAD: usize = 4;

/// Writes lists whose records are in memory.
pub(super) fn write_grouped<B: BulkWriter, H: Host>(
    records: &Records,
    lists: Range<usize>,
    writer: &mut Writer<'_, B, H>,
    memory: &Memory,
) -> Result<()> {
    let layout = records.layout;
    // Records are long, so that each is looked at once for all.
    let mut list_of = Counted::filled(memory, records.len(), || 0u32)?;
    let mut starts = vec![0; lists.len() + 1];
    for (row, list) in list_of.iter_mut().enumerate() {
        *list = layout.list(records.get(row)) - lists.start as u32;
        starts[*list as usize + 1] += 1;
    }
    (0..lists.len()).for_each(|list| starts[list + 1] += starts[list]);
    // The order of rows within a list stays.
    let mut order = Counted::filled(memory, records.len(), || 0u32)?;
    for (row, &list) in list_of.iter().enumerate() {
        let place = &mut starts[list as usize];
        order[*place] = row as u32;
        *place += 1;
    }
    drop(list_of);
    // By now each place is where the list ends.
    let mut first = 0;
    for &end in &starts[..lists.len()] {
        for place in first..end {
            if let Some(&row) = order.get(place + AHEAD) {
                let record = records.get(row as usize);
                kite_kernels::prefetch(record.as_ptr(), record.len());
            }
            writer.add(records.get(order[place] as usize))?;
        }
        first = end;
        writer.end_list()?;
    }
    Ok(())
}
