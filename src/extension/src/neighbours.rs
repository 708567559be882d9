//! pgvector's library in the same process: its settings and ours have the same names, and a setting has one owner.

use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, panic::ErrorReport},
};
use std::ffi::{CStr, CString};

/// Settings that pgvector's library defines when it is loaded.
const SETTINGS: [&CStr; 2] = [c"hnsw.ef_search", c"ivfflat.probes"];

/// Where a server names libraries to load ahead of use.
const PRELOADS: [&CStr; 3] =
    [c"shared_preload_libraries", c"session_preload_libraries", c"local_preload_libraries"];

/// Raises an ERROR, which says what to change, where another library has defined pgvector's settings.
pub(crate) fn refuse_foreign_settings() {
    let Some(setting) = SETTINGS.into_iter().find(|name| is_defined(name)) else {
        return;
    };
    let preloads: Vec<_> =
        PRELOADS.into_iter().filter(|name| names_pgvector(name)).map(CStr::to_string_lossy).collect();
    let hint = if preloads.is_empty() {
        "Use a new session in which neither a function of pgvector nor LOAD has loaded its library."
            .to_owned()
    } else {
        format!("Take \"vector\" out of {} and restart the server (or the session).", preloads.join(" and "))
    };
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "pgkite cannot be loaded beside the library of pgvector",
        "pgkite",
    )
    .set_detail(format!("The setting {} is already defined by another library.", setting.to_string_lossy()))
    .set_hint(hint)
    .report(PgLogLevel::ERROR);
}

fn value(name: &CStr) -> Option<CString> {
    // SAFETY: the name is a NUL-terminated string; the answer is NULL for an unknown setting, else a string that stays valid
    // until the setting changes; it is copied at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_owned())
    }
}

/// Whether a library has defined the setting; a value written in a configuration file ahead of that is a placeholder.
fn is_defined(name: &CStr) -> bool {
    // SAFETY: the name is a NUL-terminated string, and an unknown setting is no error.
    let flags = unsafe { pg_sys::GetConfigOptionFlags(name.as_ptr(), true) };
    value(name).is_some() && flags.unsigned_abs() & pg_sys::GUC_CUSTOM_PLACEHOLDER == 0
}

fn names_pgvector(list: &CStr) -> bool {
    let value = value(list).unwrap_or_default();
    value.to_string_lossy().split(',').any(|entry| {
        let file = entry.trim().trim_matches('"').rsplit('/').next().unwrap_or_default();
        file == "vector" || file == "vector.so"
    })
}
