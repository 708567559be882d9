//! Filters, as kite-filter prints them, on a real server: the cases of its tables, random ones beside its evaluator, and their plans.
//! None of this needs the extension.

use anyhow::{Context, Result, ensure};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree};
use kite_filter::testing::cases::{Expected, sections};
use kite_filter::testing::{Generator, Row, schema};
use kite_filter::{CheckedFilter, parse};
use kite_tests::filter;
use postgres::Client;
use serde_json::{Map, json};

/// A server with table `t`, and a session in it.
fn table() -> Result<(Cluster, Client)> {
    let cluster = Cluster::builder(&PrivateTree::open(DEFAULT_MAJOR, PrivateTree::OWN)?).start()?;
    let mut client = cluster.connect()?;
    filter::create_table(&mut client)?;
    Ok((cluster, client))
}

fn checked(expression: &str) -> Result<CheckedFilter> {
    Ok(parse(expression)?.check(&schema(), &Map::new())?)
}

/// The path that a session has when somebody wishes it ill: what the printed text calls is found elsewhere, and raises an error.
const HOSTILE: &str = "
    CREATE SCHEMA evil;
    DO $do$
    DECLARE o record;
    BEGIN
        FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result
                 FROM pg_operator WHERE oprkind = 'b' AND oprnamespace = 'pg_catalog'::regnamespace
                   AND oprname IN ('=', '<>', '<', '<=', '>', '>=', '@>', '&&', '~~', '!~~', '~', '!~', '#>', '#>>', '->', '%', '+', '-', '*')
                   AND 'internal'::regtype NOT IN (oprleft, oprright)
                   AND (oprleft::regtype::text ~ '^(bigint|integer|smallint|text|jsonb|boolean|real|double precision|numeric|anyarray)$')
                   AND (oprright::regtype::text ~ '^(bigint|integer|smallint|text|text..|jsonb|boolean|real|double precision|numeric|anyarray)$')
        LOOP
            EXECUTE format('CREATE OR REPLACE FUNCTION evil.trap(%s, %s) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN RAISE ''trapped''; END $f$',
                           o.l, o.r);
            EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.trap)', o.oprname, o.l, o.r);
        END LOOP;
        FOR o IN SELECT unnest(ARRAY['jsonb_typeof(jsonb)', 'jsonb_array_length(jsonb)', 'jsonb_array_elements(jsonb)',
                                     'cardinality(anyarray)', 'random()', 'abs(numeric)', 'trunc(numeric)', 'div(numeric, numeric)']) AS f
        LOOP
            EXECUTE format('CREATE FUNCTION evil.%s RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN RAISE ''trapped''; END $f$', o.f);
        END LOOP;
    END $do$;
    CREATE DOMAIN evil.numeric AS text;
    CREATE COLLATION evil.\"C\" (provider = icu, locale = 'und')";

