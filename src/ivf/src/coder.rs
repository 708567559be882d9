//! The codes of an index, whichever they are.

use crate::{Codes, Error, Options, Result};
use kite_codecs::{CellCoder, CellQuery, PreparedQuery, ProductCoder, ProductQuery, Scorer, Value};

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

    /// What the operator computes at least for each of the codes, in its own unit, by what codes know: see
    /// [`CellCoder::at_least`]; of `sq8` codes for certain.
    pub(crate) fn at_least(
        &self,
        query: &CodeQuery,
        (codes, factors): (&[u8], &[u8]),
        epsilon: f32,
        keys: &mut Vec<f32>,
        mut each: impl FnMut(usize, f64) -> kite_pages::Result<()>,
        value: impl Fn(f32) -> f64,
        count: usize,
    ) -> Result<()> {
        keys.clear();
        keys.resize(count, 0.0);
        match (self, query) {
            (Self::Cell(coder), CodeQuery::Cell(query)) => {
                coder.at_least(query, codes, factors, epsilon, keys)?;
            }
            (Self::Product(coder), CodeQuery::Product(query)) => {
                coder.at_least(query, codes, factors, epsilon, keys)?;
            }
            (Self::Sq8(scorer), CodeQuery::Sq8(query)) => {
                let size = codes.len() / count.max(1);
                for (n, code) in codes.chunks_exact(size.max(1)).enumerate() {
                    each(n, scorer.lower_bound(query, code)?)?;
                }
                return Ok(());
            }
            _ => return Err(Error::Codecs(kite_codecs::Error::ForeignQuery)),
        }
        for (n, &key) in keys.iter().enumerate() {
            each(n, value(key))?;
        }
        Ok(())
    }
}
