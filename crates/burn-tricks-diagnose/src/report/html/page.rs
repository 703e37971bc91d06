//! The page.

use crate::diagnosis::Diagnosis;
use crate::finding::finding::Finding;
use crate::finding::prescription::short;
use crate::history::measures::median;
use crate::history::param::ParamHistory;
use crate::report::html::curve::{epochs, learning_curve, losses, lr_range};
use crate::report::html::heat_map::heat_map;
use crate::report::html::ranges::ranges;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

impl Diagnosis {
    /// The diagnosis as one HTML page that needs nothing else: no network, no font, no script. It follows the reader's
    /// light or dark theme.
    ///
    /// It holds the findings, the gradient norm of each layer over the steps, the range of the activations at each
    /// probe, the losses and metrics, the range test and the learning curve if they were handed over, and a table of
    /// the parameters.
    pub fn to_html(&self, title: &str) -> String {
        let history = &self.history;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    // Nothing is loaded, whatever the texts contain.
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (title) }
                        (self.facts())
                    }
                    main {
                        h2 { "Findings" }
                        @for finding in &self.findings { (article(finding)) }
                        (section("Gradient norm of each layer over the steps", heat_map(history)))
                        (section("Activations by depth", ranges(history)))
                        (section("Loss", losses(history)))
                        @for chart in epochs(history) { (chart) }
                        (section("Learning-rate range test", lr_range(history)))
                        (section("Does more data help?", learning_curve(history)))
                        (self.params())
                    }
                }
            }
        };
        page.into_string()
    }

    fn facts(&self) -> Markup {
        let history = &self.history;
        let elements: usize = history.params.iter().map(ParamHistory::elements).sum();
        let last = history
            .last_loss()
            .map_or_else(|| "not observed".to_owned(), short);
        html! {
            dl.facts {
                @if history.steps_taken == 0 && !history.losses.is_empty() {
                    div { dt { "losses" } dd { (history.losses.len()) } }
                } @else {
                    div { dt { "optimizer steps" } dd { (history.steps_taken) } }
                }
                div { dt { "recorded steps" } dd { (history.steps.len()) } }
                div { dt { "parameters" } dd { (elements) } }
                div { dt { "last loss" } dd { (last) } }
                @if let Some(train) = &history.train {
                    div { dt { "training rows examined" } dd { (train.rows) } }
                }
            }
        }
    }

    fn params(&self) -> Markup {
        html! {
            h2 { "Parameters" }
            div.wide tabindex="0" role="region" aria-label="Table of parameters, may scroll" {
                table {
                    caption { "The gradient and the update are medians over the recorded steps." }
                    thead { tr {
                        @for name in ["path", "shape", "initial deviation", "norm", "moved / initial norm", "gradient", "update / weight", "silent units"] {
                            th scope="col" { (name) }
                        }
                    } }
                    tbody { @for param in &self.history.params { (row(param)) } }
                }
            }
        }
    }
}

fn section(title: &str, drawing: Option<Markup>) -> Markup {
    html! {
        @if let Some(drawing) = drawing {
            section { h2 { (title) } (drawing) }
        }
    }
}

fn article(finding: &Finding) -> Markup {
    let severity = finding.severity.to_string();
    html! {
        article class=(severity) {
            h3 { span.severity { (severity) } " " (finding.kind) }
            p { (finding.text) }
            @if !finding.paths.is_empty() {
                p { @for (at, path) in finding.paths.iter().enumerate() {
                    @if at > 0 { ", " }
                    code { (path) }
                } }
            }
            @if !finding.source.is_empty() {
                p.source {
                    (short(finding.value)) ", limit " (short(finding.threshold)) ": " (finding.source)
                    @if let Some(step) = finding.step { "; step " (step) }
                    @if let Some(at) = finding.position { ", epoch " (at.epoch) ", batch " (at.batch) }
                }
            }
            @if !finding.prescriptions.is_empty() {
                ol { @for prescription in &finding.prescriptions { li { (prescription) } } }
            }
        }
    }
}

fn row(param: &ParamHistory) -> Markup {
    let shown = |value: Option<f64>| value.map_or_else(String::new, short);
    let gradient = median(param.steps.iter().map(|at| at.gradient));
    let update = median(param.update_ratios().map(|(_, ratio)| ratio));
    let moved = Some(param.moved / param.initial.norm).filter(|moved| moved.is_finite());
    let silent = param.silent_units.zip(param.units);
    html! {
        tr {
            th scope="row" { code { (param.path) } }
            td { (format!("{:?}", param.shape)) }
            td.number { (short(param.initial.deviation)) }
            td.number { (short(param.last.norm)) }
            td.number { (shown(moved)) }
            td.number { (shown(gradient)) }
            td.number { (shown(update)) }
            td.number { @if let Some((silent, units)) = silent { (silent) " of " (units) } }
        }
    }
}
