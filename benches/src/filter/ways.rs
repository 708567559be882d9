//! The ways to run a statement: how each is asked for, and how far it is measured.

use crate::interrupt;
use crate::record::Way;
use crate::sessions::{Answers, Parameters, Session};
use anyhow::Result;
use postgres::error::SqlState;
use std::time::{Duration, Instant};

/// Planner settings for each way; the first one leaves the choice to the planner.
pub(super) const WAYS: &[(Way, &[&str])] = &[
    (Way::Chosen, &[]),
    (Way::Index, &["enable_seqscan", "enable_bitmapscan", "enable_sort"]),
    (Way::FilterSort, &["enable_seqscan", "enable_indexscan"]),
    (Way::Seqscan, &["enable_indexscan", "enable_bitmapscan"]),
];

/// A timed pass is cut short when it takes too long, but not before this many queries: those that take so long look at all rows, and one is
/// like the other.
const AT_LEAST: usize = 3;
/// A way that takes so many times as long as the rival is measured no further.
const LOST: f64 = 5.0;
/// Seconds that a query of such a way has at least.
const PATIENCE: f64 = 0.05;

/// What measuring a way gave.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) answers: Answers,
    /// Whether it was too slow to be measured further.
    pub(super) given_up: bool,
}

/// Asks the queries in order, untimed and then timed, each until `budget` is spent. `rival` is what they took by a way that is good enough:
/// one that turns out much slower while nothing is timed yet is left at that.
pub(super) fn measure(
    session: &mut Session,
    queries: &[Parameters],
    budget: Duration,
    rival: Option<&[f64]>,
) -> Result<Measured> {
    if let Some(rival) = rival {
        let longest = rival.iter().copied().fold(0.0, f64::max);
        let patience = (LOST * longest).max(PATIENCE) * 1000.0;
        session.command(&format!("SET statement_timeout = {}", patience.ceil()))?;
    }
    let at_least = if rival.is_some() { AT_LEAST } else { 1 };
    let untimed = pass(session, queries, budget, at_least, rival);
    if rival.is_some() {
        session.command("RESET statement_timeout")?;
    }
    let untimed = untimed?;
    if untimed.given_up {
        return Ok(untimed);
    }
    pass(session, queries, budget, AT_LEAST, None)
}

/// Asks the queries once, until the budget is spent and `at_least` as many are asked, or the rival has won.
fn pass(
    session: &mut Session,
    queries: &[Parameters],
    budget: Duration,
    at_least: usize,
    rival: Option<&[f64]>,
) -> Result<Measured> {
    let mut answers = Answers::default();
    let begin = Instant::now();
    for (n, query) in queries.iter().enumerate() {
        interrupt::check()?;
        if n >= at_least && begin.elapsed() > budget {
            break;
        }
        let asked = Instant::now();
        let (found, seconds) = match session.ask(query) {
            Err(error) if rival.is_some() && error.code() == Some(&SqlState::QUERY_CANCELED) => {
                (Vec::new(), asked.elapsed().as_secs_f64())
            }
            answer => answer?,
        };
        answers.queries.push(n);
        answers.found.push(found);
        answers.seconds.push(seconds);
        answers.wall = begin.elapsed().as_secs_f64();
        if rival.is_some_and(|rival| lost(&answers.seconds, rival)) {
            return Ok(Measured { answers, given_up: true });
        }
    }
    Ok(Measured { answers, given_up: false })
}

/// Whether these queries took much longer than the rival's did. The first one is not counted where there are others, since it may have met
/// pages that nobody had touched.
fn lost(seconds: &[f64], rival: &[f64]) -> bool {
    let both = seconds.len().min(rival.len());
    let from = usize::from(both > 1);
    let sum = |seconds: &[f64]| seconds[from.min(both)..both].iter().sum::<f64>();
    seconds.len() >= AT_LEAST && sum(seconds) > LOST * sum(rival)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_lost() {
        let rival = [0.1, 0.2, 0.1, 0.2];
        // Too few to tell, and one that was slow only while pages were cold.
        assert!(!lost(&[9.0, 9.0], &rival));
        assert!(!lost(&[9.0, 0.2, 0.1], &rival));
        assert!(!lost(&[0.1, 1.0, 0.5], &rival));
        assert!(lost(&[0.1, 1.0, 0.6], &rival));
        // No more is compared than both were asked.
        assert!(!lost(&[0.1, 0.2, 0.3, 99.0], &rival[..3]));
        assert!(lost(&[0.6, 0.0, 0.0], &rival[..1]));
        assert!(!lost(&[0.5, 9.0, 9.0], &rival[..1]));
    }
}
