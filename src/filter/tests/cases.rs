//! The tables of cases, by the evaluator.

use kite_filter::parse;
use kite_filter::testing::cases::{Case, Expected, Section, sections};
use kite_filter::testing::schema;

/// What becomes of an expression on the rows of its section.
fn outcome(section: &Section, case: &Case) -> Expected {
    match parse(&case.expression).and_then(|filter| filter.check(&schema(), &case.parameters)) {
        Err(error) => Expected::Error(error.position(), error.message().to_owned()),
        Ok(filter) => {
            let names =
                section.rows.iter().filter(|(_, row)| filter.matches(row)).map(|(name, _)| name.clone());
            Expected::Rows(names.collect())
        }
    }
}

#[test]
fn every_case_has_its_outcome() {
    let mut wrong = Vec::new();
    for section in sections() {
        for case in &section.cases {
            let outcome = outcome(&section, case);
            if outcome != case.expected {
                wrong.push(format!(
                    "{}: {} => {outcome:?}\n    not {:?}",
                    section.name, case.expression, case.expected
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn there_are_many() {
    let sections = sections();
    let cases = sections.iter().flat_map(|section| &section.cases);
    let (rows, errors): (Vec<_>, Vec<_>) = cases.partition(|case| matches!(case.expected, Expected::Rows(_)));
    assert!(rows.len() >= 400, "{} cases with rows", rows.len());
    assert!(errors.len() >= 120, "{} cases with errors", errors.len());
}

#[test]
fn what_is_printed_reads_as_the_same() {
    for case in sections().iter().flat_map(|section| &section.cases) {
        let Ok(filter) = parse(&case.expression) else { continue };
        let again = parse(&filter.to_string()).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(again.to_string(), filter.to_string());
        assert_eq!(
            again.check(&schema(), &case.parameters).ok(),
            filter.check(&schema(), &case.parameters).ok(),
            "{filter}"
        );
    }
}
