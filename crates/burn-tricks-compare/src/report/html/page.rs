//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::{
    changes::changes,
    comparison::{
        answer::Answer,
        comparison::{Comparison, Row},
    },
    outcome::{recipe::Recipe, run::TrainingRun},
    report::{
        html::{
            curves::{curves_svg, metrics},
            palette::dark_rules,
        },
        wording::{effect, quality_verdict, sooner, speed_verdict, stability, verdict},
    },
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a page says about a comparison in addition to its results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageInfo {
    /// The title.
    pub title: String,
    /// Facts such as the command, the machine, the versions and the date, each a name and a text.
    pub facts: Vec<(String, String)>,
    /// Further results, such as [interactions](crate::Interactions::table), each a heading and lines of text.
    pub texts: Vec<(String, String)>,
}

impl Comparison {
    /// The comparison as one HTML page that needs nothing else: no network, no font, no script from
    /// elsewhere. It follows the reader's light or dark theme.
    ///
    /// It holds a forest plot for each question, the table (sortable by a click on a column's head), and for
    /// each row what its recipe changes and its learning curves.
    pub fn html(&self, info: &PageInfo) -> String {
        let mut questions: Vec<&str> = self.protocol.metrics.iter().map(|m| &*m.name).collect();
        if self.protocol.target.is_some() {
            questions.push("speed");
        }
        questions.push("cost");
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    // Nothing is loaded, whatever the texts contain.
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                    link rel="icon" href="data:,";
                    title { (info.title) }
                    style { (PreEscaped(STYLE)) "@media(prefers-color-scheme:dark){" (PreEscaped(dark_rules())) "}" }
                }
                body {
                    header {
                        h1 { (info.title) }
                        dl.facts {
                            @for (name, text) in &info.facts {
                                div { dt { (name) } dd { (text) } }
                            }
                        }
                        p { (self.method()) }
                        (legend())
                    }
                    main {
                        @for question in &questions { (self.figure(question)) }
                        (self.benefits(&questions))
                        (self.html_table())
                        @for (heading, text) in &info.texts {
                            section { h2 { (heading) } pre { (text) } }
                        }
                        (self.examinations_html())
                        h2 { "Row by row" }
                        @for row in &self.rows { (self.details(row)) }
                        @if self.failed().next().is_some() {
                            h2 { "Runs without a result" }
                            pre { (self.list_of_failed()) }
                        }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    fn figure(&self, question: &str) -> Markup {
        let svg = self.forest_svg(question);
        html! {
            @if let Some(svg) = svg {
                section {
                    h2 { (question) }
                    (image(&svg, &format!("Forest plot of {question}; the table below has the same numbers.")))
                }
            }
        }
    }

    fn benefits(&self, questions: &[&str]) -> Markup {
        let drawn = questions.iter().filter_map(|question| {
            let svg = self.benefit_svg(question)?;
            Some((question, svg))
        });
        let drawn: Vec<_> = drawn.collect();
        html! {
            @if !drawn.is_empty() {
                section {
                    h2 { "Cost against benefit" }
                    p { "Up is better, left is cheaper. Shaded: equivalent within the margin. Where names would hide \
                         each other, some are left out; the table has them all." }
                    @for (question, svg) in &drawn {
                        figure {
                            (image(svg, &format!("Benefit in {question} against time per step; the table below has the same numbers.")))
                        }
                    }
                }
            }
        }
    }

    fn html_table(&self) -> Markup {
        let header = self.header();
        html! {
            section {
                h2 { "All answers" }
                div.wide tabindex="0" role="region" aria-label="Table of all answers" {
                    table #answers {
                        caption { "Each question about each row: the effect with its 95 % interval, and the verdict." }
                        thead { tr { @for name in &header {
                            th scope="col" aria-sort="none" { button type="button" { (name) } }
                        } } }
                        tbody { @for row in &self.rows { (table_row(row)) } }
                    }
                }
            }
        }
    }

    fn details(&self, row: &Row) -> Markup {
        let recipe = |name: &str| self.recipes.iter().find(|recipe| recipe.name == name);
        let runs = |name: &str| -> Vec<&TrainingRun> {
            self.runs.iter().filter(|run| run.variant == name).collect()
        };
        let (variant, baseline) = (runs(&row.name), runs(&row.baseline));
        let names = metrics(variant.iter().chain(&baseline).copied());
        html! {
            details {
                summary { b { (row.name) } " against " (row.baseline) }
                p { (row.about) }
                p { (row.summary()) }
                @if let (Some(from), Some(to)) = (recipe(&row.baseline), recipe(&row.name)) {
                    (diff(from, to))
                }
                div.curves {
                    @for name in &names {
                        @if let Some(svg) = curves_svg(name, &variant, &baseline) {
                            figure {
                                figcaption { (name) ": median over seeds, band between the quartiles" }
                                (image(&svg, &format!("{name} of {} and its baseline over steps.", row.name)))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        ul.legend {
            li { span.helps aria-hidden="true" { "▲" } " helps" }
            li { span.hurts aria-hidden="true" { "▼" } " hurts" }
            li { span.equal aria-hidden="true" { "■" } " equivalent within the margin (shaded)" }
            li { span aria-hidden="true" { "○" } " undecided, or not asked" }
            li { "thick line: 95 % interval of the row alone; thin line: the interval that the verdict reads" }
        }
    }
}

fn image(svg: &str, label: &str) -> Markup {
    let label = html! { (label) }.into_string().replace('"', "&quot;");
    let labelled = svg.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{label}\" "),
        1,
    );
    html! { div.wide tabindex="0" role="region" aria-label="Drawing, may scroll" { (PreEscaped(labelled)) } }
}

fn diff(from: &Recipe, to: &Recipe) -> Markup {
    let changes = changes(&from.settings, &to.settings);
    let shown = |value: &Option<Value>| match value {
        Some(value) => value.to_string(),
        None => "(absent)".to_owned(),
    };
    html! {
        @if !changes.is_empty() {
            table.changes {
                caption { "What the recipe changes" }
                thead { tr { th scope="col" { "setting" } th scope="col" { (from.name) } th scope="col" { (to.name) } } }
                tbody { @for change in &changes {
                    tr { th scope="row" { (change.path()) } td { del { (shown(&change.from)) } } td { ins { (shown(&change.to)) } } }
                } }
            }
        }
    }
}

fn table_row(row: &Row) -> Markup {
    let answer = |effect: String, verdict: String, key: Option<f64>| {
        html! { td data-key=(key.unwrap_or(f64::NAN)) { (effect) @if !effect.is_empty() { br; } b { (verdict) } } }
    };
    let mean = |answer: &Answer| Some(answer.effect?.interval.mean);
    html! {
        tr {
            th scope="row" { (row.name) br; small { "vs " (row.baseline) } }
            td { (row.seeds) }
            @for of in &row.quality { (answer(effect(of), quality_verdict(of, row.seeds), mean(of))) }
            @if let Some(speed) = &row.speed {
                @let told = if speed.answer.verdict.is_some() { sooner(speed, row.seeds) } else { String::new() };
                (answer(told, speed_verdict(speed, row.seeds), mean(&speed.answer).map(|mean| -mean)))
            }
            td { @if let Some(of) = &row.stability { (stability(of, row.speed.is_some())) } }
            (answer(effect(&row.cost), verdict(&row.cost), mean(&row.cost)))
        }
    }
}
