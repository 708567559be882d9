//! Composes the install scripts from the parts in `sql/`.
//!
//! The same parts make two layouts: extension `pgkite` alone, or an extension `vector` that stands in for pgvector and a
//! `pgkite` on top of it that holds schema `kite`. A part that opens with `-- for each {T} in a b c` is written once per
//! name, so that what the types share is declared once.

/// Who owns the types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `pgkite` holds everything. Refuses to stand beside pgvector in one database.
    Own,
    /// `vector` holds the surface of pgvector, `pgkite` requires it and holds schema `kite`.
    AsVector,
}

/// One file of a server's `share/extension` folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Name of the file.
    pub file_name: String,
    /// Its text.
    pub text: String,
}

/// Version of `pgkite`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of pgvector whose SQL surface this is, and that the stand-in reports: clients compare it to know
/// what they may use.
pub const VECTOR_VERSION: &str = "0.8.6";

const GUARD: &str = include_str!("../../../sql/guard.sql");
const GUARD_AS_VECTOR: &str = include_str!("../../../sql/guard_as_vector.sql");
const CONTROL: &str = include_str!("../../extension/pgkite.control");

/// The surface of pgvector, in the order in which the parts need each other.
const SURFACE: [&str; 8] = [
    include_str!("../../../sql/types.sql"),
    include_str!("../../../sql/support.sql"),
    include_str!("../../../sql/common.sql"),
    include_str!("../../../sql/dense.sql"),
    include_str!("../../../sql/casts.sql"),
    include_str!("../../../sql/bit.sql"),
    include_str!("../../../sql/hnsw.sql"),
    include_str!("../../../sql/ivf.sql"),
];

/// Schema `kite`, in the order in which the parts need each other.
const KITE: [&str; 13] = [
    include_str!("../../../sql/kite.sql"),
    include_str!("../../../sql/collections/catalogs.sql"),
    include_str!("../../../sql/collections/triggers.sql"),
    include_str!("../../../sql/collections/define.sql"),
    include_str!("../../../sql/collections/data.sql"),
    include_str!("../../../sql/collections/indexes.sql"),
    include_str!("../../../sql/collections/partitions.sql"),
    include_str!("../../../sql/collections/alter.sql"),
    include_str!("../../../sql/collections/databases.sql"),
    include_str!("../../../sql/collections/adopt.sql"),
    include_str!("../../../sql/collections/roles.sql"),
    include_str!("../../../sql/collections/search.sql"),
    include_str!("../../../sql/collections/search_overloads.sql"),
];

/// Every file that a layout puts into `share/extension`.
pub fn scripts(layout: Layout) -> Vec<Script> {
    let file = |file_name: String, text: String| Script { file_name, text };
    let sql = |name: &str, version: &str, text: String| {
        let quit = format!("\\echo Use \"CREATE EXTENSION {name}\" to load this file. \\quit\n");
        file(format!("{name}--{version}.sql"), quit + &text)
    };
    match layout {
        Layout::Own => vec![
            file("pgkite.control".into(), CONTROL.into()),
            sql("pgkite", VERSION, [GUARD, &surface(), &kite()].join("\n")),
        ],
        Layout::AsVector => vec![
            file("vector.control".into(), vector_control()),
            sql("vector", VECTOR_VERSION, surface()),
            file("pgkite.control".into(), format!("{CONTROL}requires = 'vector'\n")),
            sql("pgkite", VERSION, [GUARD_AS_VECTOR, &kite()].join("\n")),
        ],
    }
}

/// The install script of `pgkite` in its own layout, without psql's guard line: what the extension's build embeds.
pub fn own_install_script() -> String {
    [GUARD, &surface(), &kite()].join("\n")
}

fn surface() -> String {
    SURFACE.map(expand).join("\n")
}

fn kite() -> String {
    KITE.map(expand).join("\n")
}

/// Writes a part once for each name in its first line, or as it is.
fn expand(part: &str) -> String {
    let Some((first, rest)) = part.split_once('\n') else {
        return part.into();
    };
    match first.strip_prefix("-- for each {T} in ") {
        Some(names) => {
            names.split_whitespace().map(|name| rest.replace("{T}", name)).collect::<Vec<_>>().join("\n")
        }
        None => part.into(),
    }
}

/// `vector` is relocatable, as pgvector is; the library behind it is pgkite's.
fn vector_control() -> String {
    format!(
        "comment = 'vector data types, by pgkite'\n\
         default_version = '{VECTOR_VERSION}'\n\
         module_pathname = '$libdir/pgkite'\n\
         relocatable = true\n\
         superuser = true\n\
         trusted = true\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(layout: Layout, file_name: &str) -> String {
        let scripts = scripts(layout);
        scripts.iter().find(|script| script.file_name == file_name).expect(file_name).text.clone()
    }

    #[test]
    fn templates_leave_no_mark() {
        for layout in [Layout::Own, Layout::AsVector] {
            for script in scripts(layout) {
                assert!(!script.text.contains("{T}"), "{}", script.file_name);
                assert!(!script.text.contains("for each"), "{}", script.file_name);
            }
        }
    }

    #[test]
    fn templates_are_written_once_per_name() {
        assert_eq!(expand("-- for each {T} in a b\n{T}\n"), "a\n\nb\n");
        assert_eq!(expand("-- plain\n{0}\n"), "-- plain\n{0}\n");
        let own = text(Layout::Own, &format!("pgkite--{VERSION}.sql"));
        for name in ["vector", "halfvec", "sparsevec"] {
            assert_eq!(own.matches(&format!("CREATE TYPE {name} (")).count(), 1);
        }
    }

    /// Design section 1: an install script never creates over what is there already.
    #[test]
    fn scripts_never_replace() {
        for layout in [Layout::Own, Layout::AsVector] {
            for script in scripts(layout) {
                let upper = script.text.to_uppercase();
                assert!(
                    !upper.contains("OR REPLACE") && !upper.contains("IF NOT EXISTS"),
                    "{}",
                    script.file_name
                );
            }
        }
    }

    #[test]
    fn the_stand_in_splits_the_same_objects() {
        let own = text(Layout::Own, &format!("pgkite--{VERSION}.sql"));
        let vector = text(Layout::AsVector, "vector--0.8.6.sql");
        let kite = text(Layout::AsVector, &format!("pgkite--{VERSION}.sql"));
        let created = |text: &str| text.matches("\nCREATE ").count();
        assert_eq!(created(&own), created(&vector) + created(&kite));
        assert!(!vector.contains("kite.") && kite.contains("CREATE SCHEMA kite"));
        assert!(text(Layout::AsVector, "pgkite.control").contains("requires = 'vector'"));
        assert!(!text(Layout::Own, "pgkite.control").contains("requires"));
    }

    #[test]
    fn control_and_crate_agree_on_the_version() {
        assert!(CONTROL.contains(&format!("default_version = '{VERSION}'")));
    }
}
