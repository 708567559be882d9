//! The codes of an index, whichever they are.

use crate::format::Entries;
use crate::{Codes, Error, Options, Result};
use kite_codecs::{CellCoder, CellQuery, Metric, PreparedQuery, ProductCoder, ProductQuery, Scorer, Value};

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
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) point: Vec<f32>,
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
    pub(crate) fn turn_to(&self, point: &[f32], centre: &[f32], query: &mut CodeQuery) {
        match (self, query) {
            (Self::Cell(coder), CodeQuery::Cell(query)) => coder.prepare(point, centre, query),
            (Self::Product(coder), CodeQuery::Product(query)) => coder.turn_to(point, centre, query),
            _ => {}
        }
    }

    /// What the operator computes at least for each of the entries, in its own unit, as far as codes know: see
    /// [`CellCoder::at_least`].
    pub(crate) fn at_least(
        &self,
        query: &CodeQuery,
        entries: &Entries<'_>,
        epsilon: f32,
        metric: Metric,
        out: &mut Estimates,
    ) -> Result<()> {
        let count = entries.tids.len();
        let (codes, factors) = (entries.bodies, entries.factors);
        out.values.clear();
        out.keys.clear();
        out.keys.resize(count, 0.0);
        match (self, query) {
            (Self::Cell(coder), CodeQuery::Cell(query)) => {
                coder.at_least(query, codes, factors, epsilon, &mut out.keys)?;
            }
            (Self::Product(coder), CodeQuery::Product(query)) => {
                coder.at_least(query, codes, factors, epsilon, &mut out.keys)?;
            }
            (Self::Sq8(scorer), CodeQuery::Sq8(query)) => {
                let size = codes.len() / count.max(1);
                for code in codes.chunks_exact(size.max(1)) {
                    out.values.push(scorer.lower_bound(query, code)?);
                }
                return Ok(());
            }
            _ => return Err(Error::Codecs(kite_codecs::Error::ForeignQuery)),
        }
        // What is no number bounds nothing.
        let sound = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
        out.values.extend(out.keys.iter().map(|&key| sound(metric.distance_of_key(key))));
        Ok(())
    }
}

/// What codes say, and room to work in.
#[derive(Debug, Default)]
pub(crate) struct Estimates {
    keys: Vec<f32>,
    pub(crate) values: Vec<f64>,
}
