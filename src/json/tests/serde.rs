//! The reader against serde_json, on texts of JSON and on texts that are nearly JSON.

use kite_json::{Kind, Problem, Reader};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// A tree of values, read by this crate.
fn tree(reader: &mut Reader<'_>) -> kite_json::Result<Value> {
    Ok(match reader.kind()? {
        Kind::Null => {
            assert!(reader.null()?);
            Value::Null
        }
        Kind::Boolean => reader.boolean()?.into(),
        Kind::Number => {
            let text = reader.number()?;
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        }
        Kind::String => reader.string()?.into_owned().into(),
        Kind::Array => {
            let mut values = Vec::new();
            reader.array(|reader, place| {
                assert_eq!(place, values.len());
                values.push(tree(reader)?);
                Ok::<_, kite_json::Error>(())
            })?;
            values.into()
        }
        Kind::Object => {
            let mut values = Map::new();
            reader.object(|reader, key| {
                values.insert(key.to_owned(), tree(reader)?);
                Ok::<_, kite_json::Error>(())
            })?;
            values.into()
        }
    })
}

fn whole(text: &str) -> kite_json::Result<Value> {
    let mut reader = Reader::new(text);
    let value = tree(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn skipped(text: &str) -> kite_json::Result<&str> {
    let mut reader = Reader::new(text);
    let skipped = reader.skip()?;
    reader.end()?;
    Ok(skipped)
}

/// Reading, skipping and serde_json must agree; but for what text cannot hold and numbers that have no double.
fn agree(text: &str) -> std::result::Result<(), TestCaseError> {
    let (read, skip) = (whole(text), skipped(text));
    prop_assert_eq!(read.is_ok(), skip.is_ok(), "{:?} {:?}", &read, &skip);
    let character = |error: &kite_json::Error| error.problem == Problem::Character;
    match (serde_json::from_str::<Value>(text), read) {
        (Ok(expected), Ok(read)) => {
            prop_assert_eq!(expected, read);
            prop_assert_eq!(skip.ok(), Some(text.trim_matches([' ', '\t', '\n', '\r'])));
        }
        (Ok(_), Err(error)) => prop_assert!(character(&error) && text.contains("\\u"), "{error}"),
        (Err(error), Ok(_)) => {
            prop_assert!(error.to_string().starts_with("number out of range"), "{error}");
        }
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a\\\\\"/\u{7f}\u{10ffff}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c\"\u{e9}]{0,2}", inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A float as people and programs write it, and odd ones.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f32>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:?}")),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
        // Middles between two floats, and their neighbours among doubles.
        (any::<u32>(), -1_i64..=1).prop_filter_map("finite", |(bits, beside)| {
            let low = f32::from_bits(bits & 0x7FFF_FFFF);
            let middle = f64::midpoint(low.into(), low.next_up().into());
            let near = f64::from_bits((middle.to_bits() as i64).wrapping_add(beside) as u64);
            near.is_finite().then(|| format!("{near:e}"))
        }),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
        "-?0\\.[0-9]{1,9}",
        "-?(0|[1-9][0-9]{0,2})\\.[0-9]{1,17}(e-?[0-9]{1,2})?",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn values_are_read_as_by_serde(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("values can be written");
        agree(&text)?;
    }

    #[test]
    fn a_changed_text_is_refused_or_read_as_by_serde(
        value in value(), at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", " ", "\"", "\\", ",", "]", "}", "[", "{", ":", "0", "-", "e", ".", "\n", "\u{1}", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\udc00", "null", "tru", "1e999"]),
        cut in 0..3_usize,
    ) {
        let text = serde_json::to_string(&value).expect("values can be written");
        let characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        let rest = &characters[(at + cut).min(characters.len())..];
        let changed: String = characters[..at].iter().copied().chain(with.chars()).chain(rest.iter().copied()).collect();
        agree(&changed)?;
    }

    #[test]
    fn any_text_is_refused_or_read_as_by_serde(text in "[\\[\\]{},:\"\\\\/0-9.eE+\\-tfnulrasbx \n]{0,24}") {
        agree(&text)?;
    }

    #[test]
    fn floats_are_the_nearest(texts in prop::collection::vec(number(), 1..8)) {
        let nearest: Vec<f32> = texts.iter().map(|text| text.parse().expect("a number")).collect();
        let text = format!("[{}]", texts.join(", "));
        let mut found = Vec::new();
        let read = Reader::new(&text).floats(&mut found, usize::MAX);
        if nearest.iter().all(|x| x.is_finite()) {
            prop_assert_eq!(read, Ok(texts.len()));
            let bits = |floats: &[f32]| floats.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&found), bits(&nearest), "{}", text);
        } else {
            prop_assert_eq!(read.map_err(|error| error.problem), Err(Problem::TooLarge));
        }
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}{}", "[{\"a\":".repeat(500_000), "null".to_owned() + &"}]".repeat(500_000));
    assert_eq!(skipped(&deep).map(str::len), Ok(deep.len()));
    assert!(skipped(&deep[..deep.len() - 1]).is_err());
}

#[test]
fn what_was_asked_for_is_named() {
    let expected = |kind, problem: kite_json::Result<()>| {
        assert_eq!(problem.map_err(|error| error.problem), Err(Problem::Expected(kind)));
    };
    expected(Kind::Number, Reader::new(" \"1\"").float().map(drop));
    expected(Kind::Array, Reader::new("{}").floats(&mut Vec::new(), 9).map(drop));
    expected(Kind::Number, Reader::new("[1, null]").floats(&mut Vec::new(), 9).map(drop));
    expected(Kind::String, Reader::new("1").string().map(drop));
    expected(Kind::Boolean, Reader::new("null").boolean().map(drop));
}

#[test]
fn too_many_numbers_are_counted_and_not_kept() {
    let mut kept = vec![0.0];
    let counted = Reader::new("[1, 2, 3]").floats(&mut kept, 3);
    assert_eq!((counted, kept), (Ok(3), vec![0.0, 1.0, 2.0]));
}
