//! What `WITH (…)` may say: `lists`, `codes` with `m` and `nbits`, and `payload`.

use crate::am::reloptions::{self, enum_values, invalid};
use crate::am::{Refusal, spec};
use kite_codecs::{Metric, Spec, VectorType};
use kite_ivf::{Codes, Options, Payload};
use pgrx::pg_sys::{self, Datum, relopt_kind};
use std::{
    ffi::{CStr, c_int, c_void},
    mem::{offset_of, size_of},
    sync::OnceLock,
};

/// Decides on the rotation of codes and on what k-means begins with; an index keeps the one that it was made with.
const SEED: u64 = 0x6b69_7465;

const MOST_LISTS: c_int = 32_768;
/// Of `codes` and `payload`: as the type and its dimensions suggest.
const AUTO: c_int = -1;

const PAYLOADS: [(&CStr, Payload); 4] =
    [(c"full", Payload::Full), (c"half", Payload::Half), (c"sq8", Payload::Sq8), (c"none", Payload::None)];

const NONE: c_int = 0;
const SQ8: c_int = 1;
const RABITQ: c_int = 2;
const PQ: c_int = 3;
const CODES: [(&CStr, c_int); 5] =
    [(c"auto", AUTO), (c"none", NONE), (c"sq8", SQ8), (c"rabitq", RABITQ), (c"pq", PQ)];

/// The options of an index as Postgres keeps them: a varlena that `build_reloptions` fills.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Stored {
    header: i32,
    /// 0: by the number of rows.
    lists: c_int,
    /// One of `CODES`.
    codes: c_int,
    /// Parts of `pq`; 0: one for each eight dimensions.
    m: c_int,
    /// Bits of a part of `pq`, or of a dimension of `rabitq`; 0: 8, or 2.
    nbits: c_int,
    /// A place in `PAYLOADS`, or `AUTO`.
    payload: c_int,
}

// What `build_reloptions` writes to: a varlena header, then an int of C for each option.
const _: () = {
    assert!(size_of::<c_int>() == 4 && size_of::<Stored>() == 24);
    assert!(offset_of!(Stored, header) == 0 && offset_of!(Stored, lists) == 4);
    assert!(offset_of!(Stored, codes) == 8 && offset_of!(Stored, m) == 12);
    assert!(offset_of!(Stored, nbits) == 16 && offset_of!(Stored, payload) == 20);
};

impl Stored {
    /// Of `ivfflat`, as in pgvector.
    const FLAT: Self = Self { header: 0, lists: 100, codes: NONE, m: 0, nbits: 0, payload: 0 };
    /// Of `ivf`.
    const IVF: Self = Self { header: 0, lists: 0, codes: AUTO, m: 0, nbits: 0, payload: AUTO };

    const fn defaults(flat: bool) -> &'static Self {
        if flat { &Self::FLAT } else { &Self::IVF }
    }
}

/// The kinds under which Postgres knows the options of `ivf` and of `ivfflat`; given once to each process.
static KINDS: OnceLock<[relopt_kind::Type; 2]> = OnceLock::new();

/// Tells Postgres of the options. To be called when the library is loaded.
pub(in crate::am) fn define() {
    KINDS.get_or_init(|| [define_for(false), define_for(true)]);
}

fn define_for(flat: bool) -> relopt_kind::Type {
    let (defaults, fewest) = (Stored::defaults(flat), c_int::from(flat));
    let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: names and descriptions are copied; the values of enums are kept, and never freed.
    unsafe {
        let kind = pg_sys::add_reloption_kind();
        let int = |name: &CStr, description: &CStr, default, from, to| {
            pg_sys::add_int_reloption(kind, name.as_ptr(), description.as_ptr(), default, from, to, lock);
        };
        int(
            c"lists",
            c"Lists that vectors are divided into; 0: by the number of rows",
            defaults.lists,
            fewest,
            MOST_LISTS,
        );
        int(c"m", c"Parts of a code of pq; 0: one for each eight dimensions", defaults.m, 0, 16_000);
        int(
            c"nbits",
            c"Bits of a part of a code of pq, or of a dimension of rabitq; 0: the usual ones",
            defaults.nbits,
            0,
            8,
        );
        pg_sys::add_enum_reloption(
            kind,
            c"codes".as_ptr(),
            c"What is scanned of each vector".as_ptr(),
            enum_values(CODES.iter().copied()),
            defaults.codes,
            c"Valid values are \"auto\", \"none\", \"sq8\", \"rabitq\" and \"pq\".".as_ptr(),
            lock,
        );
        pg_sys::add_enum_reloption(
            kind,
            c"payload".as_ptr(),
            c"How vectors are stored by which results are ranked".as_ptr(),
            enum_values(PAYLOADS.iter().zip(0..).map(|((name, _), place)| (*name, place))),
            defaults.payload,
            c"Valid values are \"full\", \"half\", \"sq8\" and \"none\".".as_ptr(),
            lock,
        );
        kind
    }
}

