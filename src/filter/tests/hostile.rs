//! Texts that nobody means well by: nothing panics, nothing overflows the stack, no constant gets into the SQL.

use kite_filter::testing::{Generator, schema};
use kite_filter::{
    CheckedFilter, DataType, Error, ErrorKind, Field, Parameter, Scalar, Schema, SqlOptions, parse,
};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn checked(text: &str, parameters: &Json) -> Result<CheckedFilter, Error> {
    parse(text)?.check(&schema(), parameters.as_object().unwrap_or(&Map::new()))
}

fn sql(text: &str) -> String {
    checked(text, &json!({}))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .to_sql(&SqlOptions::default())
        .text
}

/// Reads, checks and prints, whatever the text is. Positions are in the text.
fn go_through(text: &str) {
    match checked(text, &json!({ "x": 1, "list": ["a", 1.5] })) {
        Ok(filter) => {
            let printed = filter.to_sql(&SqlOptions::default());
            assert!(!printed.text.is_empty() && !filter.to_display_sql(&SqlOptions::default()).is_empty());
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.position()), "{error}");
            assert!(error.to_string().len() < 1000, "{error}");
            assert_eq!(error.sqlstate().len(), 5);
        }
    }
}

const PIECES: [&str; 56] = [
    "and",
    "or",
    "not",
    "in",
    "like",
    "exists",
    "is",
    "null",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "=~",
    "!~",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<<",
    ">>",
    "&",
    "|",
    "^",
    "~",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "$",
    "$meta",
    "i64",
    "s",
    "j",
    "ints",
    "flag",
    "k",
    "1",
    "-9223372036854775808",
    "0x1p3",
    ".5",
    "'a'",
    "\"b\\\"\"",
    "r'\\'",
    "true",
    "{x}",
    "{list}",
    "array_length(",
    "json_contains(",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}|[ -~\\n]{0,60}") {
        go_through(&text);
    }

    #[test]
    fn any_tokens_are_answered(pieces in prop::collection::vec(0..PIECES.len(), 0..24), space: bool) {
        let pieces: Vec<&str> = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        go_through(&pieces.join(if space { " " } else { "" }));
    }

    #[test]
    fn damaged_expressions_are_answered(seed: u64, damage in prop::collection::vec((any::<u16>(), any::<char>(), 0..4_u8), 1..4)) {
        let mut text: Vec<char> = Generator::new(seed).expression(3).chars().collect();
        for (at, character, how) in damage {
            let at = usize::from(at) % text.len();
            match how {
                0 => text.truncate(at.max(1)),
                1 => text[at] = character,
                2 => text.insert(at, character),
                _ => text.swap(at, 0),
            }
        }
        go_through(&text.into_iter().collect::<String>());
    }

    #[test]
    fn printing_is_stable(seed: u64) {
        let text = Generator::new(seed).expression(4);
        let filter = parse(&text).expect("an expression");
        let again = parse(&filter.to_string()).expect("an expression");
        prop_assert_eq!(filter.to_string(), again.to_string());
        let checked = |filter: &kite_filter::Filter| filter.check(&schema(), &Map::new()).expect("a filter");
        prop_assert_eq!(checked(&filter), checked(&again));
    }

    /// The text of the SQL does not depend on what a string says: nothing of it is in there.
    #[test]
    fn strings_are_bound(text in "[^\\x00]{0,20}|['\"\\\\$;-]{0,20}") {
        let literal = Json::from(text.as_str());
        // Keys that look like indexes are other steps.
        let key = format!("k{text}");
        for (expression, harmless) in [
            ("s == {x}", "s == 'a'"),
            ("s < {x}", "s < 'a'"),
            ("s in {list}", "s in ['a']"),
            ("s like {x}", "s like 'a'"),
            ("k == {x}", "k == 'a'"),
            ("k != {x}", "k != 'a'"),
            ("k > {x}", "k > 'a'"),
            ("k not in {list}", "k not in ['a']"),
            ("array_contains(words, {x})", "array_contains(words, 'a')"),
            ("json_contains(k, {x})", "json_contains(k, 'a')"),
        ] {
            let filter = checked(expression, &json!({ "x": literal, "list": [literal] })).expect("a filter");
            prop_assert_eq!(filter.to_sql(&SqlOptions::default()).text, sql(harmless));
        }
        let written = json!(key).to_string();
        if parse(&format!("s == {written}")).is_ok() {
            prop_assert_eq!(sql(&format!("s == {written}")), sql("s == 'a'"));
            prop_assert_eq!(sql(&format!("j[{written}] > 1")), sql("j['a'] > 1"));
            prop_assert_eq!(sql(&format!("j[{written}] == 1")), sql("j['a'] == 1"));
        }
    }

    #[test]
    fn numbers_are_bound(a in 1..100_i64, b in 1..100_i64) {
        for shape in ["i64 == #", "i64 + # > 7", "i64 % # == 0", "d * # < 0.5", "i64 in [#, 5]", "k == #", "k + # == 3", "j[#] == 1"] {
            let with = |number: i64| sql(&shape.replace('#', &number.to_string()));
            prop_assert_eq!(with(a), with(b));
        }
    }
}

