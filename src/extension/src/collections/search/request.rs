//! What a search asks for, checked: where its parts come from is `mod` and `hybrid`.

use super::options::Setting;
use super::statement::{ALIAS, Prepared, Statement};
use crate::collections::catalog::{self, Collection, Column};
use crate::collections::error::internal;
use crate::collections::filter;
use kite_schema::{Code, DataType, Error, Partitioning, Result};
use pgrx::pg_sys;
use serde_json::Value;
use std::ffi::CString;

/// The most rows of a query vector, the skipped ones included.
pub(super) const MOST: i64 = 16_384;

/// The levels of consistency, in Milvus's spelling.
const LEVELS: [&str; 5] = ["Strong", "Bounded", "Eventually", "Session", "Customized"];

/// Rows that are answered and rows before them that are not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// `top_k`.
    pub(super) top_k: usize,
    /// `skip`.
    pub(super) skip: usize,
}

impl Window {
    /// Checks both.
    ///
    /// # Errors
    /// Where they are out of Milvus's range.
    pub(super) fn new(top_k: i64, skip: i64) -> Result<Self> {
        let out_of_range = |name: &str, least: i64, got: i64| {
            Error::invalid(format!(
                "{name} [{got}] is invalid, it should be in range [{least}, {MOST}], but got {got}"
            ))
        };
        if !(1..=MOST).contains(&top_k) {
            return Err(out_of_range("topk", 1, top_k));
        }
        if !(0..=MOST).contains(&skip) {
            return Err(out_of_range("offset", 0, skip));
        }
        if top_k + skip > MOST {
            return Err(out_of_range("offset+limit", 1, top_k + skip));
        }
        // Both are in the range.
        Ok(Self { top_k: usize::try_from(top_k).unwrap_or(0), skip: usize::try_from(skip).unwrap_or(0) })
    }

    /// Rows that have to be found.
    pub(super) fn rows(self) -> i64 {
        i64::try_from(self.top_k + self.skip).unwrap_or(MOST)
    }
}

/// The vector field of this name, or the only one.
///
/// # Errors
/// Where there is none or more than one, or the field holds no vectors.
pub(super) fn vector_field<'a>(collection: &'a Collection, name: Option<&str>) -> Result<&'a Column> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let mut vectors = collection.vectors();
        return match (vectors.next(), vectors.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Error::new(
                Code::ParameterMissing,
                "multiple anns_fields exist, please specify a anns_field in search_params",
            )
            .with_hint("Name the field as vector_field.")),
            (None, _) => Err(Error::invalid(format!("collection {} has no vector field", collection.name))),
        };
    };
    let column = field(collection, name)?;
    if !column.field.data_type.is_vector() {
        let kind = column.field.data_type.label();
        return Err(Error::invalid(format!("field {name} of type {kind} is no vector field")));
    }
    Ok(column)
}

/// The field of this name.
///
/// # Errors
/// Where there is none.
pub(super) fn field<'a>(collection: &'a Collection, name: &str) -> Result<&'a Column> {
    collection.field(name).ok_or_else(|| {
        Error::new(
            Code::FieldNotFound,
            format!("failed to get field schema by name: fieldName({name}) not found"),
        )
    })
}

/// The field that rows are grouped by.
///
/// # Errors
/// Where it is no field of whole numbers, strings or booleans.
pub(super) fn group_field<'a>(collection: &'a Collection, name: &str) -> Result<&'a Column> {
    let column = field(collection, name)?;
    let kind = column.field.data_type;
    let groups = kind.integer_range().is_some() || matches!(kind, DataType::Bool | DataType::VarChar);
    if !groups {
        return Err(Error::new(
            Code::Unsupported,
            format!("group_by field {name} of type {} is not supported", kind.label()),
        ));
    }
    Ok(column)
}

