//! Whose rights a piece of work has.

use super::error::denied;
use super::{catalog, error};
use pgrx::pg_sys::{self, AclResult, Oid};
use std::ffi::CStr;

/// What a role must be granted on a table to see that it is a collection.
const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;

/// Whether the caller may read the table.
pub(super) fn may_read(table: Oid) -> bool {
    // SAFETY: a catalog look-up; a table that is gone is not to be read.
    unsafe {
        !pg_sys::get_rel_name(table).is_null()
            && pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), SELECT) == AclResult::ACLCHECK_OK
    }
}

/// Whether the caller may look for rows of the table and delete them.
pub(super) fn may_delete(table: Oid) -> bool {
    let rights = SELECT | pg_sys::ACL_DELETE as pg_sys::AclMode;
    // SAFETY: a catalog look-up.
    unsafe {
        let (user, all) = (pg_sys::GetUserId(), pg_sys::AclMaskHow::ACLMASK_ALL);
        pg_sys::pg_class_aclmask(table, user, rights, all) == rights
    }
}

/// Raises the server's own ERROR where the caller may not read the table.
pub(super) fn check_readable(table: Oid) {
    if !may_read(table) {
        denied(AclResult::ACLCHECK_NO_PRIV, &table_name(table));
    }
}

/// Raises the server's own ERROR where the caller does not own the table.
pub(super) fn check_owner(table: Oid) {
    // SAFETY: a catalog look-up.
    let owns = unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let owns = pg_sys::pg_class_ownercheck(table, pg_sys::GetUserId());
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let owns = pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, pg_sys::GetUserId());
        owns
    };
    if !owns {
        denied(AclResult::ACLCHECK_NOT_OWNER, &table_name(table));
    }
}

/// Raises the server's own ERROR where the caller may write nothing in the table, before it is locked for him.
pub(super) fn check_writable(table: Oid) {
    let writes = pg_sys::ACL_INSERT | pg_sys::ACL_UPDATE | pg_sys::ACL_DELETE;
    // SAFETY: catalog look-ups, of a right on the table or on one of its columns.
    let may_write = unsafe {
        let (user, any) = (pg_sys::GetUserId(), pg_sys::AclMaskHow::ACLMASK_ANY);
        pg_sys::pg_class_aclmask(table, user, writes as pg_sys::AclMode, any) != 0
            || [pg_sys::ACL_INSERT, pg_sys::ACL_UPDATE].into_iter().any(|right| {
                pg_sys::pg_attribute_aclcheck_all(table, user, right as pg_sys::AclMode, any)
                    == AclResult::ACLCHECK_OK
            })
    };
    if !may_write {
        denied(AclResult::ACLCHECK_NO_PRIV, &table_name(table));
    }
}

fn table_name(table: Oid) -> std::ffi::CString {
    // SAFETY: a catalog look-up; the name is NULL or a string that stays valid.
    unsafe {
        let name = pg_sys::get_rel_name(table);
        if name.is_null() { c"?".into() } else { CStr::from_ptr(name).into() }
    }
}

/// Works with the rights of the extension's owner, and a pinned search path. What is done so must be decided by the caller's
/// rights before. An ERROR restores both, as the transaction does when it is aborted.
pub(super) fn as_owner<R>(work: impl FnOnce() -> R) -> R {
    let owner = catalog::owner();
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: the pair that is read here is the one that is set again; see `fmgr_security_definer` (fmgr.c).
    unsafe {
        pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
        pg_sys::SetUserIdAndSecContext(owner, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
    }
    let result = pinned(work);
    // SAFETY: as above.
    unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
    result
}

/// Works with a search path on which nobody puts anything. An ERROR restores it.
pub(super) fn pinned<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: both strings are constants; the level is left by the call below, or by an abort.
    let (level, done) = unsafe {
        let level = pg_sys::NewGUCNestLevel();
        let done = pg_sys::set_config_option(
            c"search_path".as_ptr(),
            c"pg_catalog, pg_temp".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        (level, done)
    };
    if done <= 0 {
        error::internal("could not pin the search path".into());
    }
    let result = work();
    // SAFETY: the level was opened above, and whatever was opened later is closed.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}
