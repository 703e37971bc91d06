//! The largest memory of this process, as Linux counts it.

use std::fs;

/// Forgets the largest so far, where the system can.
pub(crate) fn reset() {
    // "5" stands for the peak of the resident memory (proc(5)). Without it the peak is that since the start.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident memory since then, the program itself included; `None` where the system does not say.
pub(crate) fn bytes() -> Option<u64> {
    of(&fs::read_to_string("/proc/self/status").ok()?)
}

fn of(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status() {
        let status =
            "Name:\tlearner\nVmPeak:\t  120000 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(of(status), Some(20 << 20));
        assert_eq!(of("Name:\tlearner\n"), None);
        assert_eq!(of("VmHWM:\t 7 pages\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_in_use_raises_it() {
        let before = bytes().unwrap();
        let held = vec![1u8; 64 << 20];
        assert!(std::hint::black_box(&held).iter().all(|byte| *byte == 1));
        assert!(bytes().unwrap() >= before.max(64 << 20));
    }
}
