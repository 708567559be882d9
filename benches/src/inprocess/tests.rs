//! The protocol with shells in the runner's place, and the runner itself where a Python with the libraries is named.

use super::*;
use crate::data::{Dataset, Truth};
use crate::judge::quality;
use std::fs;
use std::path::PathBuf;

const HELLO: &str = r#"echo '{"ok": {"version": "1.2", "python": "3.9", "threads": 4, "simd": null}}'"#;

/// A runner that says hello, then does what the script says.
fn fake(script: &str) -> Result<InProcess> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{HELLO}\n{script}"));
    InProcess::run(command, Library::Hnswlib)
}

/// A runner that answers every request alike.
fn answering(reply: &str) -> InProcess {
    fake(&format!("while read -r line; do echo '{reply}'; done")).unwrap()
}

fn complaint<T>(result: Result<T>) -> String {
    format!("{:#}", result.err().unwrap())
}

fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|&(key, value)| (key.into(), value.into())).collect()
}

#[test]
fn a_runner_introduces_itself() {
    let runner = fake("cat > /dev/null").unwrap();
    assert_eq!(runner.version(), "1.2");
    assert_eq!(
        runner.hello(),
        &Hello { version: "1.2".into(), python: "3.9".into(), threads: 4, simd: None }
    );
}

#[test]
fn requests_are_lines_that_the_runner_knows() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let replies = r#"{"ok": {"seconds": 1.5, "bytes": 7, "peak_rss_bytes": null}}
{"ok": 2}
{"ok": {"found": [[3, 1], [2]], "seconds": [0.25, 0.5], "wall": 1.0}}"#;
    let script = replies
        .lines()
        .map(|reply| format!("read -r line; printf '%s\\n' \"$line\" >> '{}'; echo '{reply}'", log.display()))
        .collect::<Vec<_>>()
        .join("\n");
    let mut runner = fake(&script).unwrap();
    let figures = runner.build(Path::new("a.npy"), Metric::Cosine, "hnsw", &options(&[("m", "16")])).unwrap();
    assert_eq!(figures, BuildFigures { seconds: 1.5, bytes: 7, peak_rss_bytes: None });
    runner.load_queries(Path::new("q.npy"), 5).unwrap();
    let answers = runner.search(2, "40", 3).unwrap();
    assert_eq!((answers.queries, answers.found), (vec![0, 1], vec![vec![3, 1], vec![2]]));
    assert_eq!((answers.seconds, answers.wall), (vec![0.25, 0.5], 1.0));
    drop(runner);
    assert_eq!(
        fs::read_to_string(log).unwrap().lines().collect::<Vec<_>>(),
        [
            r#"{"build":{"rows":"a.npy","metric":"<=>","method":"hnsw","options":{"m":"16"}}}"#,
            r#"{"load_queries":{"path":"q.npy","count":5}}"#,
            r#"{"search":{"k":2,"value":40,"threads":3}}"#,
        ]
    );
}

