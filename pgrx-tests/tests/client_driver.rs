//! Values of every type through a driver, in binary, both ways.

use anyhow::Result;
use half::f16;
use kite_tests::server::own_database;
use kite_tests::wire::{self, Raw};
use pgvector::{Bit, HalfVector, SparseVector, Vector};
use postgres::Client;
use postgres::types::{FromSql, ToSql};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};

/// Elements at the edges of float4: signed zeros, the largest, the smallest normal and the smallest subnormal.
const EDGES: [f32; 9] = [0.0, -0.0, 1.5, -2.25, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45];

/// The same of binary16, as bits.
const HALF_EDGES: [u16; 8] = [0x0000, 0x8000, 0x3e00, 0xc080, 0x7bff, 0xfbff, 0x0400, 0x0001];

#[test]
fn the_pgvector_crate_reads_what_it_wrote() -> Result<()> {
    let (_cluster, mut client) = own_database()?;
    for value in [vec![7.0], EDGES.to_vec(), vec![0.1; 16_000]] {
        let (back, _) = round_trip(&mut client, "vector", &Vector::from(value.clone()))?;
        assert_eq!(bits(back.as_slice()), bits(&value));
    }
    for value in [vec![0x3c00], HALF_EDGES.to_vec(), vec![0x2e66; 16_000]] {
        let halves: Vec<f16> = value.iter().map(|half| f16::from_bits(*half)).collect();
        let (back, _) = round_trip(&mut client, "halfvec", &HalfVector::from(halves))?;
        assert_eq!(back.as_slice().iter().map(|half| half.to_bits()).collect::<Vec<_>>(), value);
    }
    let (_, text) = round_trip(&mut client, "vector", &Vector::from(EDGES.to_vec()))?;
    assert_eq!(text, "[0,-0,1.5,-2.25,3.4028235e+38,-3.4028235e+38,1.1754944e-38,1e-45,-1e-45]");

    let sparse = SparseVector::from_map(
        &BTreeMap::from([(0, f32::MAX), (7, -1e-45), (999_999_999, 2.5)]),
        1_000_000_000,
    );
    assert_eq!(round_trip(&mut client, "sparsevec", &sparse)?.0, sparse);
    let empty = SparseVector::from_dense(&[0.0; 3]);
    assert_eq!(round_trip(&mut client, "sparsevec", &empty)?, (empty, "{}/3".into()));

    let bit = Bit::new(&[true, false, true, true, false, false, true, true, true]);
    assert_eq!(round_trip(&mut client, "bit(9)", &bit)?, (bit, "101100111".into()));
    assert_eq!(
        client.query_one("SELECT $1::bit(3) <~> B'101'", &[&Bit::new(&[true; 3])])?.get::<_, f64>(0),
        1.0
    );
    Ok(())
}

#[test]
fn an_application_stores_and_searches() -> Result<()> {
    let (_cluster, mut client) = own_database()?;
    client.batch_execute(
        "CREATE TABLE items (id int PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(3), b bit(3))",
    )?;
    let insert = client.prepare("INSERT INTO items VALUES ($1, $2, $3, $4, $5)")?;
    for id in 0..100_u8 {
        let v = [f32::from(id), 1.0, 0.0];
        let (dense, half) = (Vector::from(v.to_vec()), HalfVector::from_f32_slice(&v));
        let (sparse, bit) =
            (SparseVector::from_dense(&v), Bit::new(&[id & 4 != 0, id & 2 != 0, id & 1 != 0]));
        client.execute(&insert, &[&i32::from(id), &dense, &half, &sparse, &bit])?;
    }
    client.execute(
        &insert,
        &[&-1, &None::<Vector>, &None::<HalfVector>, &None::<SparseVector>, &None::<Bit>],
    )?;

    let query = [41.75, 1.0, 0.0];
    let (dense, half) = (Vector::from(query.to_vec()), HalfVector::from_f32_slice(&query));
    let sparse = SparseVector::from_dense(&query);
    let searches: [(&str, &(dyn ToSql + Sync)); 3] = [("v", &dense), ("h", &half), ("s", &sparse)];
    for (column, value) in searches {
        let sql = format!("SELECT id, {column} <-> $1 FROM items ORDER BY {column} <-> $1 LIMIT 3");
        let found: Vec<(i32, f64)> =
            client.query(&sql, &[value])?.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(found, [(42, 0.25), (41, 0.75), (43, 1.25)], "column {column}");
    }
    let row = client.query_one("SELECT v, h, s, b FROM items WHERE id = -1", &[])?;
    assert_eq!(row.get::<_, Option<Vector>>(0), None);
    assert_eq!(row.get::<_, Option<Bit>>(3), None);
    let mean: Vector = client.query_one("SELECT avg(v) FROM items", &[])?.get(0);
    assert_eq!(mean.as_slice(), [49.5, 1.0, 0.0]);
    Ok(())
}

