//! Tests that run themselves in a process of their own, since the types of a device are set once for a process, before its first
//! tensor.

use std::process::Command;

/// Runs the test of this name in another process, in which `variable` has this value. It must pass there, and print `said`.
pub(crate) fn passes_in_a_process_of_its_own(test: &str, variable: &str, value: &str, said: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, value)
        .output()
        .unwrap();
    let output = [child.stdout, child.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(child.status.success(), "{output}");
    assert!(output.contains(said), "{output}");
}
