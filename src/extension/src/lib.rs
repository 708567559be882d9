//! (under construction)
pgrx::pg_module_magic!();