#[test]
fn binary_copy_out_is_binary_copy_in() -> Result<()> {
    let (_cluster, mut client) = own_database()?;
    let widest: Vec<(i32, f32)> = (0..16_000).map(|i| (i * 60_000, 1.5)).collect();
    let columns: [(&str, Vec<Vec<u8>>); 4] = [
        ("vector", vec![wire::vector(&EDGES), wire::vector(&[1.0]), wire::vector(&[0.1; 16_000])]),
        ("halfvec", vec![wire::halfvec(&HALF_EDGES), wire::halfvec(&[0x3c00; 16_000])]),
        (
            "sparsevec",
            vec![
                wire::sparsevec(5, &[]),
                wire::sparsevec(1_000_000_000, &[(0, f32::MIN), (999_999_999, 1e-45)]),
                wire::sparsevec(1_000_000_000, &widest),
            ],
        ),
        ("varbit", vec![vec![0, 0, 0, 0], vec![0, 0, 0, 9, 0xff, 0x80]]),
    ];
    for (kind, values) in columns {
        client.batch_execute(&format!("CREATE TABLE {kind}_copy (v {kind})"))?;
        let fields = values.iter().map(|value| Some(value.as_slice())).chain([None]);
        let file = wire::copy_file(fields);
        let mut writer = client.copy_in(&format!("COPY {kind}_copy FROM STDIN (FORMAT binary)"))?;
        writer.write_all(&file)?;
        assert_eq!(writer.finish()?, values.len() as u64 + 1);
        let mut out = Vec::new();
        client.copy_out(&format!("COPY {kind}_copy TO STDOUT (FORMAT binary)"))?.read_to_end(&mut out)?;
        assert!(out == file, "{kind}: COPY TO differs from what COPY FROM read");

        // And through text: equal bytes again.
        let mut text = Vec::new();
        client.copy_out(&format!("COPY {kind}_copy TO STDOUT"))?.read_to_end(&mut text)?;
        client.batch_execute(&format!("TRUNCATE {kind}_copy"))?;
        let mut writer = client.copy_in(&format!("COPY {kind}_copy FROM STDIN"))?;
        writer.write_all(&text)?;
        writer.finish()?;
        out.clear();
        client.copy_out(&format!("COPY {kind}_copy TO STDOUT (FORMAT binary)"))?.read_to_end(&mut out)?;
        assert!(out == file, "{kind}: text does not keep every bit");
    }
    Ok(())
}

#[test]
fn the_wire_format_is_the_send_functions() -> Result<()> {
    let (_cluster, mut client) = own_database()?;
    for (kind, value) in [
        ("vector", wire::vector(&EDGES)),
        ("halfvec", wire::halfvec(&HALF_EDGES)),
        ("sparsevec", wire::sparsevec(9, &[(1, 0.1), (8, -2.0)])),
    ] {
        let sql = format!("SELECT {kind}_send($1), $1");
        let row = client.query_one(&sql, &[&Raw(value.clone())])?;
        assert_eq!(row.get::<_, Vec<u8>>(0), value, "{kind}");
        assert_eq!(row.get::<_, Raw>(1).0, value, "{kind}");
    }
    Ok(())
}

#[test]
fn drivers_find_the_types_by_name() -> Result<()> {
    let (_cluster, mut client) = own_database()?;
    for kind in ["vector", "halfvec", "sparsevec"] {
        let sql = "SELECT t.oid, t.typarray, t.oid::regtype::text, to_regtype($1 || '[]')::oid \
                   FROM pg_type t WHERE t.oid = to_regtype($1)";
        let row = client.query_one(sql, &[&kind])?;
        assert!(row.get::<_, u32>(0) > 0);
        assert_eq!(row.get::<_, u32>(1), row.get::<_, u32>(3));
        assert_eq!(row.get::<_, String>(2), kind);
    }
    client.batch_execute("SET search_path = ''")?;
    let row =
        client.query_one("SELECT to_regtype('vector') IS NULL, to_regtype('public.vector')::text", &[])?;
    assert_eq!((row.get(0), row.get(1)), (true, "public.vector"));
    Ok(())
}

/// Sends a value, and answers what comes back, in binary and as the server prints it.
fn round_trip<T>(client: &mut Client, kind: &str, value: &T) -> Result<(T, String)>
where
    T: ToSql + Sync + PartialEq + Debug + for<'a> FromSql<'a>,
{
    let row = client.query_one(&format!("SELECT $1::{kind}, $1::{kind}::text"), &[value])?;
    Ok((row.get(0), row.get(1)))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
