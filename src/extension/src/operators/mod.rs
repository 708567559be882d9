//! What the types can do: distances, arithmetic, order and hash, aggregates.

mod aggregate;
mod arithmetic;
mod bit;
mod distance;
mod order;

/// Stamps the exports of one dense element type; the bodies are generic functions of the module that calls it.
macro_rules! dense_exports {
    ($([$plain:literal])? $($symbol:literal => $body:ident),* $(,)?) => {
        export! { $([$plain])? $(concat!("kite_vector_", $symbol) => $body::<f32>,)* }
        export! { $([$plain])? $(concat!("kite_halfvec_", $symbol) => $body::<half::f16>,)* }
    };
}
use dense_exports;
