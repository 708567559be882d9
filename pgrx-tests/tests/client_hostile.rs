//! Input that no honest client sends, over a real connection. Each answer is the value or an error of the data, and the
//! session and the server live on. (The parsers themselves are fuzzed without a server, in their own crate.)

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::script::describe;
use kite_tests::server;
use kite_tests::wire::{self, Raw};
use postgres::{Client, Statement};
use std::io::Write;

/// The same inputs in every run.
const SEED: u64 = 20_241_107;
/// Inputs a type and test.
const ROUNDS: usize = 3000;

/// Numbers at the edges of header fields.
const EDGES: [i32; 14] =
    [0, 1, -1, 2, 3, 127, 15_999, 16_000, 16_001, 32_767, 32_768, 1_000_000_001, i32::MAX, i32::MIN];

#[test]
fn hostile_binary_values_are_errors() -> Result<()> {
    let server = server::own()?;
    let answers = on(&server, "pgkite", binary_answers)?;
    let refused = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    println!("{} inputs, {refused} refused", answers.len());
    ensure!(refused > answers.len() / 2 && refused < answers.len(), "both kinds of input are wanted");
    same_on_pgvector(&answers, binary_answers)
}

#[test]
fn hostile_text_is_an_error() -> Result<()> {
    let server = server::own()?;
    let answers = on(&server, "pgkite", text_answers)?;
    let refused = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    println!("{} inputs, {refused} refused", answers.len());
    ensure!(refused > answers.len() / 2 && refused < answers.len(), "both kinds of input are wanted");
    same_on_pgvector(&answers, text_answers)
}

#[test]
fn broken_copy_files_are_errors() -> Result<()> {
    on(&server::own()?, "pgkite", |client| {
        let mut rng = Rng::with_seed(SEED);
        for (kind, valid) in samples() {
            client.batch_execute(&format!("CREATE TABLE {kind}_copy (v {kind}(3))"))?;
            let file = wire::copy_file(valid.iter().map(|value| Some(value.as_slice())));
            let copy = format!("COPY {kind}_copy FROM STDIN (FORMAT binary)");
            for _ in 0..300 {
                // The signature stays whole: behind it is what the receive functions see.
                let (signature, rest) = file.split_at(19);
                let broken = [signature, &mutate(&mut rng, rest)].concat();
                let mut writer = client.copy_in(&copy)?;
                writer.write_all(&broken)?;
                if let Err(error) = writer.finish() {
                    expected_class(&error)?;
                } else {
                    // Whatever was taken can be read.
                    client.batch_execute(&format!("SELECT v::text FROM {kind}_copy"))?;
                }
            }
        }
        Ok(())
    })
}

#[test]
fn endless_literals_are_refused() -> Result<()> {
    on(&server::own()?, "pgkite", |client| {
        for (kind, literal) in [
            ("vector", "'[' || repeat('1,', 20000000) || '1]'"),
            ("vector", "repeat('[', 20000000)"),
            ("vector", "'[' || repeat('9', 20000000) || ']'"),
            ("vector", "'[1' || repeat(' ', 20000000)"),
            ("halfvec", "'[' || repeat('0.1,', 20000000)"),
            ("sparsevec", "'{' || repeat('1:1,', 20000000) || '}/3'"),
            ("sparsevec", "'{1:1}/' || repeat('9', 20000000)"),
        ] {
            let error = client
                .batch_execute(&format!("SELECT ({literal})::{kind}"))
                .expect_err("an endless literal was accepted");
            expected_class(&error)?;
        }
        Ok(())
    })
}

/// What the server said to one input: the value's bytes, or the error.
type Answer = Result<Vec<u8>, String>;
/// What was sent, as text, and what came back.
type Answers = Vec<(String, Answer)>;

/// Runs `work` in a new database and makes sure that nothing crashed meanwhile.
fn on<T>(server: &Cluster, extension: &str, work: impl FnOnce(&mut Client) -> Result<T>) -> Result<T> {
    let mut client = server::database(server, "hostile", extension)?;
    let life = "SELECT pg_backend_pid()::text || ' ' || pg_postmaster_start_time()::text";
    let before: String = client.query_one(life, &[])?.get(0);
    let outcome = work(&mut client)?;
    assert_eq!(client.query_one(life, &[])?.get::<_, String>(0), before);
    let log = server.log()?;
    ensure!(!log.contains("PANIC") && !log.contains("terminated by signal"), "a process crashed:\n{log}");
    Ok(outcome)
}

fn same_on_pgvector(ours: &Answers, work: impl FnOnce(&mut Client) -> Result<Answers>) -> Result<()> {
    let Some(server) = server::pgvector("pgvector's answers to the same inputs")? else { return Ok(()) };
    let theirs = on(&server, "vector", work)?;
    let differ: Vec<_> = ours.iter().zip(&theirs).filter(|(our, their)| our != their).collect();
    ensure!(
        differ.is_empty(),
        "{} answers differ (ours, pgvector's), among them {:#?}",
        differ.len(),
        &differ[..differ.len().min(10)]
    );
    Ok(())
}

