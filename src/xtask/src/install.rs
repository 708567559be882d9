//! `cargo xtask install`: the real installation.

use crate::extension::{build, write};
use crate::files::Writer;
use crate::setup;
use anyhow::{Context, Result, bail, ensure};
use kite_cluster::run;
use kite_script::{Layout, scripts};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What another pgvector's files are renamed to: they are kept, and PostgreSQL no longer sees them.
const ASIDE: &str = "replaced-by-pgkite";

/// Installs into the two private trees below `target/`.
pub(crate) fn into_private_trees() -> Result<()> {
    setup::server_and_headers()?;
    for tree in crate::extension::into_private_trees()? {
        println!("installed for {}", tree.pg_config().display());
    }
    Ok(())
}

/// Installs into the server that `pg_config` belongs to.
pub(crate) fn into_server(pg_config: &Path, layout: Layout, replace: bool) -> Result<()> {
    let server = Server::ask(pg_config)?;
    let aside = conflicts(&server.extension_dir, layout)?;
    if !aside.is_empty() && !replace {
        bail!("{}", refusal(&aside, layout));
    }
    let writer = Writer::of(&[&server.pkglib_dir, &server.extension_dir])?;
    let library = build(&server.pg_config, server.major)?;
    for file in &aside {
        let kept = file.with_added_extension(ASIDE);
        writer.rename(file, &kept)?;
        println!("put aside  {}", kept.display());
    }
    for file in write(&library, layout, &server.pkglib_dir, &server.extension_dir, &writer)? {
        println!("wrote      {}", file.display());
    }
    match layout {
        Layout::Own => println!("In a database: CREATE EXTENSION pgkite;"),
        Layout::AsVector => println!("In a database: CREATE EXTENSION vector; CREATE EXTENSION pgkite;"),
    }
    Ok(())
}

/// A server's folders.
struct Server {
    pg_config: PathBuf,
    major: u32,
    pkglib_dir: PathBuf,
    extension_dir: PathBuf,
}

impl Server {
    fn ask(pg_config: &Path) -> Result<Self> {
        let pg_config =
            pg_config.canonicalize().with_context(|| format!("no pg_config at {}", pg_config.display()))?;
        let ask = |option: &str| -> Result<String> {
            let answer =
                run(Command::new(&pg_config).arg(option)).context("that is not a working pg_config")?;
            Ok(answer.trim().to_owned())
        };
        let version = ask("--version")?;
        let server = Self {
            major: major(&version).with_context(|| {
                let line = version.lines().next().unwrap_or_default();
                format!("{} is no pg_config: it calls itself `{line}`", pg_config.display())
            })?,
            pkglib_dir: ask("--pkglibdir")?.into(),
            extension_dir: Path::new(&ask("--sharedir")?).join("extension"),
            pg_config: pg_config.clone(),
        };
        ensure!((14..=18).contains(&server.major), "{version} is not supported: pgkite runs on 14 to 18");
        for folder in [&server.pkglib_dir, &server.extension_dir] {
            ensure!(
                folder.is_dir(),
                "{} is missing: is the server of {version} installed?",
                folder.display()
            );
        }
        Ok(server)
    }
}

/// `PostgreSQL 15.20 (Debian …)` and `PostgreSQL 18beta1` name their major version in front.
fn major(version: &str) -> Option<u32> {
    let number = version.strip_prefix("PostgreSQL ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The files in a server's `share/extension` that the layout cannot stand beside.
///
/// As `vector`: the control file of another pgvector, and all its scripts, since a script of another's that our control file
/// served would look for its functions in our library. As `pgkite` alone: our own extension `vector` of an earlier
/// installation, which would bring the same types.
fn conflicts(extension_dir: &Path, layout: Layout) -> Result<Vec<PathBuf>> {
    let control = extension_dir.join("vector.control");
    let Ok(text) = fs::read_to_string(&control) else { return Ok(Vec::new()) };
    let ours = text.contains("$libdir/pgkite");
    if ours == (layout == Layout::AsVector) {
        return Ok(Vec::new());
    }
    if layout == Layout::Own && !ours {
        // Another pgvector may stay: it is chosen database by database.
        return Ok(Vec::new());
    }
    let mut files = vec![control];
    let our_names: Vec<String> =
        scripts(Layout::AsVector).into_iter().map(|script| script.file_name).collect();
    for entry in fs::read_dir(extension_dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let script = name.starts_with("vector--") && name.ends_with(".sql");
        if script && (!ours || our_names.contains(&name)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn refusal(files: &[PathBuf], layout: Layout) -> String {
    let list: Vec<String> = files.iter().map(|file| format!("  {}", file.display())).collect();
    let why = match layout {
        Layout::AsVector => {
            "this server has another pgvector. With --replace these files are put aside (databases that use it keep working \
             on its library, which stays):"
        }
        Layout::Own => {
            "this server has pgkite installed with --as-vector: give --as-vector to renew that. With --replace these files \
             are put aside, and new databases get pgkite alone:"
        }
    };
    format!("{why}\n{}", list.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the files that `layout` cannot stand beside, in a folder that holds `files`.
    fn found(files: &[(&str, &str)], layout: Layout) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let files = conflicts(folder.path(), layout).unwrap();
        files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    const THEIRS: &[(&str, &str)] = &[
        ("vector.control", "module_pathname = '$libdir/vector'\n"),
        ("vector--0.7.0--0.7.1.sql", ""),
        ("vector--0.8.6.sql", ""),
        ("vectorscale--1.0.sql", ""),
        ("plpgsql.control", ""),
    ];
    const OURS: &[(&str, &str)] = &[
        ("vector.control", "module_pathname = '$libdir/pgkite'\n"),
        ("vector--0.8.6.sql", ""),
        ("vector--0.8.6.sql.replaced-by-pgkite", ""),
        ("pgkite.control", ""),
    ];

    #[test]
    fn a_server_with_nothing_of_the_kind_takes_both_layouts() {
        for layout in [Layout::Own, Layout::AsVector] {
            assert_eq!(found(&[("plpgsql.control", "")], layout), [""; 0]);
        }
    }

    #[test]
    fn another_pgvector_stands_in_the_way_of_the_stand_in_only() {
        assert_eq!(
            found(THEIRS, Layout::AsVector),
            ["vector--0.7.0--0.7.1.sql", "vector--0.8.6.sql", "vector.control"]
        );
        assert_eq!(found(THEIRS, Layout::Own), [""; 0]);
    }

    #[test]
    fn our_stand_in_is_renewed_and_stands_in_the_way_of_pgkite_alone() {
        assert_eq!(found(OURS, Layout::AsVector), [""; 0]);
        assert_eq!(found(OURS, Layout::Own), ["vector--0.8.6.sql", "vector.control"]);
    }

    #[test]
    fn major_versions_are_read() {
        assert_eq!(major("PostgreSQL 15.20 (Debian 15.20-0+deb12u1)"), Some(15));
        assert_eq!(major("PostgreSQL 18beta1"), Some(18));
        assert_eq!(major("MariaDB 11"), None);
    }
}