/// `amoptions`
///
/// Errors of Postgres jump over this frame, which has nothing to drop, and reach the client as they are.
pub(super) unsafe fn parse(options: Datum, validate: bool, flat: bool) -> *mut pg_sys::bytea {
    let table = [
        reloptions::int(c"lists", offset_of!(Stored, lists)),
        reloptions::choice(c"codes", offset_of!(Stored, codes)),
        reloptions::int(c"m", offset_of!(Stored, m)),
        reloptions::int(c"nbits", offset_of!(Stored, nbits)),
        reloptions::choice(c"payload", offset_of!(Stored, payload)),
    ];
    let kind = KINDS.get().map_or(0, |kinds| kinds[usize::from(flat)]);
    // SAFETY: the table says where in `Stored` each option has its place; the answer is NULL or a `Stored`.
    unsafe { reloptions::build(options, validate, kind, size_of::<Stored>(), &table).cast() }
}

/// What an index is to be made with.
///
/// # Safety
/// `index` is an open index of access method `ivf`, or `ivfflat`.
pub(super) unsafe fn resolve(index: pg_sys::Relation, flat: bool) -> Result<Options, Refusal> {
    // SAFETY: by the caller's promise, and by `parse` being what fills `rd_options`.
    let (spec, stored) = unsafe {
        let stored: *const Stored = (*index).rd_options.cast::<c_void>().cast_const().cast();
        (spec::of(index)?, stored.as_ref().unwrap_or(Stored::defaults(flat)))
    };
    let payload = usize::try_from(stored.payload).ok().and_then(|place| PAYLOADS.get(place));
    let payload = payload.map_or_else(|| default_payload(&spec), |&(_, payload)| payload);
    let options = Options {
        vector_type: spec.vector_type,
        metric: spec.metric,
        dims: spec.dims,
        lists: usize::try_from(stored.lists).unwrap_or_default(),
        codes: codes(&spec, payload, stored)?,
        payload,
        seed: SEED,
    };
    options.settle().map_err(|error| invalid(error.to_string()))
}

fn default_payload(spec: &Spec) -> Payload {
    match spec.vector_type {
        VectorType::Vector | VectorType::Halfvec => Payload::Sq8,
        VectorType::Bit | VectorType::Sparsevec => Payload::Full,
    }
}

/// The codes that are asked for, or those that suit.
fn codes(spec: &Spec, payload: Payload, stored: &Stored) -> Result<Codes, Refusal> {
    let asked = if stored.codes == AUTO { default_codes(spec, payload) } else { stored.codes };
    if stored.m != 0 && asked != PQ {
        return Err(invalid("m is an option of codes = pq"));
    }
    if stored.nbits != 0 && !matches!(asked, PQ | RABITQ) {
        return Err(invalid("nbits is an option of codes = pq and codes = rabitq"));
    }
    let nbits = |usual: u8| match stored.nbits {
        0 => usual,
        asked => u8::try_from(asked).unwrap_or(u8::MAX),
    };
    Ok(match asked {
        SQ8 => Codes::Sq8,
        RABITQ => Codes::RabitQ { bits: nbits(2) },
        PQ => Codes::Pq { parts: u16::try_from(stored.m).unwrap_or(u16::MAX), bits: nbits(8) },
        _ => Codes::None,
    })
}

fn default_codes(spec: &Spec, payload: Payload) -> c_int {
    let products = matches!(spec.metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine);
    match (products, payload) {
        (false, _) => NONE,
        (true, Payload::None) => RABITQ,
        // The payload of so short a vector is hardly longer than its code.
        (true, _) if spec.dims < 48 => NONE,
        (true, _) => RABITQ,
    }
}

/// As `WITH (…)` spells it.
pub(super) fn payload_name(payload: Payload) -> &'static str {
    let name = PAYLOADS.iter().find(|(_, known)| *known == payload).map(|(name, _)| name.to_str());
    name.and_then(Result::ok).unwrap_or_default()
}
