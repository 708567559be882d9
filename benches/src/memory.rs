//! What a statement needs in memory: of the backend that runs it, of its parallel workers, and of what they share.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Bytes that these server processes keep for themselves at the moment (anonymous pages: not shared buffers, which every
/// server has anyway, nor the pages of programs and files), and those of the dynamic shared memory that they use. None: this
/// system does not tell.
pub(crate) fn in_use(processes: &[i32]) -> Option<u64> {
    let own: u64 = processes.iter().filter_map(|pid| anonymous(*pid)).sum();
    let segments: BTreeSet<String> = processes.iter().flat_map(|pid| segments(*pid)).collect();
    let shared: u64 = segments
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|segment| segment.blocks() * 512)
        .sum();
    (own > 0).then_some(own + shared)
}

/// Anonymous resident memory of a process that still lives.
fn anonymous(pid: i32) -> Option<u64> {
    resident(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Files of the POSIX shared memory that a process maps. PostgreSQL's dynamic shared memory is the only such in a server; its
/// main shared memory is no file.
fn segments(pid: i32) -> BTreeSet<String> {
    fs::read_to_string(format!("/proc/{pid}/maps")).map(|maps| shared(&maps)).unwrap_or_default()
}

fn shared(maps: &str) -> BTreeSet<String> {
    maps.lines()
        .filter_map(|line| line.find("/dev/shm/PostgreSQL.").map(|at| line[at..].to_owned()))
        .filter(|path| !path.ends_with(" (deleted)"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let status = "VmHWM:\t   99 kB\nRssAnon:\t    1204 kB\nRssFile:\t 3 kB\n";
        assert_eq!(resident(status), Some(1204 * 1024));
        assert_eq!(resident("Name: x\n"), None);
        let maps = "7f0-7f1 rw-s 00000000 00:01 5 /dev/zero (deleted)\n\
                    7f2-7f3 rw-s 00000000 00:1a 6    /dev/shm/PostgreSQL.123\n\
                    7f4-7f5 rw-s 00001000 00:1a 6    /dev/shm/PostgreSQL.123\n\
                    7f6-7f7 rw-s 00000000 00:1a 7    /dev/shm/PostgreSQL.9 (deleted)\n";
        assert_eq!(shared(maps), BTreeSet::from(["/dev/shm/PostgreSQL.123".into()]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_used_shows() {
        let me = i32::try_from(std::process::id()).unwrap();
        let before = in_use(&[me]).unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = in_use(&[me]).unwrap();
        assert!(std::hint::black_box(&block)[5] == 1 && after > before + (60 << 20), "{before} {after}");
        assert_eq!(in_use(&[-1]), None);
    }
}
