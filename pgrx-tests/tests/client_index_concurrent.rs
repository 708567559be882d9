//! Sessions that insert, change, delete, search and vacuum at once, and indexes that are made and made anew meanwhile.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::method::Method;
use kite_tests::search::sound;
use kite_tests::workload::{Tally, Work, Workload, complete, stress_time};
use kite_tests::{journal, server};
use postgres::Client;
use std::time::{Duration, Instant};

kite_tests::for_each_method! {
    sessions_write_search_and_vacuum_at_once,
    an_index_that_begins_empty_is_filled_by_several_sessions,
    indexes_are_made_and_made_anew_while_others_write,
}

const WRITER: &[(Work, u32)] =
    &[(Work::Insert, 35), (Work::Move, 15), (Work::Touch, 10), (Work::Delete, 30), (Work::Find, 10)];
const READER: &[(Work, u32)] = &[(Work::Find, 1)];
const SWEEPER: &[(Work, u32)] = &[(Work::Vacuum, 1)];

fn server(method: Method, (rows, dims): (usize, usize), rng: &mut Rng) -> Result<(Cluster, Workload)> {
    let tree = server::installed(kite_cluster::PrivateTree::OWN)?;
    let cluster =
        Cluster::builder(&tree).setting("autovacuum", "off").setting("log_lock_waits", "off").start()?;
    server::database(&cluster, "test", "pgkite")?;
    let workload = Workload::create(method, &cluster, (rows, dims), rng)?;
    Ok((cluster, workload))
}

fn report(tally: Tally) -> Result<()> {
    eprintln!("{} statements; recall {:.4} of {} rows", tally.done, tally.recall(), tally.wanted);
    ensure!(tally.wanted > 0 && tally.recall() >= 0.97, "recall is {}", tally.recall());
    Ok(())
}

fn sessions_write_search_and_vacuum_at_once(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(1);
    let (cluster, workload) = server(method, (2_000, 48), &mut rng)?;
    workload.index(&mut workload.connect(&cluster)?)?;
    let mixes = [WRITER, WRITER, WRITER, READER, SWEEPER];
    report(workload.run(&cluster, &mixes, stress_time(12), 7)?)?;
    let mut client = workload.connect(&cluster)?;
    sound(&mut client, "i")?;
    complete(&mut client, "t", "i")?;
    workload.search().recalls(&mut client, &workload.queries(&mut rng, 50), 0.97)?;
    journal::quiet(&cluster, &[])
}

fn an_index_that_begins_empty_is_filled_by_several_sessions(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(2);
    let (cluster, workload) = server(method, (1, 48), &mut rng)?;
    workload.index(&mut workload.connect(&cluster)?)?;
    let loader: &[(Work, u32)] = &[(Work::Insert, 30), (Work::Find, 1)];
    workload.run(&cluster, &[loader, loader, loader, loader], stress_time(8), 7)?;
    let mut client = workload.connect(&cluster)?;
    complete(&mut client, "t", "i")?;
    workload.search().recalls(&mut client, &workload.queries(&mut rng, 50), 0.97)?;
    journal::quiet(&cluster, &[])
}

fn indexes_are_made_and_made_anew_while_others_write(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(3);
    let (cluster, workload) = server(method, (3_000, 24), &mut rng)?;
    let mut client = workload.connect(&cluster)?;
    let writer: &[(Work, u32)] = &[(Work::Insert, 4), (Work::Move, 3), (Work::Touch, 3), (Work::Delete, 4)];
    let until = Instant::now() + stress_time(8);
    workload.run_while(&cluster, &[writer, writer, writer], 7, || {
        loop {
            anew(method, &mut client)?;
            if Instant::now() >= until {
                return Ok(());
            }
            client.batch_execute("DROP INDEX CONCURRENTLY i")?;
        }
    })?;
    // Nothing that was written meanwhile is missing.
    complete(&mut client, "t", "i")?;
    workload.search().recalls(&mut client, &workload.queries(&mut rng, 50), 0.97)?;
    journal::quiet(&cluster, &[])
}

/// Makes the index while others write, checks it, and makes it anew.
fn anew(method: Method, client: &mut Client) -> Result<()> {
    client.batch_execute(&method.index("CONCURRENTLY i", "t (v vector_l2_ops)"))?;
    sound(client, "i")?;
    std::thread::sleep(Duration::from_millis(100));
    client.batch_execute("REINDEX INDEX CONCURRENTLY i")?;
    sound(client, "i")
}
