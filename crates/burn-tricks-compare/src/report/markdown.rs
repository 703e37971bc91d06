//! The comparison as a Markdown table.

use crate::{
    comparison::comparison::{Comparison, Row},
    report::{
        numbers::ratio,
        wording::{effect, quality_verdict, sooner, speed_verdict, stability, verdict},
    },
};

impl Comparison {
    /// The comparison as a table in GitHub's Markdown, one row for each variant, with the same content as
    /// [`table`](Self::table).
    pub fn markdown(&self) -> String {
        self.markdown_of(self.rows.iter())
    }

    /// As [`markdown`](Self::markdown), of these rows alone.
    pub fn markdown_of<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> String {
        let header = self.header();
        let rule = vec!["---".to_owned(); header.len()];
        let mut text = line(&header) + &line(&rule);
        for row in rows {
            text += &line(&cells(row));
        }
        text
    }
}

fn cells(row: &Row) -> Vec<String> {
    let cell = |effect: String, verdict: String| match &*effect {
        "" => verdict,
        effect => format!("{effect}; **{verdict}**"),
    };
    let name = format!("`{}` vs `{}`", row.name, row.baseline);
    let mut cells = vec![name, row.seeds.to_string()];
    for answer in &row.quality {
        cells.push(cell(effect(answer), quality_verdict(answer, row.seeds)));
    }
    if let Some(speed) = &row.speed {
        let effect = match speed.answer.verdict {
            None => String::new(),
            Some(_) => sooner(speed, row.seeds),
        };
        cells.push(cell(effect, speed_verdict(speed, row.seeds)));
    }
    cells.push(match &row.stability {
        Some(of) => stability(of, row.speed.is_some()),
        None => "–".to_owned(),
    });
    let memory = row
        .memory_ratio
        .map_or_else(String::new, |memory| format!("; memory ×{}", ratio(memory)));
    cells.push(cell(effect(&row.cost), verdict(&row.cost)) + &memory);
    cells
}

pub(crate) fn line(cells: &[String]) -> String {
    let escaped = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", escaped.collect::<Vec<String>>().join(" | "))
}