#[test]
fn the_cases_hold_on_a_server() -> Result<()> {
    let (_cluster, mut client) = table()?;
    client.batch_execute("CREATE INDEX ON t USING gin (\"$meta\"); CREATE INDEX ON t USING gin (ints)")?;
    client.batch_execute(HOSTILE)?;
    let (mut wrong, mut trapped) = (Vec::new(), 0);
    for section in sections() {
        client.batch_execute("SET search_path = public; TRUNCATE t")?;
        filter::insert(&mut client, (1_i64..).zip(section.rows.iter().map(|(_, row)| row)))?;
        for case in &section.cases {
            let Expected::Rows(expected) = &case.expected else { continue };
            let filter = parse(&case.expression)?.check(&schema(), &case.parameters)?;
            client.batch_execute("SET search_path = public")?;
            let ids = filter::matching(&mut client, &filter).with_context(|| case.expression.clone())?;
            let names: Vec<&str> = ids.iter().map(|id| section.rows[*id as usize - 1].0.as_str()).collect();
            if names != *expected {
                wrong.push(format!("{}: {} => {}", section.name, case.expression, names.join(" ")));
            }
            let again = filter::matching_for_people(&mut client, &filter)?;
            ensure!(again == ids, "{}: for people {again:?}, else {ids:?}", case.expression);
            client.batch_execute("SET search_path = evil, pg_catalog, public")?;
            let again = filter::matching(&mut client, &filter).with_context(|| case.expression.clone())?;
            ensure!(again == ids, "{}: on a hostile path {again:?}, else {ids:?}", case.expression);
            trapped += usize::from(filter::matching_for_people(&mut client, &filter).is_err());
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Plain operators do fall into the trap, so it is one.
    ensure!(trapped > 200, "{trapped}");
    Ok(())
}

#[test]
fn random_filters_match_what_the_evaluator_says() -> Result<()> {
    let rounds = std::env::var("KITE_FILTER_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
    let (_cluster, mut client) = table()?;
    let mut found = [0_usize; 2];
    for seed in 0..rounds {
        let mut generator = Generator::new(seed);
        let rows: Vec<Row> = (0..60).map(|id| generator.row(id)).collect();
        client.batch_execute("TRUNCATE t")?;
        filter::insert(&mut client, (0..).zip(&rows))?;
        for _ in 0..500 {
            let depth = (found[0] % 4) as u32;
            let expression = generator.expression(depth);
            let filter = checked(&expression).with_context(|| expression.clone())?;
            let expected: Vec<i64> =
                (0..).zip(&rows).filter(|(_, row)| filter.matches(row)).map(|(id, _)| id).collect();
            let ids = filter::matching(&mut client, &filter).with_context(|| expression.clone())?;
            ensure!(
                ids == expected,
                "seed {seed}: {expression}\n{}\nserver {ids:?}, evaluator {expected:?}\n{}",
                filter.to_display_sql(&kite_filter::SqlOptions::default()),
                differing(&rows, &ids, &expected)
            );
            ensure!(filter::matching_for_people(&mut client, &filter)? == ids, "for people: {expression}");
            found[0] += 1;
            found[1] += usize::from(!ids.is_empty() && ids.len() < rows.len());
        }
    }
    // A test in which nearly nothing or nearly everything matches would show little.
    ensure!(found[1] * 2 > found[0], "only {} of {} expressions tell rows apart", found[1], found[0]);
    Ok(())
}

fn differing(rows: &[Row], ids: &[i64], expected: &[i64]) -> String {
    let differ = (0_i64..).zip(rows).filter(|(id, _)| ids.contains(id) != expected.contains(id));
    differ.map(|(id, row)| format!("{id}: {}\n", row.to_json())).collect()
}

/// Values that a generator of decent rows would not make: what a computation could overflow on, and JSON of every shape where another is
/// expected.
const EXTREMES: &str = r#"
    INSERT INTO t (id, i8, i16, i32, i64, f, d, ints, floats, j, "$meta")
    SELECT row_number() OVER (), i, i, i * 65536::int, i * 281474976710656, x::real, x, ARRAY[i, i], ARRAY[x, x]::real[], j, jsonb_build_object('k', j, 'm', j)
    FROM (VALUES (-32768, '-Infinity'::float8), (32767, 'Infinity'), (0, 'NaN'), (-1, '1e-45'), (1, '-0')) AS scalar (i, x),
         unnest(ARRAY['1e131071', '-1e131071', '1e-16383', '1e309', '-1e309', '1e308', '99999999999999999999999999', '0', '-0.0', '""', '"0"', '[]',
                      '{}', '[[]]', '[{}]', '{"a": []}', '{"a": {"b": null}}', 'null', 'true', '[1e131071, null, "x"]', '{"a": 1e131071, "0": [0]}']::jsonb[]) AS j"#;

#[test]
fn no_row_raises_an_error() -> Result<()> {
    let (_cluster, mut client) = table()?;
    client.batch_execute(EXTREMES)?;
    let mut generator = Generator::new(7);
    for round in 0..1500 {
        let expression = generator.expression(round % 3);
        filter::matching(&mut client, &checked(&expression)?).with_context(|| expression.clone())?;
    }
    for operator in ["+", "-", "*", "/", "%"] {
        for constant in ["1", "-1", "9223372036854775807", "-9223372036854775808"] {
            for field in ["i16", "i64", "ints[0]", "k", "j", "j[0]"] {
                let expression = format!("{field} {operator} {constant} > 1");
                filter::matching(&mut client, &checked(&expression)?).with_context(|| expression.clone())?;
            }
        }
        for constant in ["1e308", "-1e-308", "0.1"] {
            for field in ["f", "d", "floats[0]", "k", "j", "j[0]"].iter().filter(|_| operator != "%") {
                // Out of range of a Float, or zero as one, is refused beforehand.
                let Ok(filter) = checked(&format!("{field} {operator} {constant} <= 1")) else { continue };
                filter::matching(&mut client, &filter)
                    .with_context(|| format!("{field} {operator} {constant}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn indexes_answer() -> Result<()> {
    let (_cluster, mut client) = table()?;
    client.batch_execute(
        "INSERT INTO t (id, i8, i64, f, d, s, ints, words, \"$meta\")
             SELECT i, i % 100, i * 10, i, i, 'name ' || i, ARRAY[i, i + 1], ARRAY['w' || i],
                    jsonb_build_object('k', i, 'color', 'c' || i, 'tags', jsonb_build_array('t' || i), 'o', jsonb_build_object('p', i))
             FROM generate_series(1, 20000) i;
         CREATE INDEX t_i64 ON t (i64);
         CREATE INDEX t_f ON t (f);
         CREATE INDEX t_d ON t (d);
         CREATE INDEX t_s_equal ON t (s);
         CREATE INDEX t_s_order ON t (s COLLATE \"C\");
         CREATE INDEX t_ints ON t USING gin (ints);
         CREATE INDEX t_words ON t USING gin (words);
         CREATE INDEX t_meta ON t USING gin (\"$meta\" jsonb_path_ops);
         ANALYZE t",
    )?;
    let cases = [
        ("id == 7", "t_pkey"),
        ("id in [1, 2, 3]", "t_pkey"),
        ("i64 == 70", "t_i64"),
        ("10 < i64 <= 40", "t_i64"),
        ("i64 + 5 == 75", "t_i64"),
        ("i64 * 2 <= 100", "t_i64"),
        ("i64 in [10, 20]", "t_i64"),
        ("f == 7", "t_f"),
        ("f * 2 < 20.5", "t_f"),
        ("d / 3 == 7", "t_d"),
        ("s == 'name 7'", "t_s_equal"),
        ("s in ['name 7', 'name 8']", "t_s_equal"),
        ("'name 70' <= s < 'name 71'", "t_s_order"),
        ("s like 'name 77%'", "t_s_order"),
        ("s =~ '^name 77'", "t_s_order"),
        ("array_contains(ints, 7)", "t_ints"),
        ("array_contains_all(ints, [7, 8])", "t_ints"),
        ("array_contains_any(ints, [7, 9])", "t_ints"),
        ("array_contains(words, 'w7')", "t_words"),
        ("color == 'c7'", "t_meta"),
        ("$meta['k'] == 7", "t_meta"),
        ("o['p'] == 7", "t_meta"),
        ("color in ['c7', 'c8']", "t_meta"),
        ("json_contains(tags, 't7')", "t_meta"),
        ("json_contains_all(tags, ['t7'])", "t_meta"),
        ("json_contains_any(tags, ['t7', 't8'])", "t_meta"),
        ("color == 'c7' and i8 > 3", "t_meta"),
        ("not (not (color == 'c7'))", "t_meta"),
    ];
    for (expression, index) in cases {
        let filter = checked(expression)?;
        let plan = filter::plan(&mut client, &filter)?;
        ensure!(plan.contains(index), "{expression}\n{plan}");
        ensure!(!filter::matching(&mut client, &filter)?.is_empty(), "{expression}");
    }
    // The other index that answers LIKE, where the column's own order is not that of bytes.
    client.batch_execute("DROP INDEX t_s_order; CREATE INDEX t_s_pattern ON t (s text_pattern_ops)")?;
    let plan = filter::plan(&mut client, &checked("s like 'name 77%'")?)?;
    ensure!(plan.contains("t_s_pattern"), "{plan}");
    Ok(())
}

/// Expressions with which two engines may well differ, and texts to try them on.
const PATTERNS: [&str; 46] = [
    "",
    "()",
    "(|a)",
    "(a|)",
    "a{0}",
    "a{0,0}b",
    "(?:^)*a",
    "(?:a*)*",
    "(a+)+$",
    "^*",
    r"\b",
    r"\B",
    r"(?:\b)?a",
    r"\ba\b",
    "^$",
    "(?m)^$",
    "(?m)^b",
    "(?m)a$",
    "a$",
    r"a\z",
    r"\Aa",
    "(?s)^.$",
    "^.$",
    "^..$",
    r"\.",
    r"\\",
    r"[\]\[]",
    r"[\^a-]",
    "[^a]",
    r"[^\w\s]",
    r"[\D]",
    r"\D\W\S",
    "(?i)A",
    "(?i)k",
    "(?i)ß",
    "(?i)[^a]",
    "(?i:a)B",
    "a(?i)b",
    "a|b|",
    "(?:a|ab)(?:c|bcd)$",
    "[[:upper:]]",
    "[^[:space:]]",
    r"\x{1F600}",
    "é{2}",
    "[à-ü]",
    "***=a",
];
const TEXTS: [&str; 24] = [
    "", "a", "b", "A", "ab", "aB", "abcd", "aaaa", "a\nb", "\n", "a\n", "\nb", "a.b", "a\\b", "[]", "^-",
    "é", "éé", "É", "ss", "K", "\u{212a}", "😀", "***=a b",
];

#[test]
fn regular_expressions_are_read_alike() -> Result<()> {
    let (_cluster, mut client) = table()?;
    let rows: Vec<Row> = TEXTS
        .iter()
        .map(|text| {
            let entity = Map::from_iter([("id".to_owned(), json!(0)), ("s".to_owned(), json!(text))]);
            Row::from_json(&schema(), &entity).map_err(anyhow::Error::msg)
        })
        .collect::<Result<_>>()?;
    filter::insert(&mut client, (0..).zip(&rows))?;
    let (mut wrong, mut refused) = (Vec::new(), Vec::new());
    for pattern in PATTERNS {
        let Ok(filter) = checked(&format!("s =~ r\"{pattern}\"")) else {
            refused.push(pattern);
            continue;
        };
        let expected: Vec<&str> = TEXTS
            .into_iter()
            .zip(&rows)
            .filter(|(_, row)| filter.matches(row))
            .map(|(text, _)| text)
            .collect();
        let found = filter::matching(&mut client, &filter).with_context(|| pattern.to_owned())?;
        let found: Vec<&str> = found.iter().map(|id| TEXTS[*id as usize]).collect();
        if found != expected {
            wrong.push(format!("{pattern}: server {found:?}, expected {expected:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(refused == ["***=a"], "{refused:?}");
    Ok(())
}

#[test]
fn thousands_of_keys_are_one_parameter() -> Result<()> {
    let (_cluster, mut client) = table()?;
    client.batch_execute(
        "INSERT INTO t (id, s) SELECT i, 's' || i FROM generate_series(1, 30000) i; ANALYZE t",
    )?;
    let ids: Vec<i64> = (1..=16_384).map(|i| i * 2).collect();
    let list = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let expected: Vec<i64> = ids.iter().copied().filter(|id| *id <= 30_000).collect();
    let filter = checked(&format!("id in [{list}]"))?;
    ensure!(filter::matching(&mut client, &filter)? == expected, "written out");
    let parameters = json!({ "ids": ids });
    let filter = parse("id in {ids}")?.check(&schema(), parameters.as_object().context("an object")?)?;
    ensure!(filter::matching(&mut client, &filter)? == expected, "as a template");
    ensure!(filter.to_sql(&kite_filter::SqlOptions::default()).parameters.len() == 1, "one parameter");
    Ok(())
}
