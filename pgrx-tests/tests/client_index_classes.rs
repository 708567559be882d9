//! Every operator class of every access method: order and recall beside an exact scan, on built indexes and on those that began empty, up to the
//! dimensions that the types allow.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::method::{HNSW, IVF, IVFFLAT, Method};
use kite_tests::script::describe;
use kite_tests::search::{Search, number};
use kite_tests::workload::complete;
use kite_tests::{server, vectors};
use postgres::Client;

kite_tests::for_each_method! {
    every_class_of_vector_finds_what_an_exact_scan_finds,
    every_class_of_halfvec_finds_what_an_exact_scan_finds,
    every_class_of_bit_finds_what_an_exact_scan_finds,
    the_longest_vectors_are_indexed,
    a_column_without_dimensions_is_refused,
    rows_of_three_dimensions_are_found_at_defaults,
}

/// Type, operator class without the type's name, operator.
const CLASSES: [(&str, &str, &str); 14] = [
    ("vector", "l2", "<->"),
    ("vector", "ip", "<#>"),
    ("vector", "cosine", "<=>"),
    ("vector", "l1", "<+>"),
    ("halfvec", "l2", "<->"),
    ("halfvec", "ip", "<#>"),
    ("halfvec", "cosine", "<=>"),
    ("halfvec", "l1", "<+>"),
    ("sparsevec", "l2", "<->"),
    ("sparsevec", "ip", "<#>"),
    ("sparsevec", "cosine", "<=>"),
    ("sparsevec", "l1", "<+>"),
    ("bit", "hamming", "<~>"),
    ("bit", "jaccard", "<%>"),
];

fn literal(kind: &str, values: &[f32]) -> String {
    match kind {
        "sparsevec" => vectors::sparse_literal(values),
        "bit" => vectors::bit_literal(values),
        _ => vectors::literal(values),
    }
}

/// Rows and queries of the real set, as a type has them: sparse ones keep their largest elements.
fn real(kind: &str) -> Result<(Vec<String>, Vec<String>)> {
    let mut all = vectors::demo()?;
    if kind == "sparsevec" {
        all.iter_mut().flatten().filter(|x| x.abs() < 0.1).for_each(|x| *x = 0.0);
    }
    let mut literals: Vec<String> = all.iter().map(|values| literal(kind, values)).collect();
    let queries = literals.split_off(literals.len() - 50);
    Ok((literals, queries))
}

/// Loads, indexes, and searches both ways; then the same into an index that was there before the rows.
fn recall(
    client: &mut Client,
    method: Method,
    (kind, class, operator): (&str, &str, &str),
    (dims, base, queries): (usize, &[String], &[String]),
    least: f64,
) -> Result<()> {
    let of_type = format!("{kind}({dims})");
    let search = Search::new("t", operator, &of_type);
    client.batch_execute(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, v {of_type})"))?;
    let index = method.index("i", &format!("t (v {kind}_{class}_ops)"));
    vectors::copy_into(client, "t", 0, base.iter().cloned())?;
    client.batch_execute(&index)?;
    let built = search.recall(client, queries, 10)?;
    complete(client, "t", "i")?;
    client.batch_execute(&format!("TRUNCATE t; DROP INDEX i; {index}"))?;
    vectors::copy_into(client, "t", 0, base.iter().cloned())?;
    let filled = search.recall(client, queries, 10)?;
    complete(client, "t", "i")?;
    eprintln!("{kind}({dims}) {class}: recall {built:.4} built, {filled:.4} filled");
    ensure!(
        built.min(filled) >= least,
        "{kind}({dims}) {class}: recall {built:.4} built, {filled:.4} filled"
    );
    Ok(())
}

/// A database, and a session that finds enough: at defaults, but for pgvector's own of lists.
fn database(method: Method) -> Result<(Cluster, Client)> {
    let (cluster, mut client) = server::own_database()?;
    if method.name == IVFFLAT.name {
        client.batch_execute(method.thorough)?;
    }
    Ok((cluster, client))
}

/// Whether the access method has an operator class.
fn has(client: &mut Client, method: Method, class: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE amname = $1::text AND opcname = $2::text)";
    Ok(client.query_one(sql, &[&method.name, &class])?.get(0))
}

