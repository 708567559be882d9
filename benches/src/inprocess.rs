//! Stub, replaced by the merge.
use crate::metric::Metric;
use crate::sessions::Answers;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
pub(crate) enum Library {
    Hnswlib,
    Faiss,
}
pub(crate) struct InProcess;
pub(crate) struct BuildFigures {
    pub(crate) seconds: f64,
    pub(crate) bytes: u64,
    pub(crate) peak_rss_bytes: Option<u64>,
}
impl InProcess {
    pub(crate) fn start(_: &Path, _: Library) -> Result<Self> {
        bail!("not there")
    }
    pub(crate) fn version(&self) -> &str {
        ""
    }
    pub(crate) fn build(
        &mut self,
        _: &Path,
        _: Metric,
        _: &str,
        _: &BTreeMap<String, String>,
    ) -> Result<BuildFigures> {
        bail!("not there")
    }
    pub(crate) fn load_queries(&mut self, _: &Path, _: usize) -> Result<()> {
        bail!("not there")
    }
    pub(crate) fn search(&mut self, _: usize, _: &str, _: usize) -> Result<Answers> {
        bail!("not there")
    }
}
