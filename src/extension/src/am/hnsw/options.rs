//! What `WITH (…)` may say: `m`, `ef_construction`, `payload` and `codes`.

use crate::am::reloptions::{self, enum_values, invalid};
use crate::am::{Refusal, spec};
use kite_codecs::{PayloadKind, Spec, VectorType};
use kite_hnsw::Options;
use pgrx::pg_sys::{self, Datum};
use std::{
    ffi::{CStr, c_int, c_void},
    mem::{offset_of, size_of},
    sync::OnceLock,
};

/// Decides on the levels of vertices, and on the rotation of codes; an index keeps the one that it was made with.
const SEED: u64 = 0x6b69_7465;

const DEFAULT_M: c_int = 16;
const DEFAULT_EF_CONSTRUCTION: c_int = 64;
/// Of `payload` and `codes`: as the type and its dimensions suggest.
const AUTO: c_int = -1;

const PAYLOADS: [(&CStr, PayloadKind); 3] =
    [(c"sq8", PayloadKind::Sq8), (c"half", PayloadKind::Half), (c"full", PayloadKind::Full)];
const CODES: [(&CStr, c_int); 4] = [(c"auto", AUTO), (c"0", 0), (c"1", 1), (c"2", 2)];

/// The options of an index as Postgres keeps them: a varlena that `build_reloptions` fills.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Stored {
    header: i32,
    m: c_int,
    ef_construction: c_int,
    /// A place in `PAYLOADS`, or `AUTO`.
    payload: c_int,
    /// Bits, or `AUTO`.
    codes: c_int,
}

// What `build_reloptions` writes to: a varlena header, then an int of C for each option.
const _: () = {
    assert!(size_of::<c_int>() == 4 && size_of::<Stored>() == 20);
    assert!(offset_of!(Stored, header) == 0 && offset_of!(Stored, m) == 4);
    assert!(offset_of!(Stored, ef_construction) == 8);
    assert!(offset_of!(Stored, payload) == 12 && offset_of!(Stored, codes) == 16);
};

const DEFAULTS: Stored =
    Stored { header: 0, m: DEFAULT_M, ef_construction: DEFAULT_EF_CONSTRUCTION, payload: AUTO, codes: AUTO };

/// The kind under which Postgres knows the options; given once to each process.
static KIND: OnceLock<pg_sys::relopt_kind::Type> = OnceLock::new();

/// Tells Postgres of the options. To be called when the library is loaded.
pub(in crate::am) fn define() {
    KIND.get_or_init(|| {
        // SAFETY: names and descriptions are copied; the values of enums are kept, and never freed.
        unsafe {
            let kind = pg_sys::add_reloption_kind();
            let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
            pg_sys::add_int_reloption(
                kind,
                c"m".as_ptr(),
                c"The most links of a vertex on the upper levels; twice as many on the lowest".as_ptr(),
                DEFAULT_M,
                2,
                100,
                lock,
            );
            pg_sys::add_int_reloption(
                kind,
                c"ef_construction".as_ptr(),
                c"How many near vertices are found for a new one to choose its links from".as_ptr(),
                DEFAULT_EF_CONSTRUCTION,
                4,
                1000,
                lock,
            );
            pg_sys::add_enum_reloption(
                kind,
                c"payload".as_ptr(),
                c"How vectors are stored: a byte or half precision per dimension, or in full".as_ptr(),
                enum_values(PAYLOADS.iter().zip(0..).map(|((name, _), place)| (*name, place))),
                AUTO,
                c"Valid values are \"sq8\", \"half\" and \"full\".".as_ptr(),
                lock,
            );
            pg_sys::add_enum_reloption(
                kind,
                c"codes".as_ptr(),
                c"Bits per dimension of the codes beside links".as_ptr(),
                enum_values(CODES.iter().copied()),
                AUTO,
                c"Valid values are \"auto\", \"0\", \"1\" and \"2\".".as_ptr(),
                lock,
            );
            kind
        }
    });
}

/// `amoptions`
///
/// It is not guarded as a whole: errors of Postgres jump over this frame, which has nothing to drop, and reach the client as they
/// are.
pub(super) unsafe extern "C-unwind" fn parse(options: Datum, validate: bool) -> *mut pg_sys::bytea {
    let table = [
        reloptions::int(c"m", offset_of!(Stored, m)),
        reloptions::int(c"ef_construction", offset_of!(Stored, ef_construction)),
        reloptions::choice(c"payload", offset_of!(Stored, payload)),
        reloptions::choice(c"codes", offset_of!(Stored, codes)),
    ];
    let (kind, size) = (KIND.get().copied().unwrap_or_default(), size_of::<Stored>());
    // SAFETY: the table says where in `Stored` each option has its place; the answer is NULL or a `Stored`.
    unsafe {
        let stored = reloptions::build(options, validate, kind, size, &table);
        if validate {
            check(stored.cast_const().cast());
        }
        stored.cast()
    }
}

