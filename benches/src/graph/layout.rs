//! What all layouts of a graph have in common, and how they are named.

use super::ivf;
use anyhow::{Context, Error, Result, bail, ensure};
use kite_codecs::PayloadKind;
use kite_ivf::Codes;
use std::fmt;
use std::str::FromStr;

/// A graph laid out in some way, with all that a search in it needs.
pub(super) trait Layout {
    /// The nearest rows to the n-th query of the set, nearest first, found with a beam of `ef`. Answers what was looked at
    /// besides the index.
    fn search(&mut self, query: usize, ef: usize, found: &mut Vec<i64>) -> Result<Fetches>;

    /// Pages of the index read since the last call.
    fn take_reads(&self) -> u64 {
        0
    }

    /// Bytes of the index.
    fn bytes(&self) -> u64;
}

/// Rows of the table that a search looked at to put its answer in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fetches {
    pub(super) rows: u64,
    /// Pages of table and TOAST that they lie on.
    pub(super) pages: u64,
}

/// Which layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Vectors and links in arrays, without pages.
    Flat,
    /// Pages as pgvector has them, so many of which are read together.
    Pgvector { together: usize },
    /// Pages of kite-hnsw, as the default of everything but these.
    Kite { payload: PayloadKind, codes: u8, width: usize },
    /// Pages of kite-ivf; `epsilon` in hundredths.
    Ivf { kind: ivf::Kind, epsilon: u32 },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat => f.write_str("flat"),
            Self::Pgvector { together: 1 } => f.write_str("pgvector"),
            Self::Pgvector { together } => write!(f, "pgvector,together={together}"),
            Self::Kite { payload, codes, width } => {
                write!(f, "kite,payload={payload},codes={codes},width={width}")
            }
            Self::Ivf { kind, epsilon } => write!(f, "{kind},epsilon={}", f64::from(*epsilon) / 100.0),
        }
    }
}

/// One or several layouts: `flat`, `pgvector[,together=N]`, `kite[,payload=…][,codes=…][,width=…]`,
/// `ivf[,lists=N][,codes=…][,payload=…][,epsilon=…]`, where alternatives are separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways(pub(super) Vec<Way>);

impl Ways {
    /// All of several, none of them twice.
    pub(super) fn all(given: &[Self]) -> Result<Vec<Way>> {
        let ways: Vec<Way> = given.iter().flat_map(|ways| ways.0.iter().copied()).collect();
        for (n, way) in ways.iter().enumerate() {
            ensure!(!ways[..n].contains(way), "the layout {way} is given twice");
        }
        Ok(ways)
    }
}

impl FromStr for Ways {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let mut given = Vec::new();
        for part in parts {
            let (key, values) = part.split_once('=').context("give options as NAME=VALUE")?;
            given.push((key, values));
        }
        let (ways, known): (Vec<Way>, &[&str]) = match name {
            "flat" => (vec![Way::Flat], &[]),
            "pgvector" => {
                let together = alternatives(&given, "together", "1")?;
                (together.into_iter().map(|together| Way::Pgvector { together }).collect(), &["together"])
            }
            "kite" => (kite(&given)?, &["payload", "codes", "width"]),
            "ivf" => (lists(&given)?, &["lists", "codes", "payload", "epsilon"]),
            other => bail!("there is no layout {other}: flat, pgvector, kite, ivf"),
        };
        for (key, _) in &given {
            ensure!(known.contains(key), "{name} has no option {key}");
        }
        Ok(Self(ways))
    }
}

fn kite(given: &[(&str, &str)]) -> Result<Vec<Way>> {
    let mut ways = Vec::new();
    for Payload(payload) in alternatives(given, "payload", "sq8")? {
        for codes in alternatives(given, "codes", "1")? {
            for width in alternatives(given, "width", "4")? {
                ensure!(codes <= 2 && width > 0, "codes are of 0, 1 or 2 bits, and the width is at least 1");
                ways.push(Way::Kite { payload, codes, width });
            }
        }
    }
    Ok(ways)
}

fn lists(given: &[(&str, &str)]) -> Result<Vec<Way>> {
    let mut ways = Vec::new();
    for lists in alternatives(given, "lists", "0")? {
        for IvfCodes(codes) in alternatives(given, "codes", "rabitq1")? {
            for IvfPayload(payload) in alternatives(given, "payload", "sq8")? {
                for epsilon in alternatives::<f64>(given, "epsilon", "1.9")? {
                    let kind = ivf::Kind { lists, codes, payload };
                    ways.push(Way::Ivf { kind, epsilon: (100.0 * epsilon).round() as u32 });
                }
            }
        }
    }
    Ok(ways)
}

fn alternatives<T: FromStr>(given: &[(&str, &str)], wanted: &str, usual: &str) -> Result<Vec<T>> {
    let values = given.iter().find(|(key, _)| *key == wanted).map_or(usual, |(_, values)| values);
    let parse = |value: &str| value.parse().ok().with_context(|| format!("{wanted} cannot be {value}"));
    values.split('/').map(parse).collect()
}

struct Payload(PayloadKind);

impl FromStr for Payload {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [PayloadKind::Sq8, PayloadKind::Half, PayloadKind::Full];
        let found = all.into_iter().find(|payload| payload.to_string() == text);
        found.map(Self).context("payloads are sq8, half and full")
    }
}

struct IvfPayload(kite_ivf::Payload);

impl FromStr for IvfPayload {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Self(match text {
            "full" => kite_ivf::Payload::Full,
            "half" => kite_ivf::Payload::Half,
            "sq8" => kite_ivf::Payload::Sq8,
            "none" => kite_ivf::Payload::None,
            _ => bail!("payloads are full, half, sq8 and none"),
        }))
    }
}

struct IvfCodes(Codes);

impl FromStr for IvfCodes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Self(match text {
            "none" => Codes::None,
            "sq8" => Codes::Sq8,
            "rabitq1" => Codes::RabitQ { bits: 1 },
            "rabitq2" => Codes::RabitQ { bits: 2 },
            _ => {
                let pq = text
                    .strip_prefix("pq")
                    .context("codes are none, sq8, rabitq1, rabitq2 and pq[PARTSx]BITS")?;
                let (parts, bits) = pq.split_once('x').unwrap_or(("0", pq));
                Codes::Pq { parts: parts.parse()?, bits: bits.parse()? }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.parse::<Ways>().unwrap().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn alternatives_are_multiplied() {
        assert_eq!(names("flat"), ["flat"]);
        assert_eq!(names("pgvector,together=1/8"), ["pgvector", "pgvector,together=8"]);
        assert_eq!(
            names("kite,payload=sq8/full,width=2"),
            ["kite,payload=sq8,codes=1,width=2", "kite,payload=full,codes=1,width=2"]
        );
        assert_eq!(names("kite,payload=sq8/half/full,codes=0/1/2,width=1/2/4").len(), 27);
        assert_eq!(
            names("ivf,lists=250,codes=pq48x8/none"),
            [
                "ivf,lists=250,codes=pq48x8,payload=sq8,epsilon=1.9",
                "ivf,lists=250,codes=none,payload=sq8,epsilon=1.9"
            ]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "flat,m=1",
            "kite,codes=3",
            "kite,payload=pq",
            "kite,width",
            "pgvector,width=2",
            "ivf,codes=pq",
            "ivf,m=2",
        ] {
            assert!(bad.parse::<Ways>().is_err(), "{bad}");
        }
    }
}
