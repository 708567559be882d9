//! The access methods `ivf` and `ivfflat` over kite-ivf. `ivfflat` has pgvector's options, defaults and settings; `ivf` chooses by
//! itself what is not asked for.

mod build;
mod cost;
mod inspect;
mod options;
mod scan;
mod vacuum;

pub(in crate::am) use options::define;
pub(crate) use scan::Probes;

use super::Refusal;
use super::error::Failure;
use super::method::{self, Method};
use super::store::PgStore;
use super::validate::Support;
use kite_codecs::{PayloadKind, Spec, Value};
use kite_ivf::{Index, Kept, Options};
use kite_pages::ItemPointer;
use pgrx::pg_sys::{Datum, Relation, bytea};

/// The access method: `ivfflat` if `FLAT`, else `ivf`.
pub(in crate::am) enum Lists<const FLAT: bool> {}

pub(in crate::am) type Ivf = Lists<false>;
pub(in crate::am) type IvfFlat = Lists<true>;

impl<const FLAT: bool> Method for Lists<FLAT> {
    const NAME: &'static str = if FLAT { "ivfflat" } else { "ivf" };
    const HANDLER: &'static str = if FLAT { "kite_ivfflat_handler" } else { "kite_ivf_handler" };
    /// Numbers 3 and 4 are what pgvector's k-means works with; ours knows it from the first two.
    const SUPPORT: &'static [Support] =
        &[Support::Distance, Support::Norm, Support::Distance, Support::Norm, Support::OfType];
    type Options = Options;
    type Index<'s> = Index<'s, PgStore>;
    type Kept = Kept;

    unsafe extern "C-unwind" fn parse(options: Datum, validate: bool) -> *mut bytea {
        // SAFETY: as Postgres calls this one.
        unsafe { options::parse(options, validate, FLAT) }
    }

    unsafe fn resolve(index: Relation) -> Result<Options, Refusal> {
        // SAFETY: the caller's promise.
        unsafe { options::resolve(index, FLAT) }
    }

    fn spec(options: &Options) -> Spec {
        let &Options { vector_type, metric, dims, .. } = options;
        Spec { vector_type, metric, payload: PayloadKind::Full, code_bits: 0, dims }
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
    "kite_ivf_handler" => |_| Ok(Datum::from(method::routine::<Ivf>())),
    "kite_ivfflat_handler" => |_| Ok(Datum::from(method::routine::<IvfFlat>())),
    // pgvector's catalog names a function per type that describes it. Nothing calls ours: the opclass itself says all.
    "kite_ivf_type_support" => |_| Ok(None::<Datum>),
}
