//! Look-ups in the system catalogs.

use pgrx::{
    FromDatum,
    pg_sys::{self, Datum, Oid, SysCacheIdentifier},
};

/// `pg_language.oid` of language C, which is fixed.
const LANGUAGE_C: Oid = Oid::from_u32(13);

/// The C symbol behind a function, or `None` for a function in another language or one that does not exist.
pub(super) fn c_symbol(function: Oid) -> Option<String> {
    // SAFETY: a plain catalog look-up; the text is copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::PROCOID as i32, Datum::from(function));
        if tuple.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_proc = pg_sys::heap_tuple_get_struct(tuple);
        let mut is_null = false;
        let source = pg_sys::SysCacheGetAttr(
            SysCacheIdentifier::PROCOID as i32,
            tuple,
            pg_sys::Anum_pg_proc_prosrc as i16,
            &raw mut is_null,
        );
        let symbol = ((*form).prolang == LANGUAGE_C).then(|| String::from_datum(source, is_null)).flatten();
        pg_sys::ReleaseSysCache(tuple);
        symbol
    }
}

/// The C symbol of the handler of an index's access method.
pub(super) fn index_handler(index: Oid) -> Option<String> {
    // SAFETY: plain catalog look-ups; the fields are copied before the tuples are released.
    let handler = unsafe {
        let class = pg_sys::SearchSysCache1(SysCacheIdentifier::RELOID as i32, Datum::from(index));
        if class.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_class = pg_sys::heap_tuple_get_struct(class);
        let method = (*form).relam;
        pg_sys::ReleaseSysCache(class);
        let method = pg_sys::SearchSysCache1(SysCacheIdentifier::AMOID as i32, Datum::from(method));
        if method.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_am = pg_sys::heap_tuple_get_struct(method);
        let handler = (*form).amhandler;
        pg_sys::ReleaseSysCache(method);
        handler
    };
    c_symbol(handler)
}

/// What an operator class is for.
pub(super) struct OperatorClass {
    pub(super) name: String,
    pub(super) family: Oid,
    pub(super) input_type: Oid,
}

/// Looks an operator class up.
pub(super) fn operator_class(oid: Oid) -> Option<OperatorClass> {
    // SAFETY: a plain catalog look-up; the fields are copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::CLAOID as i32, Datum::from(oid));
        if tuple.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_opclass = pg_sys::heap_tuple_get_struct(tuple);
        let class = OperatorClass {
            name: pgrx::name_data_to_str(&(*form).opcname).to_owned(),
            family: (*form).opcfamily,
            input_type: (*form).opcintype,
        };
        pg_sys::ReleaseSysCache(tuple);
        Some(class)
    }
}

/// The rows of a cached catalog whose first key is an operator family.
fn members<Form: Copy>(cache: SysCacheIdentifier::Type, family: Oid) -> Vec<Form> {
    // SAFETY: both caches that this is called with have the family as their first key and `Form` as their rows; the rows are
    // copied before the list is released.
    unsafe {
        let unused = Datum::null();
        let list = pg_sys::SearchSysCacheList(cache as i32, 1, Datum::from(family), unused, unused);
        let count = usize::try_from((*list).n_members).unwrap_or(0);
        let rows = (*list).members.as_slice(count).iter();
        let rows = rows.map(|&row| *pg_sys::heap_tuple_get_struct::<Form>(&raw mut (*row).tuple)).collect();
        pg_sys::ReleaseCatCacheList(list);
        rows
    }
}

/// The operators of a family.
pub(super) fn family_operators(family: Oid) -> Vec<pg_sys::FormData_pg_amop> {
    members(SysCacheIdentifier::AMOPSTRATEGY, family)
}

/// The support functions of a family.
pub(super) fn family_functions(family: Oid) -> Vec<pg_sys::FormData_pg_amproc> {
    members(SysCacheIdentifier::AMPROCNUM, family)
}

/// Types of a function's arguments, and of its result.
pub(super) fn signature(function: Oid) -> (Vec<Oid>, Oid) {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: `types` is set to an allocated array of `count`; a function that does not exist is an ERROR.
    unsafe {
        let result = pg_sys::get_func_signature(function, &raw mut types, &raw mut count);
        let types = std::slice::from_raw_parts(types.cast_const(), usize::try_from(count).unwrap_or(0));
        (types.to_vec(), result)
    }
}
