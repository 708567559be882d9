//! What competes in a run: an engine, one of its indexes with options, and the parameter that is swept.

use super::known::{KNOWN, Kind, Method, Style, kind};
use crate::metric::Column;
use anyhow::{Context, Error, Result, bail, ensure};
use std::fmt;
use std::str::FromStr;

/// The value that leaves a swept setting as the engine has it.
pub(crate) const DEFAULT: &str = "default";

/// `ENGINE:METHOD[,option=value…]`, for example
/// `pgvector:hnsw,m=16,hnsw.iterative_scan=strict_order,sweep=20/40/80`.
///
/// A key with a dot in it is a session setting, `sweep` lists the values of the parameter that trades recall for time
/// (`default` is the engine's own; of another one than usual as `sweep=vchordrq.epsilon:0.5/1/1.9`), `as` gives the arm another name, and any other key is an
/// option of the index. A value for each level of an index is written with `+`: `lists=70+4900,sweep=8+60/16+120`.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    pub(crate) kind: &'static Kind,
    pub(crate) method: &'static Method,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) session: Vec<(String, String)>,
    /// Settings that are swept together.
    pub(crate) swept: Vec<String>,
    /// Values that they get; one empty value where there are none.
    pub(crate) values: Vec<String>,
    name: Option<String>,
}

impl FromStr for Arm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let (engine, method) =
            head.split_once(':').context("give an arm as ENGINE:METHOD[,option=value…]")?;
        let names = |names: Vec<&str>| names.join(", ");
        let kind = kind(engine).with_context(|| {
            let known = names(KNOWN.iter().map(|kind| kind.name).collect());
            format!("no engine called {engine} is known; known are: {known}")
        })?;
        let method = kind.method(method).with_context(|| {
            let known = names(kind.methods.iter().map(|method| method.name).collect());
            format!("{engine} has no {method}; it has: {known}")
        })?;
        let mut arm = Self {
            kind,
            method,
            options: Vec::new(),
            session: Vec::new(),
            swept: Vec::new(),
            values: vec![String::new()],
            name: None,
        };
        if let Some(sweep) = &method.sweep {
            arm.swept = sweep.settings().map(Into::into).collect();
            arm.values = sweep.values.iter().map(|&value| value.into()).collect();
        }
        for part in parts {
            let (key, value) = part.split_once('=').with_context(|| format!("{part} is not option=value"))?;
            match key {
                "as" => arm.name = Some(value.into()),
                "sweep" => {
                    ensure!(method.sweep.is_some(), "{head} has no parameter to sweep");
                    let (setting, values) = value.rsplit_once(':').unwrap_or(("", value));
                    if !setting.is_empty() {
                        arm.swept = vec![setting.into()];
                    }
                    arm.values = values.split('/').map(|value| value.replace('+', ",")).collect();
                }
                _ if kind.in_process() && key.contains('.') => bail!("{engine} has no session settings"),
                _ if key.contains('.') => arm.session.push((key.into(), value.into())),
                _ => {
                    ensure!(method.access_method.is_some(), "{head} has no index and takes no options");
                    arm.options.push((key.into(), value.into()));
                }
            }
        }
        Ok(arm)
    }
}

/// The arm by its name in results.
impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        write!(f, "{}:{}", self.kind.name, self.method.name)?;
        self.options.iter().chain(&self.session).try_for_each(|(key, value)| write!(f, ",{key}={value}"))
    }
}

impl Arm {
    /// The arm with `lists=auto` turned into what the engine's documentation advises. pgvector's: a list for a thousand rows,
    /// above a million rows their square root. VectorChord's: a list for 500 rows, above two millions four times the square
    /// root.
    pub(crate) fn resolved(&self, rows: usize) -> Self {
        let mut arm = self.clone();
        let lists = match self.method.style {
            Style::Reloptions => (rows / 1000).min(rows.isqrt()),
            Style::Toml { .. } => (rows / 500).min(4 * rows.isqrt()),
        };
        for (key, value) in &mut arm.options {
            if key == "lists" && value == "auto" {
                *value = lists.max(1).to_string();
            }
        }
        arm.cap_probes();
        arm
    }

    /// There is nothing to see beyond all lists. An index of several levels is left alone.
    fn cap_probes(&mut self) {
        let lists = self.options.iter().find(|(key, _)| key == "lists").map(|(_, lists)| lists.clone());
        let probes = self.parameter().is_some_and(|setting| setting.ends_with("probes"));
        let Some(most) = lists.filter(|_| probes).and_then(|lists| lists.parse::<u64>().ok()) else { return };
        let beyond = |value: &String| value.parse::<u64>().is_ok_and(|probes| probes >= most);
        if self.values.iter().any(beyond) {
            self.values.retain(|value| !beyond(value));
            self.values.push(most.to_string());
        }
    }