#[test]
fn what_goes_wrong_is_said() {
    let build =
        |runner: &mut InProcess| runner.build(Path::new("a.npy"), Metric::L2, "hnsw", &BTreeMap::new());
    let mut refusing = answering(r#"{"error": "ValueError: no"}"#);
    for _ in 0..2 {
        assert_eq!(complaint(build(&mut refusing)), "hnswlib cannot build hnsw over a.npy: ValueError: no");
    }
    assert!(complaint(refusing.search(1, "many", 1)).contains("\"many\" is no whole number"));
    assert!(complaint(refusing.search(1, "1", 0)).contains("needs a thread"));

    assert!(complaint(build(&mut answering("hello"))).contains("is not understood: hello"));
    let dying = complaint(build(&mut fake("read -r line; exit 3").unwrap()));
    assert!(dying.contains("the runner ended (exit status: 3)"), "{dying}");
    // Dead before it is asked.
    let mut dead = fake("exit 4").unwrap();
    dead.pipe.process.wait().unwrap();
    assert!(complaint(build(&mut dead)).contains("exit status: 4"));

    let mut short = answering(r#"{"ok": 3}"#);
    short.load_queries(Path::new("q.npy"), 3).unwrap();
    short.pipe = answering(r#"{"ok": {"found": [[1]], "seconds": [0.1], "wall": 0.1}}"#).pipe;
    assert!(complaint(short.search(1, "1", 1)).contains("answered 1 of 3 queries"));
}

#[test]
fn a_python_that_cannot_serve_is_named() {
    let mut command = Command::new("sh");
    command.arg("-c").arg(r#"echo '{"missing": "faiss"}'"#);
    let missing = complaint(InProcess::run(command, Library::Faiss));
    assert!(missing.contains("no module faiss") && missing.contains("requirements.txt"), "{missing}");
    let nowhere = complaint(InProcess::start(Path::new("/nowhere/python"), Library::Faiss));
    assert!(nowhere.contains("cannot measure faiss with /nowhere/python: cannot run"), "{nowhere}");
}

/// A data set in files, and what a library should answer.
struct Bed {
    folder: tempfile::TempDir,
    data: Dataset,
}

const K: usize = 10;
const QUERIES: usize = 50;

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = Dataset::generate(2000, QUERIES + 5, 24, 3).unwrap();
        data.write_npy(&folder.path().join("rows.npy")).unwrap();
        data.write_queries_npy(&folder.path().join("queries.npy")).unwrap();
        Self { folder, data }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Builds, searches narrowly and widely, and holds the answers against exact ones.
    fn measure(
        &self,
        runner: &mut InProcess,
        method: &str,
        metric: Metric,
        given: &[(&str, &str)],
        values: [&str; 2],
    ) {
        let figures = runner.build(&self.file("rows.npy"), metric, method, &options(given)).unwrap();
        assert!(figures.seconds > 0.0 && figures.bytes > 2000 * 24 * 4, "{figures:?}");
        assert_eq!(figures.peak_rss_bytes.is_some(), cfg!(target_os = "linux"));
        runner.load_queries(&self.file("queries.npy"), QUERIES).unwrap();
        let [narrow, wide] = values.map(|value| runner.search(K, value, 1).unwrap());
        let truth = Truth::compute(&self.data, metric, K, None, &|_, _| ()).unwrap();
        let recalls =
            [&narrow, &wide].map(|answers| quality(answers, &self.data, metric, &truth, K).unwrap().recall);
        assert!(recalls[0] < recalls[1] && recalls[1] > 0.98, "{method} {metric:?}: {recalls:?}");
        assert_eq!((wide.found.len(), wide.seconds.len()), (QUERIES, QUERIES));
        assert!(wide.wall >= wide.seconds.iter().sum(), "one thread asks one query at a time");
        assert_eq!(runner.search(K, values[1], 3).unwrap().found, wide.found);
        // More threads than queries.
        assert_eq!(runner.search(K, values[1], QUERIES + 1).unwrap().found, wide.found);
    }
}

/// The Python to test with, which CI and most machines do not have.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("KITE_BENCH_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("SKIPPED: set KITE_BENCH_PYTHON to a Python with numpy, hnswlib and faiss");
    }
    python
}

#[test]
fn hnswlib_searches() {
    let Some(python) = python() else { return };
    let bed = Bed::new();
    let mut runner = InProcess::start(&python, Library::Hnswlib).unwrap();
    assert_eq!(runner.hello().threads, std::thread::available_parallelism().unwrap().get());
    assert!(complaint(runner.load_queries(&bed.file("queries.npy"), 1)).contains("index must be built"));
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        bed.measure(&mut runner, "hnsw", metric, &[("m", "8"), ("ef_construction", "40")], ["10", "800"]);
    }
    let mut refused = |metric, method, given: &[(&str, &str)]| {
        complaint(runner.build(&bed.file("rows.npy"), metric, method, &options(given)))
    };
    assert!(refused(Metric::L1, "hnsw", &[]).contains("hnswlib has no metric <+>"));
    assert!(refused(Metric::L2, "ivfflat", &[]).contains("hnswlib has hnsw, not ivfflat"));
    assert!(
        refused(Metric::L2, "hnsw", &[("n", "1")])
            .contains("no option is called n; there are: m, ef_construction")
    );
    assert!(complaint(runner.search(K, "10", 1)).contains("queries must be loaded"));
}

#[test]
fn faiss_searches() {
    let Some(python) = python() else { return };
    let bed = Bed::new();
    let mut runner = InProcess::start(&python, Library::Faiss).unwrap();
    assert!(runner.hello().simd.is_some());
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        bed.measure(&mut runner, "hnsw", metric, &[("m", "8"), ("ef_construction", "40")], ["10", "800"]);
        bed.measure(&mut runner, "ivfflat", metric, &[("lists", "20")], ["1", "20"]);
    }
    let rows = bed.file("rows.npy");
    let refused = complaint(runner.build(&rows, Metric::L2, "ivfflat", &options(&[])));
    assert!(refused.contains("the option lists must be given"), "{refused}");
    let unread = complaint(runner.build(&bed.file("none.npy"), Metric::L2, "hnsw", &options(&[])));
    assert!(unread.contains("FileNotFoundError"), "{unread}");
}
