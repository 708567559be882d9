//! The access method `hnsw` over kite-hnsw.

mod build;
mod cost;
mod inspect;
mod options;
mod scan;
mod vacuum;

pub(in crate::am) use options::define;

use super::Refusal;
use super::error::Failure;
use super::method::{self, Method};
use super::store::PgStore;
use super::validate::Support;
use kite_codecs::{Spec, Value};
use kite_hnsw::{Index, Kept, Options};
use kite_pages::ItemPointer;
use pgrx::pg_sys::{Datum, Relation, bytea};

/// The access method.
pub(in crate::am) enum Hnsw {}

impl Method for Hnsw {
    const NAME: &'static str = "hnsw";
    const HANDLER: &'static str = "kite_hnsw_handler";
    const SUPPORT: &'static [Support] = &[Support::Distance, Support::Norm, Support::OfType];
    type Options = Options;
    type Index<'s> = Index<'s, PgStore>;
    type Kept = Kept;

    unsafe extern "C-unwind" fn parse(options: Datum, validate: bool) -> *mut bytea {
        // SAFETY: as Postgres calls this one.
        unsafe { options::parse(options, validate) }
    }

    unsafe fn resolve(index: Relation) -> Result<Options, Refusal> {
        // SAFETY: the caller's promise.
        unsafe { options::resolve(index) }
    }

    fn spec(options: &Options) -> Spec {
        options.spec
    }

    fn create(store: &PgStore, options: &Options) -> Result<(), Failure> {
        Index::create(store, options)?;
        Ok(())
    }

    fn open<'s>(store: &'s PgStore, known: Option<&Kept>) -> Result<Index<'s, PgStore>, Failure> {
        Ok(match known {
            Some(known) => Index::with(store, known.clone()),
            None => Index::open(store)?,
        })
    }

    fn keep(index: &Index<'_, PgStore>) -> Kept {
        index.keep()
    }

    fn options(index: &Index<'_, PgStore>) -> Options {
        index.options()
    }

    fn insert(index: &mut Index<'_, PgStore>, row: ItemPointer, value: Value<'_>) -> Result<bool, Failure> {
        Ok(index.insert(row, value)?)
    }
}

export! {
    "kite_hnsw_handler" => |_| Ok(Datum::from(method::routine::<Hnsw>())),
    // pgvector's catalog names a function per type that describes it. Nothing calls ours: the opclass itself says all.
    "kite_hnsw_type_support" => |_| Ok(None::<Datum>),
}