    /// What each session sets.
    pub(crate) fn set_up(&self) -> Vec<String> {
        let quoted = |value: &str| value.replace('\'', "''");
        self.session.iter().map(|(name, value)| format!("SET {name} = '{}'", quoted(value))).collect()
    }

    /// The value for a bench that looks at one point: the only one that the caller named, else the usual one.
    pub(crate) fn steady(&self) -> &str {
        match (&self.values[..], &self.method.sweep) {
            ([only], _) => only,
            (values, Some(sweep)) if values.iter().any(|value| value == sweep.steady) => sweep.steady,
            (values, _) => values.get(values.len() / 2).map_or("", String::as_str),
        }
    }

    /// The same arm by another name.
    pub(crate) fn named(&self, name: String) -> Self {
        Self { name: Some(name), ..self.clone() }
    }

    /// What is swept, where anything is.
    pub(crate) fn parameter(&self) -> Option<&str> {
        self.swept.first().map(String::as_str)
    }

    /// Why the arm cannot compete on such a column, as far as that is known without asking the engine.
    pub(crate) fn unable(&self, column: Column) -> Option<String> {
        let Column { element, metric, .. } = column;
        let Arm { kind, method, .. } = self;
        if !method.elements.contains(&element) {
            Some(format!("{}:{} is not for {}", kind.name, method.name, element.sql()))
        } else if !method.metrics.contains(&metric) {
            Some(format!("{}:{} is not for {}", kind.name, method.name, metric.operator()))
        } else {
            None
        }
    }

    /// The CREATE INDEX statement on `table`, where the method has an index.
    pub(crate) fn create_index(&self, table: &str, column: Column) -> Option<String> {
        let access_method = self.method.access_method?;
        let key = match self.cast(column) {
            None => "embedding".into(),
            Some(cast) => format!("(embedding::{cast})"),
        };
        let opclass = self.method.opclass(column);
        let with = self.with();
        Some(format!("CREATE INDEX {table}_index ON {table} USING {access_method} ({key} {opclass}){with}"))
    }

    /// The type that the column is cast to, where it is.
    fn cast(&self, column: Column) -> Option<String> {
        self.method.cast.map(|element| Column { element, ..column }.sql())
    }

    fn with(&self) -> String {
        if self.options.is_empty() {
            return String::new();
        }
        match self.method.style {
            Style::Reloptions => {
                let options: Vec<String> = self
                    .options
                    .iter()
                    .map(|(key, value)| format!("{key} = '{}'", value.replace('\'', "''")))
                    .collect();
                format!(" WITH ({})", options.join(", "))
            }
            Style::Toml { internal } => {
                let (inner, outer): (Vec<_>, Vec<_>) =
                    self.options.iter().partition(|(key, _)| internal.contains(&key.as_str()));
                let line = |(key, value): &(String, String)| match key.as_str() {
                    // The number of lists on each level, from the top.
                    "lists" => format!("lists = [{}]", value.replace('+', ", ")),
                    _ => format!("{key} = {value}"),
                };
                let mut lines: Vec<String> = outer.into_iter().map(line).collect();
                if !inner.is_empty() {
                    lines.push("[build.internal]".into());
                    lines.extend(inner.into_iter().map(line));
                }
                format!(" WITH (options = $$\n{}\n$$)", lines.join("\n"))
            }
        }
    }

