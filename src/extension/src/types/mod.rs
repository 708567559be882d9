//! The vector types: text and binary input and output, type modifiers, casts.

mod array;
mod casts;
mod io;