#[test]
fn names_are_quoted() {
    let schema = Schema {
        fields: vec![Field {
            column: "x\" = 1 OR \"y".into(),
            ..Field::new("x", DataType::Scalar(Scalar::Int64))
        }],
        dynamic_column: Some("$me\"ta".into()),
    };
    let filter =
        parse("x == 1 and k == 2").and_then(|filter| filter.check(&schema, &Map::new())).expect("a filter");
    let options = SqlOptions { table_alias: Some("t\".\"u"), first_parameter: 7 };
    let sql = filter.to_sql(&options);
    assert_eq!(
        sql.text,
        r#"(("t"".""u"."x"" = 1 OR ""y" OPERATOR(pg_catalog.=) $7) AND ("t"".""u"."$me""ta" OPERATOR(pg_catalog.@>) $8))"#
    );
    assert_eq!(sql.parameters, [Parameter::Int8(1), Parameter::Jsonb(r#"{"k":2}"#.into())]);
    assert_eq!(
        filter.to_display_sql(&options),
        r#"(("t"".""u"."x"" = 1 OR ""y" = '1'::pg_catalog.int8) AND ("t"".""u"."$me""ta" @> '{"k":2}'::pg_catalog.jsonb))"#
    );
}

fn kind(text: &str) -> Option<ErrorKind> {
    checked(text, &json!({})).err().map(|error| error.kind())
}

#[test]
fn depth_is_limited() {
    let deep = |open: &str, inner: &str, close: &str, levels: usize| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    assert_eq!(kind(&deep("(", "i64 == 1", ")", 60)), None);
    assert_eq!(kind(&deep("not (", "i64 == 1", ")", 60)), None);
    for text in [
        deep("(", "i64 == 1", ")", 20_000),
        deep("not ", "i64 == 1", "", 20_000),
        deep("not (", "i64 == 1", ")", 20_000),
        deep("exists ", "k", "", 20_000),
        deep("[", "1", "]", 20_000),
        deep("-(", "1", ")", 20_000),
        deep("(i64 == 1 and (i64 == 2 or ", "i64 == 3", "))", 10_000),
        deep("2 ** -", "2", "", 20_000),
        format!("i64 {} == 1", "+ 1 ".repeat(20_000)),
        format!("i64 {}", "== 1 ".repeat(20_000)),
        format!("k{} == 1", "[0]".repeat(20_000)),
        format!("1 {} i64", "< 1 ".repeat(20_000)),
        "(".repeat(1_000_000),
        "[".repeat(1_000_000),
        "array_contains(".repeat(20_000),
    ] {
        let error = checked(&text, &json!({})).expect_err("too deep");
        assert!(
            error.kind() == ErrorKind::Limit && error.message().contains("nested"),
            "{}: {error}",
            &text[..20]
        );
    }
}

#[test]
fn size_is_limited() {
    let chain = |tests: usize, between: &str| vec!["i64 == 1"; tests].join(between);
    assert_eq!(kind(&chain(10_000, " and ")), None);
    assert_eq!(kind(&chain(10_000, " or ")), None);
    assert_eq!(kind(&chain(10_001, " or ")), Some(ErrorKind::Limit));
    assert_eq!(kind(&vec!["true"; 20_000].join(" and ")), Some(ErrorKind::Limit));
    assert_eq!(kind(&vec!["k['-1']['-1']['-1'] == 1"; 3_000].join(" or ")), Some(ErrorKind::Limit));
    let list = vec!["12345"; 150_000].join(",");
    assert_eq!(kind(&format!("i64 in [{list}]")), None);
    assert_eq!(kind(&" ".repeat(5 << 20)), Some(ErrorKind::Limit));
}

#[test]
fn a_filter_of_the_greatest_size_has_parameters_for_one_statement() {
    let text = vec!["not (k['-1'] in [1])"; 5_000].join(" and ");
    let filter = checked(&text, &json!({})).expect("a filter");
    assert!(filter.to_sql(&SqlOptions::default()).parameters.len() < 65_535);
}

#[test]
fn without_the_dynamic_field_names_are_unknown() {
    let schema = Schema { dynamic_column: None, ..schema() };
    for (text, name) in
        [("color == 1", "color"), ("$meta['color'] == 1", "$meta"), ("i64 == 1 or a['b'] == 1", "a")]
    {
        let error = parse(text).and_then(|filter| filter.check(&schema, &Map::new())).expect_err("unknown");
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::UnknownField, format!("field {name} not exist").as_str())
        );
    }
}