    /// The searched-for order of `table`'s rows, of the parameter `$1`.
    pub(crate) fn order(&self, column: Column) -> String {
        let operator = column.metric.operator();
        match self.cast(column) {
            None => format!("embedding {operator} $1"),
            Some(cast) => format!("embedding::{cast} {operator} $1::{cast}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Element, Metric};

    fn arm(text: &str) -> Arm {
        text.parse().unwrap()
    }

    fn column(dims: usize, metric: Metric) -> Column {
        Column { element: Element::Vector, dims, metric }
    }

    #[test]
    fn an_arm_names_an_index_and_a_sweep() {
        let hnsw = arm("pgvector:hnsw,m=24,hnsw.iterative_scan=strict_order,sweep=20/40");
        assert_eq!(hnsw.values, ["20", "40"]);
        assert_eq!(hnsw.to_string(), "pgvector:hnsw,m=24,hnsw.iterative_scan=strict_order");
        assert_eq!(hnsw.session, [("hnsw.iterative_scan".to_owned(), "strict_order".to_owned())]);
        assert_eq!(
            hnsw.create_index("items", column(3, Metric::Cosine)).unwrap(),
            "CREATE INDEX items_index ON items USING hnsw (embedding vector_cosine_ops) WITH (m = '24')"
        );
        assert_eq!(arm("pgvector:hnsw,as=theirs").to_string(), "theirs");
        let exact = arm("pgkite:exact");
        assert_eq!((exact.parameter(), exact.values.len()), (None, 1));
        assert_eq!(exact.create_index("items", column(3, Metric::L2)), None);
    }

    #[test]
    fn a_cast_is_indexed_and_searched() {
        let half = arm("pgvector:halfvec");
        let index = half.create_index("t", column(384, Metric::L2)).unwrap();
        assert!(index.ends_with("USING hnsw ((embedding::halfvec(384)) halfvec_l2_ops)"), "{index}");
        assert_eq!(half.order(column(384, Metric::L2)), "embedding::halfvec(384) <-> $1::halfvec(384)");
    }

    #[test]
    fn what_an_arm_is_not_for_is_known() {
        let unable = |text: &str, element, metric| arm(text).unable(Column { element, dims: 9, metric });
        assert_eq!(unable("pgvector:hnsw", Element::Bit, Metric::Jaccard), None);
        assert_eq!(unable("pgkite:exact", Element::Sparsevec, Metric::L1), None);
        for (text, element, metric, why) in [
            ("pgvector:ivfflat", Element::Vector, Metric::L1, "pgvector:ivfflat is not for <+>"),
            ("pgvector:ivfflat", Element::Sparsevec, Metric::L2, "pgvector:ivfflat is not for sparsevec"),
            ("pgvector:halfvec", Element::Halfvec, Metric::L2, "pgvector:halfvec is not for halfvec"),
            ("hnswlib:hnsw", Element::Bit, Metric::Hamming, "hnswlib:hnsw is not for bit"),
        ] {
            assert_eq!(unable(text, element, metric).as_deref(), Some(why));
        }
    }

    #[test]
    fn columns_of_other_types_are_indexed_and_searched_as_they_are() {
        let bits = Column { element: Element::Bit, dims: 1024, metric: Metric::Hamming };
        let hnsw = arm("pgvector:hnsw");
        let index = hnsw.create_index("t", bits).unwrap();
        assert!(index.ends_with("USING hnsw (embedding bit_hamming_ops)"), "{index}");
        assert_eq!(hnsw.order(bits), "embedding <~> $1");
    }

    #[test]
    fn toml_options() {
        let vchord = arm("vchord:vchordrq,lists=70+4900,residual_quantization=true,build_threads=2");
        let index = vchord.create_index("t", column(3, Metric::L2)).unwrap();
        let expected = "WITH (options = $$\nresidual_quantization = true\n[build.internal]\nlists = [70, 4900]\nbuild_threads = 2\n$$)";
        assert!(index.ends_with(expected), "{index}");
    }

    #[test]
    fn another_setting_can_be_swept() {
        let other = arm("vchord:vchordrq,sweep=vchordrq.epsilon:0.5/1");
        assert_eq!(
            (other.parameter(), &other.values[..]),
            (Some("vchordrq.epsilon"), &["0.5".into(), "1".into()][..])
        );
        assert_eq!(other.steady(), "1");
        assert_eq!(arm("pgvector:hnsw").steady(), "40");
        assert_eq!(arm("pgvector:hnsw,sweep=33").steady(), "33");
    }

    #[test]
    fn probes_end_with_the_lists() {
        let values = |text: &str| arm(text).resolved(61_440).values.join(" ");
        assert_eq!(values("pgvector:ivfflat,lists=6"), "1 2 4 6");
        assert_eq!(values("pgvector:ivfflat,lists=1000,sweep=1/5"), "1 5");
        assert_eq!(values("vchord:vchordrq,lists=3+9,sweep=1+2/2+9"), "1,2 2,9");
    }

    #[test]
    fn lists_follow_the_rows() {
        let lists = |rows| arm("pgvector:ivfflat,lists=auto").resolved(rows).to_string();
        assert_eq!(lists(61_440), "pgvector:ivfflat,lists=61");
        assert_eq!(lists(4_000_000), "pgvector:ivfflat,lists=2000");
        let theirs = arm("vchord:vchordrq,lists=auto").resolved(200_000);
        assert_eq!(theirs.options, [("lists".to_owned(), "400".to_owned())]);
        assert_eq!(lists(5), "pgvector:ivfflat,lists=1");
        assert_eq!(arm("pgvector:hnsw,hnsw.x=a'b").set_up(), ["SET hnsw.x = 'a''b'"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bad, complaint) in [
            ("pgvector", "ENGINE:METHOD"),
            ("milvus:hnsw", "known are: pgkite, "),
            ("pgvector:diskann", "it has: hnsw, "),
            ("pgvector:hnsw,m", "option=value"),
            ("pgkite:exact,m=3", "no options"),
            ("pgkite:exact,sweep=3", "no parameter"),
            ("hnswlib:hnsw,a.b=3", "no session settings"),
        ] {
            let error = bad.parse::<Arm>().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
