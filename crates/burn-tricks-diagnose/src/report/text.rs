//! The table for the terminal.

use crate::diagnosis::Diagnosis;
use crate::finding::finding::Finding;
use crate::finding::prescription::short;
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use std::fmt::Display;

/// The most paths that are listed; the others are counted.
const PATHS: usize = 3;

impl Display for Diagnosis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(120)
            .set_header([
                "severity",
                "finding",
                "where",
                "number",
                "what, and what to try",
            ]);
        for finding in &self.findings {
            table.add_row([
                finding.severity.to_string(),
                finding.kind.to_string(),
                place(finding),
                number(finding),
                advice(finding),
            ]);
        }
        write!(f, "{table}")
    }
}

fn place(finding: &Finding) -> String {
    let mut lines: Vec<String> = finding.paths.iter().take(PATHS).cloned().collect();
    if finding.paths.len() > PATHS {
        lines.push(format!("and {} more", finding.paths.len() - PATHS));
    }
    if let Some(step) = finding.step {
        lines.push(format!("step {step}"));
    }
    if let Some(at) = finding.position {
        lines.push(format!("epoch {}, batch {}", at.epoch, at.batch));
    }
    lines.join("\n")
}

fn number(finding: &Finding) -> String {
    if finding.source.is_empty() {
        return String::new();
    }
    format!(
        "{}\n(limit {})",
        short(finding.value),
        short(finding.threshold)
    )
}

fn advice(finding: &Finding) -> String {
    let mut text = finding.text.clone();
    if !finding.source.is_empty() {
        text += &format!(" [{}]", finding.source);
    }
    for (at, prescription) in finding.prescriptions.iter().enumerate() {
        text += &format!("\n{}. {prescription}", at + 1);
    }
    text
}
