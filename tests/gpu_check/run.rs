//! Running a program until a deadline, line by line.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// With this variable Burn looks for no operations to fuse, and each is a kernel of its own. It is read once in a
/// process.
pub(crate) const NO_FUSION: (&str, &str) = ("BURN_FUSION_MAX_EXPLORATIONS", "0");

/// Whether it is so in this process.
pub(crate) fn is_unfused() -> bool {
    std::env::var(NO_FUSION.0).as_deref() == Ok(NO_FUSION.1)
}

/// When a program is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// In so many seconds.
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self(Some(Instant::now() + Duration::from_secs(seconds)))
    }

    /// Never.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    fn left(self) -> Duration {
        match self.0 {
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => Duration::from_secs(1 << 20),
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With status 0.
    Well,
    /// With another status.
    Badly(ExitStatus),
    /// At the deadline.
    Cut,
}

impl Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Well => f.write_str("it ended without a result"),
            Self::Badly(status) => write!(f, "it ended with {status}"),
            Self::Cut => f.write_str("cut off at the time limit"),
        }
    }
}

/// Runs the program, and gives `line` what it prints.
pub(crate) fn run(
    mut command: Command,
    deadline: Deadline,
    mut line: impl FnMut(&str),
) -> std::io::Result<Ended> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().expect("it is piped");
    let (lines, printed) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        match printed.recv_timeout(deadline.left()) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Timeout) => return killed(child),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // It has closed its output, and may still be on its way out.
    while child.try_wait()?.is_none() {
        if deadline.left().is_zero() {
            return killed(child);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = child.wait()?;
    Ok(if status.success() {
        Ended::Well
    } else {
        Ended::Badly(status)
    })
}

fn killed(mut child: Child) -> std::io::Result<Ended> {
    child.kill()?;
    child.wait()?;
    Ok(Ended::Cut)
}
