//! Names: what Milvus allows, and how a long one fits into an identifier of Postgres.

use crate::{Code, Error, Result};

/// Bytes that a name may have.
pub const MAX_NAME: usize = 255;

/// Bytes that an identifier of Postgres has room for.
pub const IDENTIFIER_BYTES: usize = 63;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Entity {
    Collection,
    Alias,
    Field,
    Partition,
    Database,
    Index,
}

impl Entity {
    fn noun(self) -> &'static str {
        match self {
            Self::Collection => "collection name",
            Self::Alias => "collection alias",
            Self::Field => "field name",
            Self::Partition => "partition name",
            Self::Database => "database name",
            Self::Index => "index name",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::Field => Code::FieldInvalidName,
            Self::Database => Code::DatabaseInvalidName,
            _ => Code::ParameterInvalid,
        }
    }
}

/// Whether this can be a name: at most 255 letters, digits and underscores, and no digit first.
///
/// # Errors
/// Where it cannot.
pub fn check_name(entity: Entity, name: &str) -> Result<()> {
    let noun = entity.noun();
    let refuse = |what: String| Err(Error::new(entity.code(), what));
    let Some(first) = name.chars().next() else {
        return refuse(format!("{noun} should not be empty"));
    };
    if name.len() > MAX_NAME {
        return refuse(format!(
            "Invalid {noun}. The length of a {noun} must be less than {MAX_NAME} characters."
        ));
    }
    if first != '_' && !first.is_ascii_alphabetic() {
        return refuse(format!(
            "Invalid {noun}: {name}. The first character of a {noun} must be an underscore or letter."
        ));
    }
    if !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
        return refuse(format!(
            "Invalid {noun}: {name}. {noun} can only contain numbers, letters and underscores."
        ));
    }
    Ok(())
}

/// The identifier for a name: the name itself, or where it is too long its beginning and a hash of all of it.
#[must_use]
pub fn fit(name: &str) -> String {
    if name.len() <= IDENTIFIER_BYTES {
        return name.to_owned();
    }
    let hash = format!("${:016x}", twox_hash::XxHash64::oneshot(0, name.as_bytes()));
    let end = (0..=IDENTIFIER_BYTES - hash.len()).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    format!("{}{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "_", "A_1", &"x".repeat(255)] {
            assert_eq!(check_name(Entity::Collection, good), Ok(()));
        }
        let message = |name: &str| check_name(Entity::Field, name).expect_err(name).message;
        assert_eq!(message(""), "field name should not be empty");
        assert_eq!(
            message("1a"),
            "Invalid field name: 1a. The first character of a field name must be an underscore or letter."
        );
        assert_eq!(
            message("a-b"),
            "Invalid field name: a-b. field name can only contain numbers, letters and underscores."
        );
        assert!(message(&"x".repeat(256)).contains("less than 255"));
        assert_eq!(check_name(Entity::Field, "é").expect_err("not a letter here").code.number(), 1701);
    }

    proptest! {
        #[test]
        fn identifiers_fit_and_differ(name in "\\PC{0,120}", other in "\\PC{0,120}") {
            prop_assert!(fit(&name).len() <= IDENTIFIER_BYTES);
            prop_assert_eq!(name == other, fit(&name) == fit(&other));
        }
    }
}
