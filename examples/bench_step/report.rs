//! What is measured, and how it is printed.

use burn::tensor::Device;
use serde::Serialize;

/// What the whole run shares.
pub(crate) struct Bench {
    pub(crate) device: Device,
    pub(crate) rounds: usize,
    pub(crate) json: bool,
    /// What a triad moves, in GB/s; none on another device.
    pub(crate) triad: Option<f64>,
}

/// A name, a time, and the bytes that must at least be moved in it; 0 if the time is not of memory.
pub(crate) struct Work<'a> {
    pub(crate) name: &'a str,
    pub(crate) ms: f64,
    pub(crate) bytes: f64,
}

/// What a row must not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    None,
    /// The ratio of the times.
    Time(f64),
    /// The ratio of the times per byte.
    PerByte(f64),
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
struct Row {
    /// Which tensors, or which question.
    case: String,
    /// What is timed.
    name: String,
    /// Median milliseconds of ours.
    ours_ms: f64,
    /// What it is compared with, if with anything.
    other: Option<String>,
    /// Median milliseconds of the other.
    other_ms: Option<f64>,
    /// `ours_ms / other_ms`.
    ratio: Option<f64>,
    /// Picoseconds per byte that ours must at least move; none where the time is not of memory.
    ps_per_byte: Option<f64>,
    /// That, divided by the other's.
    ratio_per_byte: Option<f64>,
    /// Bytes that ours must at least move, per second.
    gb_per_s: Option<f64>,
    /// That, as a share of what a plain triad moves.
    share_of_triad: Option<f64>,
    /// What one of the two ratios must not exceed.
    limit: Option<f64>,
    /// Whether it does not.
    within_limit: Option<bool>,
}

impl Bench {
    pub(crate) fn header(&self) {
        if self.json {
            return;
        }
        if let Some(triad) = self.triad {
            println!("triad, 28 bytes per element in place: {triad:.1} GB/s");
        }
        println!("ratio: of the times; /B: of the times per byte; limit: of that ratio (t) or (B)");
        println!(
            "{:<12} {:<28} {:>9} {:<16} {:>9} {:>6} {:>6} {:>6} {:>6} {:>6} {:>9}",
            "case",
            "name",
            "ours/ms",
            "other",
            "other/ms",
            "ratio",
            "ps/B",
            "/B",
            "GB/s",
            "%triad",
            "limit"
        );
    }

    pub(crate) fn report(&self, case: &str, ours: Work<'_>, other: Work<'_>, limit: Limit) {
        self.row(case, ours, Some(other), limit);
    }

    /// A time that is compared with nothing.
    pub(crate) fn report_alone(&self, case: &str, ours: Work<'_>) {
        self.row(case, ours, None, Limit::None);
    }

    fn row(&self, case: &str, ours: Work<'_>, other: Option<Work<'_>>, limit: Limit) {
        let per_byte = |work: &Work<'_>| (work.bytes > 0.0).then(|| work.ms * 1e9 / work.bytes);
        let ps_per_byte = per_byte(&ours);
        let ratio = other.as_ref().map(|other| ours.ms / other.ms);
        let of_bytes = ps_per_byte.zip(other.as_ref().and_then(per_byte));
        let ratio_per_byte = of_bytes.map(|(ours, other)| ours / other);
        let gb_per_s = ps_per_byte.map(|ps| 1e3 / ps);
        let (limited, limit, unit) = match limit {
            Limit::None => (None, None, ""),
            Limit::Time(limit) => (ratio, Some(limit), "t"),
            Limit::PerByte(limit) => (ratio_per_byte, Some(limit), "B"),
        };
        let row = Row {
            case: case.to_owned(),
            name: ours.name.to_owned(),
            ours_ms: ours.ms,
            other: other.as_ref().map(|other| other.name.to_owned()),
            other_ms: other.map(|other| other.ms),
            ratio,
            ps_per_byte,
            ratio_per_byte,
            gb_per_s,
            share_of_triad: gb_per_s.zip(self.triad).map(|(ours, triad)| ours / triad),
            limit,
            within_limit: limited.zip(limit).map(|(ratio, limit)| ratio <= limit),
        };
        if self.json {
            println!("{}", serde_json::to_string(&row).expect("a row is JSON"));
            return;
        }
        let or_dash = |value: Option<f64>, scale: f64, digits: usize| match value {
            Some(value) => format!("{:.digits$}", value * scale),
            None => "-".to_owned(),
        };
        let limit = match (row.limit, row.within_limit) {
            (Some(limit), Some(true)) => format!("{limit}{unit}"),
            (Some(limit), _) => format!("{limit}{unit} OVER"),
            (None, _) => "-".to_owned(),
        };
        println!(
            "{:<12} {:<28} {:>9.3} {:<16} {:>9} {:>6} {:>6} {:>6} {:>6} {:>6} {:>9}",
            row.case,
            row.name,
            row.ours_ms,
            row.other.as_deref().unwrap_or("-"),
            or_dash(row.other_ms, 1.0, 3),
            or_dash(row.ratio, 1.0, 2),
            or_dash(row.ps_per_byte, 1.0, 0),
            or_dash(row.ratio_per_byte, 1.0, 2),
            or_dash(row.gb_per_s, 1.0, 1),
            or_dash(row.share_of_triad, 100.0, 0),
            limit,
        );
    }
}
