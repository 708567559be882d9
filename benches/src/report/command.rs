//! `report`: journals made into Markdown and pictures.

use super::gather::{Gathered, Section, gather};
use super::{ann, filter, graph, growth, head, pictures, upkeep};
use crate::record;
use anyhow::{Context, Result, ensure};
use clap::Args;
use kite_cluster::workspace_root;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What to report.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Journals that the other commands wrote (`target/bench/*.jsonl`)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the others are compared with: an arm, or how its name begins [default: pgvector:hnsw, else the first arm]
    #[arg(long, value_name = "ARM")]
    baseline: Option<String>,
    /// Where the report goes; its pictures go into a folder of that name without the ending [default: target/bench/report.md]
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
    /// A line for the head of the report, about what the journals do not know; may be given several times
    #[arg(long, value_name = "TEXT")]
    note: Vec<String>,
    /// First line of the report
    #[arg(long, default_value = "Results")]
    title: String,
}

/// Reports what a run has just written.
pub(crate) fn show(journals: &[PathBuf], baseline: Option<&str>) -> Result<()> {
    let (files, baseline) = (journals.to_vec(), baseline.map(Into::into));
    run(&Options { files, baseline, out: None, note: Vec::new(), title: "Results".into() })
}

/// Prints the report, and writes it beside its pictures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut notes = options.note.clone();
    let mut files = Vec::new();
    for file in &options.files {
        let (records, note) = record::read(file)?;
        notes.extend(note);
        files.push(records);
    }
    let mut all = gather(files)?;
    all.notes.extend(notes);
    let file = options.out.clone().unwrap_or_else(|| workspace_root().join("target/bench/report.md"));
    let folder = file.with_extension("");
    ensure!(folder != file, "--out is a file that ends in .md: {}", file.display());
    let beside = folder.file_name().unwrap_or_default().to_string_lossy();
    let text = markdown(&all, &options.title, options.baseline.as_deref(), &beside)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    pictures::write(&all, &folder)?;
    print!("{text}");
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// The whole report, whose pictures lie in `folder`.
pub(super) fn markdown(all: &Gathered, title: &str, baseline: Option<&str>, folder: &str) -> Result<String> {
    ensure!(!all.sections.is_empty(), "the journals describe no run: nothing was measured");
    if let Some(wanted) = baseline {
        let labels =
            || all.sections.iter().flat_map(|section| &section.entrants).map(|entrant| &entrant.label);
        let unable = || all.sections.iter().flat_map(|section| section.unable.keys());
        ensure!(
            labels().chain(unable()).any(|label| label.starts_with(wanted)),
            "no arm's name begins with {wanted:?}; there are: {}",
            labels().map(String::as_str).collect::<Vec<_>>().join(", ")
        );
    }
    let mut text = head::markdown(all, title);
    for section in &all.sections {
        let _ = writeln!(text, "\n## {}\n", heading(section));
        text += &head::arms(section);
        let parts = [
            ann::markdown(section, baseline),
            graph::markdown(section),
            upkeep::builds(section, baseline),
            upkeep::inserts(section, baseline),
            upkeep::updates(section, baseline),
            upkeep::vacuums(section),
            filter::markdown(section),
            upkeep::colds(section),
        ];
        for part in parts.iter().filter(|part| !part.is_empty()) {
            text.push('\n');
            text += part;
        }
        for picture in pictures::of(section) {
            let _ = writeln!(text, "\n![{}]({folder}/{}.svg)", picture.title(), picture.name());
        }
    }
    text += &growth::markdown(all);
    Ok(text)
}

/// What a section is about.
pub(super) fn heading(section: &Section) -> String {
    let data = &section.data;
    format!("{}: {} × {}, {}, k = {}", data.name, data.rows, data.dims, metric(section), section.k)
}

/// The metric in a word, which file names can have too.
pub(super) fn metric(section: &Section) -> &str {
    match section.data.metric.as_str() {
        "<->" => "l2",
        "<#>" => "ip",
        "<=>" => "cosine",
        "<+>" => "l1",
        "<~>" => "hamming",
        "<%>" => "jaccard",
        other => other,
    }
}
