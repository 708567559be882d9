//! `initdb` once, copies after: copying a fresh cluster takes a fraction of the time that making one does.

use crate::folders;
use crate::process::run;
use crate::tree::PrivateTree;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Makes a new data folder for the tree's server at `data`, which must not exist. Encoding is UTF-8, the locale C, the
/// superuser `postgres`; local connections are trusted.
pub(crate) fn fresh_cluster(tree: &PrivateTree, data: &Path) -> Result<()> {
    let template = template(tree)?;
    let mut copy = tree.as_server_user("cp");
    run(copy.arg("-R").arg("-p").arg(&template).arg(data)).context("cannot copy the template cluster")?;
    Ok(())
}

fn template(tree: &PrivateTree) -> Result<PathBuf> {
    let name = format!("pg{}-template", tree.major());
    let folder = tree.templates().join(&name);
    let _lock = folders::lock(&tree.templates().join(format!("{name}.lock")))?;
    let (data, stamp_file, stamp) = (folder.join("data"), folder.join("stamp"), tree.stamp()?);
    if fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(data);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot renew {}", folder.display()))?;
    }
    folders::readable(&folder)?;
    tree.user().own(&folder)?;
    let mut initdb = tree.server_program("initdb");
    initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
    run(initdb.arg(&data)).context("cannot make a template cluster")?;
    fs::write(stamp_file, stamp)?;
    Ok(data)
}