fn every_class_of(method: Method, kind: &str) -> Result<()> {
    let (_cluster, mut client) = database(method)?;
    let (base, queries) = real(kind)?;
    let mut found = 0;
    for class in CLASSES.into_iter().filter(|class| class.0 == kind) {
        if has(&mut client, method, &format!("{kind}_{}_ops", class.1))? {
            recall(&mut client, method, class, (384, &base, &queries), 0.95).context(class.1)?;
            found += 1;
        }
    }
    ensure!(found > 0, "{} has no operator class of {kind}", method.name);
    Ok(())
}

fn every_class_of_vector_finds_what_an_exact_scan_finds(method: Method) -> Result<()> {
    every_class_of(method, "vector")
}

fn every_class_of_halfvec_finds_what_an_exact_scan_finds(method: Method) -> Result<()> {
    every_class_of(method, "halfvec")
}

#[test]
fn every_class_of_sparsevec_finds_what_an_exact_scan_finds() -> Result<()> {
    every_class_of(HNSW, "sparsevec")
}

fn every_class_of_bit_finds_what_an_exact_scan_finds(method: Method) -> Result<()> {
    every_class_of(method, "bit")
}

fn the_longest_vectors_are_indexed(method: Method) -> Result<()> {
    let (_cluster, mut client) = database(method)?;
    let mut rng = Rng::with_seed(1);
    for (class, dims, sparse) in [
        (("vector", "l2", "<->"), 16_000, false),
        (("vector", "cosine", "<=>"), 16_000, false),
        (("halfvec", "l2", "<->"), 16_000, false),
        (("bit", "hamming", "<~>"), 64_000, false),
        (("sparsevec", "l2", "<->"), 1_000_000, true),
    ] {
        if !has(&mut client, method, &format!("{}_{}_ops", class.0, class.1))? {
            continue;
        }
        let values = || {
            let mut values = vec![0.0; dims];
            if sparse {
                (0..5_000).for_each(|place| values[place * 200] = vectors::normal(&mut rng));
                return values;
            }
            vectors::gaussian(&mut rng, dims)
        };
        let mut literals: Vec<String> =
            std::iter::repeat_with(values).take(40).map(|values| literal(class.0, &values)).collect();
        let queries = literals.split_off(34);
        // All rows of noise are about as near, so that a bound by codes of which one in some dozens does not hold costs a row.
        let least = if method.name == IVF.name { 0.95 } else { 0.99 };
        recall(&mut client, method, class, (dims, &literals, &queries), least).context(class.1)?;
    }
    Ok(())
}

fn a_column_without_dimensions_is_refused(method: Method) -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    for kind in ["vector", "halfvec", "sparsevec"] {
        if !has(&mut client, method, &format!("{kind}_l2_ops"))? {
            continue;
        }
        client.batch_execute(&format!("CREATE TABLE {kind}s (id int, v {kind})"))?;
        let index = method.index("i", &format!("{kind}s (v {kind}_l2_ops)"));
        let error = client.batch_execute(&index).expect_err("it was built");
        ensure!(describe(&error) == "22023: column does not have dimensions", "{}", describe(&error));
    }
    Ok(())
}

fn rows_of_three_dimensions_are_found_at_defaults(method: Method) -> Result<()> {
    let (_cluster, mut client) = database(method)?;
    let mut rng = Rng::with_seed(2);
    let mut vector = || vectors::literal(&[rng.f32(), rng.f32(), rng.f32()]);
    let base: Vec<String> = (0..10_000).map(|_| vector()).collect();
    let queries: Vec<String> = (0..20).map(|_| vector()).collect();
    let table = "DROP TABLE IF EXISTS t; CREATE TABLE t (id int, v vector(3))";
    for (class, operator, least) in
        [("l2", "<->", 0.99), ("ip", "<#>", 0.9), ("cosine", "<=>", 0.99), ("l1", "<+>", 0.99)]
    {
        if !has(&mut client, method, &format!("vector_{class}_ops"))? {
            continue;
        }
        let search = Search::new("t", operator, "vector");
        let index = method.index("i", &format!("t (v vector_{class}_ops)"));
        for first in [false, true] {
            client.batch_execute(table)?;
            if first {
                client.batch_execute(&index)?;
            }
            vectors::copy_into(&mut client, "t", 0, base.iter().cloned())?;
            if !first {
                client.batch_execute(&index)?;
            }
            let recall = search.recall(&mut client, &queries, 20)?;
            eprintln!("{class}, {}: recall {recall:.4}", if first { "filled" } else { "built" });
            ensure!(recall >= least, "{class}: recall {recall}");
            ensure!(number(&mut client, "SELECT kite.index_info('i') ->> 'rows'")? == 10_000);
        }
    }
    Ok(())
}
