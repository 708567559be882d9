//! Index access methods.

pub(crate) mod store;
