//! The rows of the report: JSON as they come, a table at a section's end.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    /// `device`, or the section's name.
    pub(crate) section: String,
    /// What is trained; in `laws`, whose tests.
    pub(crate) on: String,
    /// The trick, or the test.
    pub(crate) name: String,
    /// Whether what was checked holds; `None` if nothing was checked.
    pub(crate) ok: Option<bool>,
    /// What does not hold, what is compared, or why nothing was checked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// Whether Burn's `fusion` searched for operations to fuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fusion: Option<bool>,
    /// The difference from `flex`, as a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<f64>,
    /// What it may be at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tolerance: Option<f64>,
    /// Buffers that the host read, per step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reads: Option<f64>,
    /// Kernels launched, per step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) launches: Option<f64>,
    /// The same of what it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_launches: Option<f64>,
    /// The median time of a step, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<f64>,
    /// The same of what it is compared with, timed in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_ms: Option<f64>,
    /// The seconds of the steps before the clock, in which kernels are compiled and `fusion` looks for its plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<f64>,
    /// The same of what it is compared with, which steps second and finds the plans that the first one needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_start: Option<f64>,
    /// `ms / other_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// A row in which all is well.
    pub(crate) fn new(section: &str, on: &str, name: &str) -> Self {
        Self {
            section: section.to_owned(),
            on: on.to_owned(),
            name: name.to_owned(),
            ok: Some(true),
            ..Self::default()
        }
    }

    /// The same, failed, and why.
    pub(crate) fn failed(self, note: impl Into<String>) -> Self {
        let (ok, note) = (Some(false), note.into());
        Self { ok, note, ..self }
    }

    /// The same, in which nothing was checked, and why.
    pub(crate) fn not_checked(self, note: impl Into<String>) -> Self {
        let (ok, note) = (None, note.into());
        Self { ok, note, ..self }
    }

    /// Whether what was checked does not hold.
    pub(crate) fn fails(&self) -> bool {
        self.ok == Some(false)
    }

    /// Hands it to the process that collects.
    pub(crate) fn send(&self) {
        println!("{}", serde_json::to_string(self).expect("a row is JSON"));
    }
}

/// Makes a row and sends it. A panic fails it alone, and the rows after it are made all the same.
pub(crate) fn send(section: &str, on: &str, name: &str, make: impl FnOnce() -> Row) {
    let made = catch_unwind(AssertUnwindSafe(make));
    let failed = |_| Row::new(section, on, name).failed("it panicked");
    made.unwrap_or_else(failed).send();
}

/// The rows of one section as a table.
pub(crate) fn table(rows: &[Row]) -> String {
    type Column = (&'static str, fn(&Row) -> Option<f64>, usize);
    const COLUMNS: [Column; 11] = [
        ("error", |row| row.error, 7),
        ("at most", |row| row.tolerance, 7),
        ("reads", |row| row.reads, 2),
        ("launches", |row| row.launches, 1),
        ("of other", |row| row.other_launches, 1),
        ("ms", |row| row.ms, 4),
        ("other ms", |row| row.other_ms, 4),
        ("ratio", |row| row.ratio, 3),
        ("start s", |row| row.start, 2),
        ("other s", |row| row.other_start, 2),
        ("fusion", |row| row.fusion.map(f64::from), 0),
    ];
    let used: Vec<_> = COLUMNS
        .iter()
        .filter(|(_, value, _)| rows.iter().any(|row| value(row).is_some()))
        .collect();
    let mut text = format!("{:<4} {:<14} {:<34}", "", "on", "name");
    for (name, ..) in &used {
        let _ = write!(text, " {name:>9}");
    }
    text.push_str("  note\n");
    for row in rows {
        let ok = match row.ok {
            Some(true) => "ok",
            Some(false) => "FAIL",
            None => "none",
        };
        let _ = write!(text, "{ok:<4} {:<14} {:<34}", row.on, row.name);
        for (_, value, digits) in &used {
            match value(row) {
                Some(value) => _ = write!(text, " {value:>9.digits$}"),
                None => _ = write!(text, " {:>9}", "-"),
            }
        }
        let _ = writeln!(text, "  {}", row.note);
    }
    text
}
