//! Hostile messages through the real receive functions. (`kite-vectors` fuzzes the decoding itself with a million messages.)

use super::{attempt, body, function};
use pgrx::{
    pg_schema,
    pg_sys::{self, Oid},
    pg_test,
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

#[pg_schema]
mod tests {
    use super::*;

    /// What a receive function makes of a message, as the bytes that its send function makes of the value.
    fn receive(kind: &str, message: &[u8], modifier: i32) -> Result<Vec<u8>, String> {
        let receive = function(&format!("{kind}_recv(internal,oid,integer)"));
        let send = function(&format!("{kind}_send({kind})"));
        let message = message.to_vec();
        attempt(move || {
            // SAFETY: the buffer is a fresh StringInfo with a copy of the message; the functions are the type's own.
            unsafe {
                let mut buffer = std::mem::zeroed::<pg_sys::StringInfoData>();
                pg_sys::initStringInfo(&raw mut buffer);
                pg_sys::appendBinaryStringInfo(
                    &raw mut buffer,
                    message.as_ptr().cast(),
                    message.len() as i32,
                );
                let value = pg_sys::OidReceiveFunctionCall(receive, &raw mut buffer, Oid::INVALID, modifier);
                let sent = pg_sys::OidSendFunctionCall(send, value);
                body(pg_sys::Datum::from(sent))
            }
        })
    }

    #[pg_test]
    fn messages_are_read_or_refused() {
        for kind in ["vector", "halfvec", "sparsevec"] {
            let mut runner = TestRunner::new(ProptestConfig {
                failure_persistence: None,
                ..ProptestConfig::with_cases(4_000)
            });
            let header = prop_oneof![
                (0u8..2, 0u8..4, 0u8..4).prop_map(|(a, b, c)| vec![0, a * b, 0, c / 3]),
                (0u8..6, 0u8..3).prop_map(|(dims, count)| vec![0, 0, 0, dims, 0, 0, 0, count, 0, 0, 0, 0]),
            ];
            let messages = (header, vec(prop_oneof![Just(0u8), 0u8..6, any::<u8>()], 0..40), -1i32..4);
            let accepted = std::cell::Cell::new(0);
            let outcome = runner.run(&messages, |(header, rest, modifier)| {
                let message = [header, rest].concat();
                match receive(kind, &message, modifier) {
                    Ok(sent) => {
                        accepted.set(accepted.get() + 1);
                        prop_assert_eq!(&sent[..], &message[..sent.len()]);
                    }
                    Err(error) => prop_assert!(!error.contains("INTERNAL"), "{}", error),
                }
                Ok(())
            });
            outcome.unwrap();
            assert!(
                accepted.get() > 20,
                "{kind}: {} messages were good: too few to mean anything",
                accepted.get()
            );
        }
    }
}
