//! Processes kept on one processor.
//!
//! A client that waits for its server process has it woken on the same processor or on another one, as the scheduler likes; the
//! second takes tens of microseconds longer, and stays so for seconds. Pinned, all engines get the same.

use anyhow::{Context, Result};

/// The processor for the n-th client, of those that this program may use.
#[cfg(target_os = "linux")]
pub(crate) fn core(n: usize) -> Result<usize> {
    let allowed = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    let cores: Vec<usize> =
        (0..nix::sched::CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
    cores.get(n % cores.len().max(1)).copied().context("no processor is allowed")
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn core(_: usize) -> Result<usize> {
    process(0, 0).map(|()| 0).context("--pin")
}

/// Keeps a process (0: the calling thread) on a processor.
#[cfg(target_os = "linux")]
pub(crate) fn process(pid: i32, core: usize) -> Result<()> {
    let mut set = nix::sched::CpuSet::new();
    set.set(core)?;
    Ok(nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(pid), &set)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn process(_: i32, _: usize) -> Result<()> {
    anyhow::bail!("this system keeps no process on a processor")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use nix::sched::sched_getaffinity;
    use nix::unistd::Pid;

    #[test]
    fn a_thread_stays_where_it_is_put() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let last = core(usize::MAX - 1).unwrap();
                process(0, last).unwrap();
                let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
                assert!((0..64).all(|core| set.is_set(core).unwrap() == (core == last)));
                // Nowhere else to go.
                assert_eq!((core(0).unwrap(), core(1).unwrap()), (last, last));
            });
        });
        assert!(process(-1, 0).is_err());
    }
}
