//! Hands the composed install script to pgrx, which reads SQL from a file named by a literal.

use std::{env, fs, path::Path};

fn main() {
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let script = Path::new(&folder).join("install.sql");
    fs::write(&script, kite_script::own_install_script()).expect("OUT_DIR is writable");
    let include = format!("::pgrx::extension_sql_file!({script:?}, name = \"install\", bootstrap);\n");
    fs::write(Path::new(&folder).join("install.rs"), include).expect("OUT_DIR is writable");
    println!("cargo::rerun-if-changed=build.rs");
}