/// Refuses numbers that do not go together.
///
/// # Safety
/// `stored` is NULL or points to options.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn check(stored: *const Stored) {
    // SAFETY: by the caller's promise.
    if let Some(stored) = unsafe { stored.as_ref() }
        && stored.ef_construction < 2 * stored.m
    {
        invalid("ef_construction must be greater than or equal to 2 * m").raise();
    }
}

/// What an index is to be made with.
///
/// # Safety
/// `index` is an open index of access method `hnsw`.
pub(super) unsafe fn resolve(index: pg_sys::Relation) -> Result<Options, Refusal> {
    // SAFETY: by the caller's promise, and by `parse` being what fills `rd_options`.
    let (spec, stored) = unsafe {
        let stored: *const Stored = (*index).rd_options.cast::<c_void>().cast_const().cast();
        (spec::of(index)?, stored.as_ref().copied().unwrap_or(DEFAULTS))
    };
    let m = usize::try_from(stored.m).unwrap_or_default();
    let payload = usize::try_from(stored.payload).ok().and_then(|place| PAYLOADS.get(place));
    let payload = payload.map_or_else(|| default_payload(&spec), |&(_, kind)| kind);
    let code_bits = u8::try_from(stored.codes).unwrap_or_else(|_| default_code_bits(&spec, m));
    let spec = Spec { payload, code_bits, ..spec };
    let ef_construction = usize::try_from(stored.ef_construction).unwrap_or_default();
    let options = Options { spec, m, ef_construction, seed: SEED };
    options.settle().map_err(|error| invalid(error.to_string()))
}

fn default_payload(spec: &Spec) -> PayloadKind {
    match spec.vector_type {
        VectorType::Vector | VectorType::Halfvec => PayloadKind::Sq8,
        VectorType::Bit | VectorType::Sparsevec => PayloadKind::Full,
    }
}

/// The bits that make a search fastest, or fewer, such that the index is no larger than pgvector's.
fn default_code_bits(spec: &Spec, m: usize) -> u8 {
    let most = match spec.dims {
        // The payload of so short a vector is a few bytes, and a code of them says too little: over 10,000 random rows recall of 20
        // rows at the default ef_search is 1.000 at 3 dimensions without codes and 0.933 with two bits, 0.937 and 0.924 at 24.
        0..48 => 0,
        // Measured at 128 dimensions, and at 384 and 768 (README of kite-hnsw).
        48..=256 => 2,
        _ => 1,
    };
    let limit = pgvector_bytes(spec, m);
    (1..=spec.max_code_bits().min(most)).rev().find(|&bits| bytes(spec, m, bits) <= limit).unwrap_or(0)
}

/// Bytes that a row takes in an index with its default payload, about.
fn bytes(spec: &Spec, m: usize, code_bits: u8) -> f64 {
    // How many of the 2m slots on level 0 are filled depends on the data: 17.7 of 32 for real embeddings of text; 11.5 and 14.3 for
    // generated clusters, 22 for noise.
    const FILLED: f64 = 0.55;
    let spec = Spec { code_bits, ..*spec };
    let links = FILLED * (2 * m) as f64;
    let payload = match spec.vector_type {
        VectorType::Bit => spec.dims.div_ceil(8),
        _ => 24 + spec.dims,
    };
    // A vertex of one row with its payload, a list, and their line pointers.
    let vertex = (32 + 6 + payload).next_multiple_of(8);
    (vertex + 24 + 8) as f64 + links * (8 + spec.code_len() + spec.factors_len()) as f64
}

/// Bytes that a row takes in an index of pgvector 0.8: as many pairs of an element (72 bytes and the value) and its links (six bytes
/// each) on a page as fit whole. Beyond its limits, where there is no such index, every size will do.
fn pgvector_bytes(spec: &Spec, m: usize) -> f64 {
    const PAGE: usize = 8192;
    const USABLE: usize = 8160;
    let (value, most) = match spec.vector_type {
        VectorType::Vector => (8 + 4 * spec.dims, 2_000),
        VectorType::Halfvec => (8 + 2 * spec.dims, 4_000),
        VectorType::Bit => (8 + spec.dims.div_ceil(8), 64_000),
        VectorType::Sparsevec => return f64::INFINITY,
    };
    if spec.dims > most {
        return f64::INFINITY;
    }
    let pair = (72 + value).next_multiple_of(8) + (4 + 12 * m).next_multiple_of(8) + 8;
    PAGE as f64 / (USABLE / pair).max(1) as f64
}