/// The primary key, without which no row has a name.
///
/// # Errors
/// Where its column was dropped.
pub(super) fn primary(collection: &Collection) -> Result<&Column> {
    collection.primary().ok_or_else(|| {
        Error::new(
            Code::CollectionSchemaMismatch,
            format!("collection {} has no primary field", collection.name),
        )
    })
}

/// Checks that partitions may be named, and are there.
///
/// # Errors
/// Where one is not, or rows go to partitions by a key.
pub(super) fn check_partitions(collection: &Collection, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    if matches!(collection.partitioning, Partitioning::Hash(_)) || has_partition_key(collection) {
        return Err(Error::invalid(
            "not support manually specifying the partition names if partition key mode is used",
        ));
    }
    let known = catalog::partitions(collection.oid);
    match names.iter().find(|name| !known.iter().any(|(known, _)| known == *name)) {
        None => Ok(()),
        Some(name) => {
            Err(Error::new(Code::PartitionNotFound, format!("partition not found[partition={name}]")))
        }
    }
}

fn has_partition_key(collection: &Collection) -> bool {
    collection.fields.iter().any(|column| column.field.is_partition_key)
}

/// Checks a level of consistency: every one of them is met by the snapshot of the calling query, on a primary.
///
/// # Errors
/// For a level that is not known, and for `Strong` on a standby, which cannot know what the primary has done.
pub(super) fn check_consistency(collection: &Collection, asked: Option<&str>) -> Result<()> {
    let level = asked.unwrap_or(&collection.consistency_level);
    if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return Err(Error::invalid(format!("invalid consistency level: {level}"))
            .with_hint(format!("Levels are {}.", LEVELS.join(", "))));
    }
    // SAFETY: reads a flag in shared memory.
    if level.eq_ignore_ascii_case("Strong") && unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::new(Code::Unsupported, "consistency level Strong cannot be met on a standby")
            .with_hint(
                "Search on the primary, or wait until pg_last_wal_replay_lsn() has passed what you wrote and ask for Session.",
            ));
    }
    Ok(())
}

/// A filter and the values of its template variables.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// The expression.
    pub(super) text: Option<String>,
    /// The values.
    pub(super) params: Option<Value>,
}

impl Filter {
    /// The condition of the filter in a statement; `None` for the filter that every row matches.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn condition(
        &self,
        collection: &Collection,
        first_parameter: usize,
    ) -> Result<Option<filter::Condition>> {
        let text = self.text.as_deref().filter(|text| !text.trim().is_empty());
        text.map(|text| filter::condition(collection, text, self.params.as_ref(), ALIAS, first_parameter))
            .transpose()
    }
}

/// The statement with its filter, for at most so many rows.
///
/// # Errors
/// What is wrong with the filter.
pub(super) fn prepare(statement: &Statement<'_>, filter: &Filter, rows: i64) -> Result<Prepared> {
    let condition = filter.condition(statement.collection, statement.first_of_filter())?;
    Ok(statement.prepare(condition.as_ref(), rows))
}

/// Works with the settings of this call. An ERROR leaves them with the transaction, or with the subtransaction that catches it.
pub(super) fn with_settings<R>(settings: &[Setting], work: impl FnOnce() -> R) -> R {
    if settings.is_empty() {
        return work();
    }
    // SAFETY: the level is left below, or by an abort.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for setting in settings {
        set(setting);
    }
    let result = work();
    // SAFETY: the level was opened above, and whatever was opened later is closed.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}

fn set(setting: &Setting) {
    let Ok(value) = CString::new(setting.value.to_string()) else { return };
    let name = setting.name.as_ptr();
    // SAFETY: both are strings that end with NUL; a setting that is not there is answered by NULL, and left alone.
    let done = unsafe {
        if pg_sys::GetConfigOptionByName(name, std::ptr::null_mut(), true).is_null() {
            return;
        }
        pg_sys::set_config_option(
            name,
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        )
    };
    if done <= 0 {
        internal(format!("could not set {}", setting.name.to_string_lossy()));
    }
}
