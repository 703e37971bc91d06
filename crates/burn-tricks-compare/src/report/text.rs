//! The comparison as a table of text, for a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use crate::{
    comparison::comparison::{Comparison, Row},
    report::{
        numbers::ratio,
        wording::{effect, quality_verdict, sooner, speed_verdict, stability, verdict},
    },
};

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');
pub(crate) const STYLE: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_separator(RULE)
    .bottom_border(RULE);

impl Comparison {
    /// The comparison as a table, one row for each variant, followed by how the verdicts are made and by the
    /// runs that failed.
    ///
    /// Each question has a column: the effect with its plain 95 % interval, and below it the verdict.
    /// Shares differ by percentage points, positive metrics by a ratio. The ratio of speed is that of the
    /// baseline's steps to the target over the variant's: above 1 the variant is faster.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(self.header());
        for row in &self.rows {
            table.add_row(self.cells(row));
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let failed = self.list_of_failed();
        format!("{}\n{}{failed}", table.trim_fmt(), self.method())
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> Vec<String> {
        let mut header = vec!["variant".to_owned(), "seeds".to_owned()];
        for metric in &self.protocol.metrics {
            header.push(metric.name.clone());
        }
        if let Some(target) = &self.protocol.target {
            header.push(format!("speed to {target}"));
        }
        header.push("stability".to_owned());
        header.push("time per step".to_owned());
        header
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let mut name = row.name.clone();
        if self.arms.first().map(|arm| &arm.name) != Some(&row.baseline) {
            name += &format!("\nvs {}", row.baseline);
        }
        let mut cells = vec![name, row.seeds.to_string()];
        for answer in &row.quality {
            cells.push(wrapped(
                &effect(answer),
                &quality_verdict(answer, row.seeds),
            ));
        }
        if let Some(speed) = &row.speed {
            let effect = match speed.answer.verdict {
                None => String::new(),
                Some(_) => sooner(speed, row.seeds),
            };
            cells.push(wrapped(&effect, &speed_verdict(speed, row.seeds)));
        }
        cells.push(match &row.stability {
            Some(of) => wrapped("", &stability(of, row.speed.is_some())),
            None => "–".to_owned(),
        });
        let memory = row
            .memory_ratio
            .map_or_else(String::new, |memory| format!("\nmemory ×{}", ratio(memory)));
        cells.push(wrapped(&effect(&row.cost), &verdict(&row.cost)) + &memory);
        cells
    }

    /// One line for each run that failed, empty if none did.
    pub(crate) fn list_of_failed(&self) -> String {
        let failed: Vec<String> = self
            .failed()
            .filter_map(|run| {
                let reason = &run.failure.as_ref()?.reason;
                Some(format!("- {}, seed {}: {reason}\n", run.variant, run.seed))
            })
            .collect();
        let runs = match failed.len() {
            0 => return String::new(),
            1 => "1 run gave no result".to_owned(),
            failed => format!("{failed} runs gave no result"),
        };
        format!(
            "{runs}. Each counts as no model at all, and as never having arrived:\n{}",
            failed.concat()
        )
    }
}

/// The effect, and the verdict broken before its parenthesis.
fn wrapped(effect: &str, verdict: &str) -> String {
    let verdict = verdict
        .replace(" (", "\n(")
        .replace(", ", ",\n")
        .replace(": ", ":\n");
    match effect {
        "" => verdict,
        effect => format!("{effect}\n{verdict}"),
    }
}
