//! The inverted-file index.
