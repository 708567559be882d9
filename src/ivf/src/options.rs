//! What an index is made with.

use crate::{Error, Result};
use kite_codecs::{CellCoder, Metric, PayloadKind, ProductCoder, Scorer, Space, Spec, VectorType};

/// What a query scans: a small code of each row, or the payload itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// The payload.
    None,
    /// A byte per dimension (`sq8`), with a bound that always holds.
    Sq8,
    /// RaBitQ of one or two bits per dimension.
    RabitQ {
        /// 1 or 2.
        bits: u8,
    },
    /// Product quantisation.
    Pq {
        /// Parts that a vector is cut into (`m`); 0: one for each eight dimensions.
        parts: u16,
        /// Bits of each part's code (`nbits`), 4 or 8.
        bits: u8,
    },
}

/// What ranks the rows that codes have found near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The vector as it is.
    Full,
    /// Half precision.
    Half,
    /// A byte per dimension.
    Sq8,
    /// Nothing: the order is that of the codes.
    None,
}

/// What an index is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The type of the indexed values.
    pub vector_type: VectorType,
    /// The operator.
    pub metric: Metric,
    /// Dimensions (bits, for `bit`).
    pub dims: usize,
    /// Lists; 0: chosen from the number of rows.
    pub lists: usize,
    /// What is scanned.
    pub codes: Codes,
    /// What ranks.
    pub payload: Payload,
    /// Decides on the rotation of the codes and on what k-means begins with.
    pub seed: u64,
}

/// The most lists, as in pgvector.
pub(crate) const MOST_LISTS: usize = 32_768;

impl Options {
    /// Checks them, and replaces what is chosen by what it means: parts of `pq`, codes that would be the payload again, codes
    /// that are longer than a page.
    ///
    /// # Errors
    /// What does not go together.
    pub fn settle(mut self) -> Result<Self> {
        if self.vector_type == VectorType::Sparsevec {
            return Err(Error::Options("sparsevec cannot be indexed by an inverted file"));
        }
        if self.lists > MOST_LISTS {
            return Err(Error::Options("lists must be at most 32768"));
        }
        if self.codes == Codes::Sq8 && matches!(self.payload, Payload::Sq8 | Payload::None) {
            (self.codes, self.payload) = (Codes::None, Payload::Sq8);
        }
        self.spec().check()?;
        let products = matches!(self.metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        if self.codes == Codes::Sq8 && self.code_len() > crate::format::LONGEST_BODY {
            if !products {
                return Err(Error::Options(
                    "vectors of so many dimensions have no sq8 codes that fit a page",
                ));
            }
            self.codes = Codes::RabitQ { bits: 2 };
        }
        match &mut self.codes {
            Codes::None if self.payload == Payload::None => {
                return Err(Error::Options("payload = none needs codes"));
            }
            Codes::None => {}
            _ if self.vector_type == VectorType::Bit => {
                return Err(Error::Options("bit vectors are their own codes: codes = none"));
            }
            Codes::Sq8 => {}
            _ if !products => return Err(Error::Options("this distance has no codes but sq8")),
            Codes::RabitQ { bits } => {
                if !(1..=2).contains(bits) {
                    return Err(Error::Options("rabitq has 1 or 2 bits per dimension"));
                }
            }
            Codes::Pq { parts, bits } => {
                if *parts == 0 {
                    *parts = self.dims.div_ceil(8).min(2000) as u16;
                }
                if ProductCoder::check(self.metric, self.dims, usize::from(*parts), *bits).is_err() {
                    return Err(Error::Options(
                        "pq has 4 or 8 bits, and at most as many parts as dimensions",
                    ));
                }
                if ProductCoder::code_len(usize::from(*parts), *bits) > crate::format::LONGEST_BODY {
                    return Err(Error::Options("a pq code of so many parts does not fit a page"));
                }
            }
        }
        Ok(self)
    }

    /// Bytes that a query reads of each row of a list, about: what is scanned, and where the row is.
    #[must_use]
    pub fn scanned_bytes(&self) -> usize {
        const PLACE: usize = size_of::<kite_pages::ItemPointer>();
        if self.codes == Codes::None {
            let payload = Scorer::new(self.spec(), None).ok().and_then(|scorer| scorer.payload_len());
            payload.unwrap_or_default() + PLACE
        } else {
            self.code_len() + self.factors_len() + 2 * PLACE
        }
    }

    /// What payloads are made by. Where there are none, of the form in which a build keeps its rows.
    pub(crate) fn spec(&self) -> Spec {
        let payload = match self.payload {
            Payload::Full | Payload::None => PayloadKind::Full,
            Payload::Half => PayloadKind::Half,
            Payload::Sq8 => PayloadKind::Sq8,
        };
        Spec { vector_type: self.vector_type, metric: self.metric, payload, code_bits: 0, dims: self.dims }
    }

    /// The same for codes of a byte per dimension.
    pub(crate) fn sq8_spec(&self) -> Spec {
        Spec { payload: PayloadKind::Sq8, ..self.spec() }
    }

    /// Where points are; they are rotated where codes want that.
    pub(crate) fn space(&self) -> Space {
        let rotation = matches!(self.codes, Codes::RabitQ { .. }).then_some(self.seed);
        Space::new(self.metric, self.dims, rotation)
    }

    /// Bytes of a code, 0 where the payload is scanned.
    pub(crate) fn code_len(&self) -> usize {
        match self.codes {
            Codes::None => 0,
            Codes::Sq8 => Scorer::new(self.sq8_spec(), None).ok().and_then(|s| s.payload_len()).unwrap_or(0),
            Codes::RabitQ { bits } => self.dims.next_multiple_of(8) * usize::from(bits) / 8,
            Codes::Pq { parts, bits } => ProductCoder::code_len(usize::from(parts), bits),
        }
    }

    /// Bytes of the factors of a code.
    pub(crate) fn factors_len(&self) -> usize {
        match self.codes {
            Codes::None | Codes::Sq8 => 0,
            Codes::RabitQ { bits } => CellCoder::new(self.metric, bits, self.dims.next_multiple_of(8))
                .map_or(0, |c| c.factors_len()),
            Codes::Pq { .. } => ProductCoder::factors_len(),
        }
    }
}