fn binary_answers(client: &mut Client) -> Result<Answers> {
    let mut rng = Rng::with_seed(SEED);
    let mut answers = Vec::new();
    for (kind, valid) in samples() {
        let statement = client.prepare(&format!("SELECT $1::{kind}"))?;
        for cut in 0..valid[0].len() {
            ask_binary(client, &statement, &valid[0][..cut], kind, &mut answers)?;
        }
        for round in 0..ROUNDS {
            let input = mutate(&mut rng, &valid[round % valid.len()]);
            ask_binary(client, &statement, &input, kind, &mut answers)?;
        }
    }
    Ok(answers)
}

fn ask_binary(
    client: &mut Client,
    statement: &Statement,
    input: &[u8],
    kind: &str,
    answers: &mut Answers,
) -> Result<()> {
    let sent = format!("{kind} {input:02x?}");
    let answer = match client.query_one(statement, &[&Raw(input.to_vec())]) {
        Ok(row) => {
            let value = row.get::<_, Raw>(0).0;
            ensure!(value == input, "{sent} came back as {value:02x?}");
            Ok(value)
        }
        Err(error) => Err(expected_class(&error)?),
    };
    answers.push((sent, answer));
    Ok(())
}

fn text_answers(client: &mut Client) -> Result<Answers> {
    const WORDS: [&str; 34] = [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "/",
        " ",
        "\t",
        "1",
        "2",
        "3",
        "0",
        "-",
        "+",
        ".",
        "e",
        "e38",
        "e-46",
        "0x1p3",
        "NaN",
        "inf",
        "65504",
        "65520",
        "3.5e38",
        "2147483648",
        "-2147483649",
        "1e",
        "é",
        "\\",
        "\"",
        "[1,2",
        "{1:2",
        "}/3",
    ];
    let mut rng = Rng::with_seed(SEED);
    let mut answers = Vec::new();
    for (kind, valid) in
        [("vector", "[1,-2.5,3e7]"), ("halfvec", "[1,-2.5,3e4]"), ("sparsevec", "{1:1,3:-2.5}/4")]
    {
        let statement = client.prepare(&format!("SELECT v::text, {kind}_send(v), {kind}_send(v::text::{kind}) FROM (SELECT ($1::text)::{kind} v) t"))?;
        for round in 0..ROUNDS {
            let input: String = if round % 2 == 0 {
                // One to three words put in or over a valid literal.
                let mut text = valid.to_owned();
                for _ in 0..rng.usize(1..=3) {
                    let at = rng.usize(0..=text.len());
                    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                    let end = if rng.bool() {
                        at
                    } else {
                        text[at..].char_indices().nth(1).map_or(text.len(), |(i, _)| at + i)
                    };
                    text.replace_range(at..end, WORDS[rng.usize(..WORDS.len())]);
                }
                text
            } else {
                (0..rng.usize(0..8)).map(|_| WORDS[rng.usize(..WORDS.len())]).collect()
            };
            let sent = format!("{kind} {input:?}");
            let answer = match client.query_one(&statement, &[&input]) {
                Ok(row) => {
                    let (value, again): (Vec<u8>, Vec<u8>) = (row.get(1), row.get(2));
                    ensure!(
                        value == again,
                        "{sent} prints as {}, which is another value",
                        row.get::<_, &str>(0)
                    );
                    Ok(value)
                }
                Err(error) => Err(expected_class(&error)?),
            };
            answers.push((sent, answer));
        }
    }
    Ok(answers)
}

/// Valid values of three dimensions.
fn samples() -> [(&'static str, Vec<Vec<u8>>); 3] {
    [
        ("vector", vec![wire::vector(&[1.0, -2.5, 3e7]), wire::vector(&[0.0, -0.0, f32::MAX])]),
        ("halfvec", vec![wire::halfvec(&[0x3c00, 0xc100, 0x7bff]), wire::halfvec(&[0, 0x8000, 1])]),
        (
            "sparsevec",
            vec![
                wire::sparsevec(3, &[(0, 1.0), (2, -2.5)]),
                wire::sparsevec(3, &[]),
                wire::sparsevec(3, &[(1, 1e-45)]),
            ],
        ),
    ]
}

/// A valid value with one to three things wrong with it, or pure noise.
fn mutate(rng: &mut Rng, valid: &[u8]) -> Vec<u8> {
    if rng.u8(..) < 16 {
        return (0..rng.usize(0..64)).map(|_| rng.u8(..)).collect();
    }
    let mut bytes = valid.to_vec();
    for _ in 0..rng.usize(1..=3) {
        let at = rng.usize(0..=bytes.len());
        match rng.u8(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.extend((0..rng.usize(1..9)).map(|_| rng.u8(..))),
            2 => bytes.insert(at, rng.u8(..)),
            3 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.u8(0..8)),
            4 => overwrite(&mut bytes, at & !1, &EDGES[rng.usize(..EDGES.len())].to_be_bytes()[2..]),
            _ => overwrite(&mut bytes, at & !3, &EDGES[rng.usize(..EDGES.len())].to_be_bytes()),
        }
    }
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

/// The error as text, if it is one that data may cause: invalid data (22), a limit (54), a protocol violation (08P01).
fn expected_class(error: &postgres::Error) -> Result<String> {
    let text = describe(error);
    let code = error.code().with_context(|| text.clone())?.code();
    ensure!(code.starts_with("22") || code.starts_with("54") || code == "08P01", "{text}");
    Ok(text)
}
