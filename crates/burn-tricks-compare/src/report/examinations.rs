//! What the examinations found, as text, Markdown and HTML.

use comfy_table::{ContentArrangement, Table};
use maud::{Markup, html};

use crate::{
    comparison::comparison::Comparison,
    outcome::examination::{Examination, ExaminationFinding},
    report::{markdown::line, numbers::significant, text::STYLE},
};

/// Paths that are listed; the others are counted.
const PATHS: usize = 3;
/// Characters of a line of the table.
const WIDTH: u16 = 120;
const HEADER: [&str; 6] = [
    "recipe",
    "severity",
    "finding",
    "where",
    "number (limit)",
    "what it means",
];

impl Comparison {
    /// What the [examinations](Self::examinations) of the recipes found, as a table of text; empty if there are none.
    pub fn examinations_table(&self) -> String {
        if self.examinations.is_empty() {
            return String::new();
        }
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(WIDTH);
        table.set_header(HEADER);
        for cells in self.examined() {
            table.add_row(cells);
        }
        format!("{}\n", table.trim_fmt())
    }

    /// The same as a table in GitHub's Markdown.
    pub fn examinations_markdown(&self) -> String {
        if self.examinations.is_empty() {
            return String::new();
        }
        let header = HEADER.map(str::to_owned);
        let rule = HEADER.map(|_| "---".to_owned());
        let rows = self.examined().map(|cells| line(&cells));
        line(&header) + &line(&rule) + &rows.collect::<String>()
    }

    /// The same as a section of the page.
    pub(crate) fn examinations_html(&self) -> Markup {
        html! {
            @if !self.examinations.is_empty() {
                section {
                    h2 { "Examinations" }
                    p { "Each recipe was trained once more, with seed " (self.protocol.first_seed) ", and examined. No \
                         verdict depends on it." }
                    div.wide tabindex="0" role="region" aria-label="Table of examinations" {
                        table #examinations {
                            caption { "What the examination of each recipe found." }
                            thead { tr { @for name in HEADER { th scope="col" { (name) } } } }
                            tbody { @for [recipe, cells @ ..] in self.examined() {
                                tr { th scope="row" { (recipe) } @for cell in cells { td { (cell) } } }
                            } }
                        }
                    }
                }
            }
        }
    }

    fn examined(&self) -> impl Iterator<Item = [String; 6]> {
        self.examinations.iter().flat_map(rows)
    }
}

fn rows(examination: &Examination) -> Vec<[String; 6]> {
    let variant = &examination.variant;
    if let Some(failure) = &examination.failure {
        let reason = failure.reason.clone();
        let none = String::new;
        return vec![[
            variant.clone(),
            "–".to_owned(),
            "no result".to_owned(),
            none(),
            none(),
            reason,
        ]];
    }
    let findings = examination.findings.iter();
    findings.map(|finding| cells(variant, finding)).collect()
}

fn cells(variant: &str, finding: &ExaminationFinding) -> [String; 6] {
    let mut paths: Vec<String> = finding.paths.iter().take(PATHS).cloned().collect();
    if finding.paths.len() > PATHS {
        paths.push(format!("and {} more", finding.paths.len() - PATHS));
    }
    let limit = |limit: f64| format!(" ({})", significant(limit, 3));
    let number = finding.value.map_or_else(String::new, |value| {
        significant(value, 3) + &finding.threshold.map_or_else(String::new, limit)
    });
    [
        variant.to_owned(),
        finding.severity.clone(),
        finding.kind.clone(),
        paths.join(", "),
        number,
        finding.text.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{protocol::Protocol, recipe::Recipe, run::FailedRun};

    fn comparison() -> Comparison {
        let recipes = [
            Recipe::baseline("sgd", ""),
            Recipe::variant("clip", "sgd", ""),
        ];
        let mut comparison = Comparison::init(&Protocol::classification(), &recipes, &[]).unwrap();
        let examination = |variant: &str, findings, failure| Examination {
            variant: variant.to_owned(),
            seed: 1,
            findings,
            failure,
        };
        let finding = ExaminationFinding {
            severity: "fault".to_owned(),
            kind: "vanishing gradient".to_owned(),
            paths: ["a.weight", "b.weight", "c.weight", "d.weight"]
                .map(str::to_owned)
                .to_vec(),
            value: Some(1.25e-9),
            threshold: Some(1e-6),
            text: "too deep | too small".to_owned(),
        };
        let failure = FailedRun {
            reason: "out of memory".to_owned(),
            stderr: String::new(),
        };
        comparison.examinations = vec![
            examination("sgd", vec![finding], None),
            examination("clip", Vec::new(), Some(failure)),
        ];
        comparison
    }

    #[test]
    fn each_finding_has_a_row_with_its_number_and_place() {
        let comparison = comparison();
        let markdown = comparison.examinations_markdown();
        let lines: Vec<&str> = markdown.lines().collect();
        assert_eq!(
            lines[2],
            "| sgd | fault | vanishing gradient | a.weight, b.weight, c.weight, and 1 more | 1.25e-9 (1.00e-6) | too deep \\| too small |"
        );
        assert_eq!(lines[3], "| clip | – | no result |  |  | out of memory |");
        let page = comparison.examinations_html().into_string();
        let table = comparison.examinations_table();
        for part in ["vanishing", "1.25e-9 (1.00e-6)", "out of memory"] {
            assert!(
                page.contains(part) && table.contains(part),
                "{part}\n{table}"
            );
        }
        assert!(
            table
                .lines()
                .all(|line| line.chars().count() <= usize::from(WIDTH)),
            "{table}"
        );
    }

    #[test]
    fn without_examinations_nothing_is_said_nor_written() {
        let mut comparison = comparison();
        let with = serde_json::to_string(&comparison).unwrap();
        let read: Comparison = serde_json::from_str(&with).unwrap();
        assert_eq!(read.examinations, comparison.examinations);
        comparison.examinations.clear();
        assert_eq!(
            comparison.examinations_table() + &comparison.examinations_markdown(),
            ""
        );
        assert_eq!(comparison.examinations_html().into_string(), "");
        assert!(
            !serde_json::to_string(&comparison)
                .unwrap()
                .contains("examination")
        );
    }
}
