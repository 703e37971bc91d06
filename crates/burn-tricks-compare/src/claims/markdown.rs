//! Findings as a table.

use crate::claims::{claim::Claim, finding::ClaimFinding};

impl Claim {
    /// Findings as a table in GitHub's Markdown: the sentence, what was measured, the conclusion, and where the
    /// sentence holds.
    pub fn markdown(findings: &[ClaimFinding]) -> String {
        let mut text =
            "| sentence | measured | verdict | where |\n| --- | --- | --- | --- |\n".to_owned();
        for finding in findings {
            let measured = finding.rows.iter().map(|row| {
                let (task, variant) = (&row.row.task, &row.row.variant);
                match variant.as_str() {
                    // Not a row of a comparison.
                    "" => row.told.clone(),
                    _ => format!("{task}, `{variant}`, {}: {}", row.question, row.told),
                }
            });
            let mut cells = vec![finding.sentence.clone()];
            cells.push(measured.collect::<Vec<String>>().join("<br>"));
            cells.push(format!("**{}**", finding.conclusion));
            let note = if finding.note.is_empty() { "" } else { ". " };
            cells.push(format!("{}{note}{}", finding.places(), finding.note));
            let cells = cells
                .iter()
                .map(|cell| cell.replace('|', "\\|").replace('\n', " "));
            text += &format!("| {} |\n", cells.collect::<Vec<String>>().join(" | "));
        }
        text
    }
}
