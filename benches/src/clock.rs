//! What is taken for the time of a statement.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;
use std::fs;
use std::time::{Duration, Instant};

/// Which time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clock {
    /// From sending the statement to holding its answer.
    Wall,
    /// Processor time of the backend that runs it (Linux only): the same on a quiet machine, and still of use on one whose
    /// processors are shared with other work.
    Cpu,
}

impl Clock {
    /// Runs something that lets the server process `backend` work, and answers how long it took as well.
    pub(crate) fn time<T>(self, backend: i32, run: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
        match self {
            Self::Wall => {
                let start = Instant::now();
                let answer = run()?;
                Ok((answer, start.elapsed()))
            }
            Self::Cpu => {
                let before = on_processor(backend)?;
                let answer = run()?;
                Ok((answer, on_processor(backend)? - before))
            }
        }
    }
}

impl Clock {
    /// The time of this thread: two of them tell what it took to get from one to the other.
    pub(crate) fn here(self) -> Result<Duration> {
        let id = match self {
            Self::Wall => nix::time::ClockId::CLOCK_MONOTONIC,
            Self::Cpu => nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID,
        };
        Ok(nix::time::clock_gettime(id)?.into())
    }
}

/// Time that a process has spent on a processor so far. The kernel's figure is exact only once the process has gone to sleep,
/// which an idle backend does some microseconds after it has answered.
fn on_processor(pid: i32) -> Result<Duration> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("--clock cpu needs {path}"))
    };
    let asleep = Instant::now() + Duration::from_secs(5);
    while !read("stat")?.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')) {
        ensure!(Instant::now() < asleep, "process {pid} does not come to rest");
        std::thread::yield_now();
    }
    let text = read("schedstat")?;
    let nanoseconds = text.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.with_context(|| format!("process {pid} has schedstat {text:?}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_that_of_the_run() {
        let (answer, time) = Clock::Wall
            .time(0, || {
                std::thread::sleep(Duration::from_millis(3));
                Ok(7)
            })
            .unwrap();
        assert_eq!(answer, 7);
        assert!(time >= Duration::from_millis(3));
        assert!(Clock::Wall.time::<()>(0, || anyhow::bail!("no")).is_err());
    }

    #[test]
    fn a_sleeping_thread_uses_no_processor() {
        let during = |clock: Clock| {
            let begin = clock.here().unwrap();
            std::thread::sleep(Duration::from_millis(20));
            clock.here().unwrap() - begin
        };
        assert!(during(Clock::Wall) >= Duration::from_millis(20));
        assert!(during(Clock::Cpu) < Duration::from_millis(10));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sleeping_process_uses_no_processor() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let ((), time) = Clock::Cpu
            .time(pid, || {
                std::thread::sleep(Duration::from_millis(50));
                Ok(())
            })
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(time < Duration::from_millis(5), "{time:?}");
        assert!(Clock::Cpu.time(-1, || Ok(())).is_err());
    }
}
