//! The scripts of the guide's page about clusters, as they stand there.

#![cfg(unix)]

use crate::{CLIP, Timeless, program, read, start, text, timeless};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const PAGE: &str = include_str!("../../../crates/burn-tricks/src/guide/clusters.md");

/// The page's blocks of that language.
fn blocks(language: &str) -> Vec<String> {
    let mut parts = PAGE.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        if let Some(block) = block.strip_prefix(&format!("{language}\n")) {
            blocks.push(block.to_owned());
        }
    }
    blocks
}

fn write_script(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder as the page has it: `compare`, which makes few and short runs, and `part.sh`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = program("compare");
    let program = program.display();
    let compare = format!(
        "#!/bin/sh\ncase $1 in merge) exec '{program}' \"$@\";; *) exec '{program}' {CLIP} \"$@\";; esac\n"
    );
    write_script(folder.path(), "compare", &compare);
    write_script(folder.path(), "part.sh", &blocks("bash")[0]);
    folder
}

/// Runs a script there, with the folder in front of the others in which programs are looked for.
fn run(folder: &Path, script: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command.args(["-e", "-c", script]).current_dir(folder);
    command.env("PATH", format!("{}:{path}", folder.display()));
    let output = command.output().unwrap();
    let told = text(&output.stderr);
    assert!(output.status.success(), "{script}\n{told}");
    text(&output.stdout) + &told
}

/// What one machine makes.
fn on_one_machine(folder: &Path) -> Timeless {
    let path = folder.join("whole.json");
    let output = start(&format!("{CLIP} --json"), &path).wait_with_output();
    assert!(output.unwrap().status.success());
    timeless(&read(&path))
}

#[test]
fn every_script_of_the_page_is_bash() {
    let scripts = blocks("bash");
    assert_eq!(scripts.len(), 5);
    for script in &scripts {
        let checked = Command::new("bash").args(["-n", "-c", script]).output();
        let checked = checked.unwrap();
        assert!(
            checked.status.success(),
            "{script}\n{}",
            text(&checked.stderr)
        );
    }
    // Two dimensions of indentation, and no tab, which YAML refuses.
    let [job] = &blocks("yaml")[..] else {
        panic!("one Kubernetes job")
    };
    let is_even = |line: &str| (line.len() - line.trim_start().len()).is_multiple_of(2);
    assert!(job.lines().all(is_even) && !job.contains('\t'), "{job}");
    assert!(
        job.contains("/part.sh $((JOB_COMPLETION_INDEX + 1)) 20"),
        "{job}"
    );
}

#[test]
fn parts_and_their_merge_make_what_one_machine_makes() {
    let folder = folder();
    let folder = folder.path();
    for part in ["1", "2"] {
        let told = run(folder, &format!("./part.sh {part} 2"));
        assert!(told.contains(&format!("part {part}/2")), "{told}");
    }
    let merge = &blocks("bash")[1];
    let report = merge.replace("--html report.html", "--html report.html --json all.json");
    let told = run(folder, &report);
    assert!(told.contains("holds 4 of these runs"), "{told}");
    assert!(
        fs::read_to_string(folder.join("report.html"))
            .unwrap()
            .contains("</html>")
    );
    assert_eq!(
        timeless(&read(&folder.join("all.json"))),
        on_one_machine(folder)
    );
}

/// In a later round too, in which there are runs of other parts.
#[test]
fn a_part_that_starts_again_keeps_what_it_made() {
    let folder = folder();
    let folder = folder.path();
    run(folder, "./part.sh 1 2");
    fs::write(folder.join("runs.jsonl"), "").unwrap();
    let told = run(folder, "./part.sh 1 2");
    assert!(told.contains("holds 2 of these runs"), "{told}");
}

/// With stand-ins for Slurm's commands, which do at once what Slurm would do in time.
#[test]
fn the_rounds_of_slurm_end_with_the_report() {
    const SBATCH: &str = r#"#!/bin/bash
# Runs a script for each index of its array, or the command of --wrap, and prints the number of the job.
echo "$*" >> sbatch.log
while [ $# -gt 0 ]; do
  case $1 in
    --wrap) bash -e -c "$2" >&2; break;;
    --*) shift;;
    *) count=$(sed -n 's/.*--array=1-\([0-9]*\).*/\1/p' "$1")
       for index in $(seq "$count"); do
         SLURM_ARRAY_TASK_ID=$index SLURM_ARRAY_TASK_COUNT=$count bash "$1" >&2
       done
       break;;
  esac
done
wc -l < sbatch.log
"#;
    let folder = folder();
    let folder = folder.path();
    let [_, _, part, chain, _] = &blocks("bash")[..] else {
        panic!("five scripts")
    };
    write_script(folder, "sbatch", SBATCH);
    write_script(folder, "srun", "#!/bin/bash\nexec \"$@\"\n");
    let part = part.replace("--array=1-20", "--array=1-2");
    assert!(part.contains("--array=1-2 "), "{part}");
    write_script(folder, "part.slurm", &part);
    run(
        folder,
        &chain.replace("--html report.html", "--html report.html --json all.json"),
    );
    let log = fs::read_to_string(folder.join("sbatch.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines.len(),
        7,
        "three rounds of parts and merge, and the report: {log}"
    );
    assert!(lines[2].contains("--dependency=afterok:2"), "{log}");
    assert!(lines[6].contains("--dependency=afterok:6"), "{log}");
    assert_eq!(
        timeless(&read(&folder.join("all.json"))),
        on_one_machine(folder)
    );
}

/// GNU parallel, with this machine in place of the three. It is skipped where there is none, unless the environment variable
/// `REQUIRE_PARALLEL` says that there must be.
#[test]
fn gnu_parallel_makes_all_parts() {
    let version = Command::new("parallel").arg("--version").output();
    if !version.is_ok_and(|output| text(&output.stdout).starts_with("GNU parallel")) {
        let is_required = std::env::var_os("REQUIRE_PARALLEL").is_some();
        assert!(
            !is_required,
            "there is no GNU `parallel` in the path, and REQUIRE_PARALLEL is set"
        );
        eprintln!("there is no GNU parallel here");
        return;
    }
    let folder = folder();
    let folder = folder.path();
    let script = blocks("bash")[4].replace("host1,host2,host3", ":");
    assert!(script.contains("--sshlogin : "), "{script}");
    let told = run(folder, &script);
    assert!(told.contains("4 runs in `runs.jsonl`"), "{told}");
    let told = run(folder, "./compare --store runs.jsonl --json all.json");
    assert!(told.contains("holds 4 of these runs"), "{told}");
    assert_eq!(
        timeless(&read(&folder.join("all.json"))),
        on_one_machine(folder)
    );
}
