//! What every way of storing a vector can do.

use crate::{OwnedValue, Result, Value};

/// One kind of payload for one type and metric. Values are those of the type and dimensions, checked before.
pub(crate) trait Codec {
    /// A query in the form that this codec computes with.
    type Query;

    /// Appends the payload of a value.
    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()>;
    /// `None` where the query orders nothing.
    fn prepare(&self, query: Value<'_>) -> Result<Option<Self::Query>>;
    /// The key.
    fn exact(&self, query: &Self::Query, payload: &[u8]) -> Result<f32>;
    /// What the operator computes at least.
    fn lower_bound(&self, query: &Self::Query, payload: &[u8]) -> Result<f64>;
    /// What the operator computes, if the payload has all of the value.
    fn operator(&self, query: &Self::Query, payload: &[u8]) -> Result<Option<f64>>;
    /// The key, and what the operator computes: exactly where the payload has all of the value, else at least.
    fn ranked(&self, query: &Self::Query, payload: &[u8]) -> Result<(f32, f64)> {
        let bound = match self.operator(query, payload)? {
            Some(exact) => exact,
            None => self.lower_bound(query, payload)?,
        };
        Ok((self.exact(query, payload)?, bound))
    }
    /// The key of one stored vector as seen from another.
    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32>;
    /// [`Codec::between`] for many, appended in their order: to the bit what that answers.
    fn between_each<'b>(
        &self,
        a: &[u8],
        others: impl Iterator<Item = &'b [u8]>,
        keys: &mut Vec<f32>,
    ) -> Result<()> {
        for b in others {
            keys.push(self.between(a, b)?);
        }
        Ok(())
    }
    /// The value, or what is left of it. Refuses every number that an encoder cannot have written.
    fn decode(&self, payload: &[u8]) -> Result<OwnedValue>;
}
