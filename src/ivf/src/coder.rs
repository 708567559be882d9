//! The codes of an index, whichever they are.

use crate::format::Entries;
use crate::rough::RoughDesk;
use crate::{Codes, Error, Options, Result};
use kite_codecs::{
    CellCoder, CellDesk, CellQuery, Metric, PreparedQuery, ProductCoder, ProductQuery, Scorer, Value,
};

/// Makes codes, and reads them.
#[derive(Debug, Clone)]
pub(crate) enum Coder {
    /// The payload is scanned.
    None,
    Sq8(Box<Scorer>),
    Cell(CellCoder),
    Product(ProductCoder),
}

/// A query as the codes of one list see it.
#[derive(Debug, Clone)]
pub(crate) enum CodeQuery {
    None,
    Sq8(Box<PreparedQuery>),
    Cell(CellQuery),
    Product(ProductQuery),
}

/// Where a thread works.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk {
    pub(crate) point: Vec<f32>,
    pub(crate) rough: RoughDesk,
    residual: Vec<f32>,
}

impl Coder {
    /// Of settled options. `codebook` is that of `pq`.
    pub(crate) fn new(options: &Options, codebook: Vec<f32>) -> Result<Self> {
        Ok(match options.codes {
            Codes::None => Self::None,
            Codes::Sq8 => Self::Sq8(Box::new(Scorer::new(options.sq8_spec(), None)?)),
            Codes::RabitQ { bits } => {
                Self::Cell(CellCoder::new(options.metric, bits, options.space().len())?)
            }
            Codes::Pq { parts, bits } => Self::Product(ProductCoder::new(
                options.metric,
                options.dims,
                usize::from(parts),
                bits,
                codebook,
            )?),
        })
    }

    /// Appends code and factors of a vector, whose point the desk has, relative to a centroid.
    pub(crate) fn encode(
        &self,
        value: Value<'_>,
        desk: &mut Desk,
        centre: &[f32],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match self {
            Self::None => {}
            Self::Sq8(scorer) => scorer.encode(value, out)?,
            Self::Cell(coder) => coder.encode(&desk.point, centre, &mut desk.residual, out),
            Self::Product(coder) => coder.encode(&desk.point, centre, &mut desk.residual, out),
        }
        Ok(())
    }

    /// A query as it is before it turns to a list.
    pub(crate) fn prepare(&self, value: Value<'_>, point: &[f32]) -> Result<CodeQuery> {
        Ok(match self {
            Self::None => CodeQuery::None,
            Self::Sq8(scorer) => CodeQuery::Sq8(Box::new(scorer.prepare(Some(value))?)),
            Self::Cell(_) => CodeQuery::Cell(CellQuery::default()),
            Self::Product(coder) => {
                let mut query = ProductQuery::default();
                coder.prepare(point, &mut query);
                CodeQuery::Product(query)
            }
        })
    }

    /// Turns a query to the list of a centroid.
    pub(crate) fn turn_to(&self, point: &[f32], centre: &[f32], desk: &mut CellDesk, query: &mut CodeQuery) {
        match (self, query) {
            (Self::Cell(coder), CodeQuery::Cell(query)) => coder.prepare(point, centre, desk, query),
            (Self::Product(coder), CodeQuery::Product(query)) => coder.turn_to(point, centre, query),
            _ => {}
        }
    }

    /// Finds what the operator computes at least for each of the entries, as far as codes know: see [`CellCoder::at_least`].
    pub(crate) fn at_least(
        &self,
        query: &CodeQuery,
        entries: &Entries<'_>,
        epsilon: f32,
        out: &mut Estimates,
    ) -> Result<()> {
        let count = entries.tids.len();
        let (codes, factors) = (entries.bodies, entries.factors);
        out.values.clear();
        out.keys.clear();
        match (self, query) {
            (Self::Cell(coder), CodeQuery::Cell(query)) => {
                out.keys.resize(count, 0.0);
                coder.at_least(query, codes, factors, epsilon, &mut out.keys)?;
            }
            (Self::Product(coder), CodeQuery::Product(query)) => {
                out.keys.resize(count, 0.0);
                coder.at_least(query, codes, factors, epsilon, &mut out.keys)?;
            }
            (Self::Sq8(scorer), CodeQuery::Sq8(query)) => {
                let size = codes.len() / count.max(1);
                for code in codes.chunks_exact(size.max(1)) {
                    out.values.push(scorer.lower_bound(query, code)?);
                }
            }
            _ => return Err(Error::Codecs(kite_codecs::Error::ForeignQuery)),
        }
        Ok(())
    }
}

/// What codes say, and room to work in.
#[derive(Debug, Default)]
pub(crate) struct Estimates {
    /// As keys,
    keys: Vec<f32>,
    /// or in the operator's own unit.
    values: Vec<f64>,
}

impl Estimates {
    /// Calls `take` with the place of each entry that may be as near as `ceiling`, and what the operator computes at least, in its own unit.
    /// Most entries are farther, and cost one comparison.
    pub(crate) fn near(
        &self,
        metric: Metric,
        ceiling: f64,
        mut take: impl FnMut(usize, f64) -> Result<()>,
    ) -> Result<()> {
        for (n, &value) in self.values.iter().enumerate() {
            take(n, value)?;
        }
        // Of an l2 distance the key is the square; the rounding of both is less than this.
        let most = if metric == Metric::L2 { ceiling * ceiling * (1.0 + 1e-6) } else { ceiling };
        let most = (most as f32).next_up();
        for (n, &key) in self.keys.iter().enumerate() {
            // What is no number bounds nothing.
            if key > most {
                continue;
            }
            let value = metric.distance_of_key(key);
            take(n, if value.is_nan() { f64::NEG_INFINITY } else { value })?;
        }
        Ok(())
    }
}
