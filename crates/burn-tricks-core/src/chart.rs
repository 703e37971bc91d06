//! Charts of lines and bars, as SVG.

use crate::chart_panel::{Drawn, Ink, Letters, Panel};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendCoord, DrawingBackend};
use plotters_svg::SVGBackend;

/// The range of an axis, and what stands at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What the axis measures, with its unit.
    pub label: String,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl Axis {
    /// An axis from `low` to `high`. An empty range, or one that is not finite, becomes one of length 1 from `low`, or
    /// from 0.
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        let low = if low.is_finite() { low } else { 0.0 };
        let is_range = high.is_finite() && high > low;
        Self {
            label: label.into(),
            low,
            high: if is_range { high } else { low + 1.0 },
        }
    }

    /// How far along the axis a value lies: 0 at its start, 1 at its end.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// A bar from the lower end of the vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Where it begins on the horizontal axis.
    pub from: f64,
    /// Where it ends on the horizontal axis.
    pub to: f64,
    /// Its value on the vertical axis.
    pub height: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Marks {
    Line(Vec<(f64, f64)>),
    Bars(Vec<Bar>),
    Reference([(f64, f64); 2]),
}

impl Marks {
    fn is_reference(&self) -> bool {
        matches!(self, Self::Reference(_))
    }
}

/// A chart of lines and bars over one pair of axes, written as SVG: 640 × 400 pixels, with a legend if there is more
/// than one series. Text is left to the fonts of the program that shows the file.
///
/// ```
/// use burn_tricks_core::{Axis, Chart};
///
/// let chart = Chart::new("A line", Axis::new("step", 0.0, 2.0), Axis::new("rate", 0.0, 1.0))
///     .line("falling", [(0.0, 1.0), (1.0, 0.5), (2.0, 0.25)]);
/// assert!(chart.to_svg().starts_with("<svg"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    title: String,
    across: Axis,
    up: Axis,
    series: Vec<(String, Marks)>,
}

const SIZE: (i32, i32) = (640, 400);
/// Room around the axes: left, top, right, bottom.
const MARGIN: [i32; 4] = [76, 52, 24, 60];
/// Room for the legend, right of the axes.
const LEGEND: i32 = 160;
const DARK: Ink = Ink::new(38, 44, 54);
const FAINT: Ink = Ink::new(110, 118, 130);
const GRID: Ink = Ink::new(222, 226, 232);
/// Those of Okabe and Ito that are dark enough on white: they can be told apart without seeing colours well.
const COLORS: [Ink; 6] = [
    Ink::new(0, 114, 178),
    Ink::new(213, 94, 0),
    Ink::new(0, 158, 115),
    Ink::new(204, 121, 167),
    Ink::new(230, 159, 0),
    Ink::new(86, 180, 233),
];

impl Chart {
    /// A chart without series.
    pub fn new(title: impl Into<String>, across: Axis, up: Axis) -> Self {
        Self {
            title: title.into(),
            across,
            up,
            series: Vec::new(),
        }
    }

    /// Adds a line through `points`, `(across, up)`; a point that is not finite leaves a gap.
    #[must_use]
    pub fn line(self, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(name, Marks::Line(points.into_iter().collect()))
    }

    /// Adds bars; a bar whose height is not finite is left out.
    #[must_use]
    pub fn bars(self, name: &str, bars: impl IntoIterator<Item = Bar>) -> Self {
        self.with(name, Marks::Bars(bars.into_iter().collect()))
    }

    /// Adds a thin grey line between two points, to compare with. It is not in the legend.
    #[must_use]
    pub fn reference(self, from: (f64, f64), to: (f64, f64)) -> Self {
        self.with("", Marks::Reference([from, to]))
    }

    fn with(mut self, name: &str, marks: Marks) -> Self {
        self.series.push((name.to_owned(), marks));
        self
    }

    /// The text of the SVG.
    pub fn to_svg(&self) -> String {
        Self::panels_to_svg(std::slice::from_ref(self), 1)
    }

    /// Several charts in one SVG, row by row, with `columns` of them in a row, or 1 if that is 0.
    pub fn panels_to_svg(charts: &[Self], columns: usize) -> String {
        let columns = columns.clamp(1, charts.len().max(1));
        let rows = charts.len().div_ceil(columns);
        let size = (SIZE.0 * columns as i32, SIZE.1 * rows as i32);
        let mut text = String::new();
        let mut svg = SVGBackend::with_string(&mut text, (size.0 as u32, size.1 as u32));
        let white = Ink::new(255, 255, 255);
        let ground = svg.draw_rect((0, 0), size, &white, true);
        let drawn = charts.iter().enumerate().try_for_each(|(at, chart)| {
            let (row, column) = ((at / columns) as i32, (at % columns) as i32);
            let corner = (column * SIZE.0, row * SIZE.1);
            chart.draw(&mut Panel {
                svg: &mut svg,
                corner,
            })
        });
        let written = ground.and(drawn).and_then(|()| svg.present());
        written.expect("writing to a string cannot fail");
        drop(svg);
        text
    }

    fn draw(&self, panel: &mut Panel<'_, '_>) -> Drawn {
        let title = Letters::new(18.0, DARK, HPos::Left, VPos::Top);
        panel.text(&self.title, &title, (MARGIN[0], 10))?;
        self.draw_axes(panel)?;
        let mut colors = COLORS.iter().cycle();
        let legend = Letters::new(13.0, DARK, HPos::Left, VPos::Center);
        let has_legend = self.named() > 1;
        let mut row = 0;
        for (name, marks) in &self.series {
            let ink = match marks {
                Marks::Reference(_) => FAINT,
                _ => *colors.next().expect("a cycle"),
            };
            self.draw_marks(panel, marks, ink)?;
            if has_legend && !marks.is_reference() {
                let (x, y) = (SIZE.0 - LEGEND, MARGIN[1] + 14 + 18 * row);
                panel.line((x, y), (x + 20, y), &ink.wide(3))?;
                panel.text(name, &legend, (x + 26, y))?;
                row += 1;
            }
        }
        Ok(())
    }

    fn draw_axes(&self, panel: &mut Panel<'_, '_>) -> Drawn {
        let left = Letters::new(13.0, FAINT, HPos::Right, VPos::Center);
        let below = Letters::new(13.0, FAINT, HPos::Center, VPos::Top);
        for part in 0..=4 {
            let share = f64::from(part) / 4.0;
            let value = |axis: &Axis| axis.low + share * (axis.high - axis.low);
            let (x, y) = self.place((self.across.low, value(&self.up)));
            let (end, _) = self.place((self.across.high, value(&self.up)));
            panel.line((x, y), (end, y), &GRID)?;
            panel.text(&short(value(&self.up)), &left, (x - 8, y))?;
            let (x, y) = self.place((value(&self.across), self.up.low));
            panel.line((x, y), (x, y + 5), &FAINT)?;
            panel.text(&short(value(&self.across)), &below, (x, y + 9))?;
        }
        let label = Letters::new(14.0, DARK, HPos::Center, VPos::Bottom);
        let middle = (MARGIN[0] + SIZE.0 - self.right()) / 2;
        panel.text(&self.across.label, &label, (middle, SIZE.1 - 8))?;
        let label = Letters::new(14.0, DARK, HPos::Left, VPos::Bottom);
        panel.text(&self.up.label, &label, (8, MARGIN[1] - 6))
    }

    fn draw_marks(&self, panel: &mut Panel<'_, '_>, marks: &Marks, ink: Ink) -> Drawn {
        match marks {
            Marks::Line(points) => {
                let is_gap = |(x, y): &(f64, f64)| !(x.is_finite() && y.is_finite());
                for part in points.split(is_gap).filter(|part| !part.is_empty()) {
                    let path: Vec<_> = part.iter().map(|point| self.place(*point)).collect();
                    panel.path(path, &ink.wide(2))?;
                }
            }
            Marks::Bars(bars) => {
                for bar in bars.iter().filter(|bar| bar.height.is_finite()) {
                    let (left, top) = self.place((bar.from, bar.height));
                    let (right, bottom) = self.place((bar.to, self.up.low));
                    let corners = ((left + 1, top), (right - 1, bottom));
                    panel.rect(corners, &ink.faded(0.45), true)?;
                    panel.rect(corners, &ink, false)?;
                }
            }
            Marks::Reference([from, to]) => {
                panel.line(self.place(*from), self.place(*to), &ink)?;
            }
        }
        Ok(())
    }

    /// Room right of the axes: for the legend, if there is one.
    fn right(&self) -> i32 {
        if self.named() > 1 {
            LEGEND + 16
        } else {
            MARGIN[2]
        }
    }

    /// How many series are in the legend.
    fn named(&self) -> usize {
        let named = self
            .series
            .iter()
            .filter(|(_, marks)| !marks.is_reference());
        named.count()
    }

    /// The pixel of a point; one outside of the axes is drawn at their edge.
    fn place(&self, (x, y): (f64, f64)) -> BackendCoord {
        let [left, top, _, bottom] = MARGIN;
        let right = self.right();
        let width = f64::from(SIZE.0 - left - right);
        let height = f64::from(SIZE.1 - top - bottom);
        let across = self.across.share(x).clamp(0.0, 1.0) * width;
        let up = self.up.share(y).clamp(0.0, 1.0) * height;
        (
            left + across.round() as i32,
            SIZE.1 - bottom - up.round() as i32,
        )
    }
}

/// A number at an axis, in at most four digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        format!("{value:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let axes = (Axis::new("x", 0.0, 2.0), Axis::new("y", 0.0, 1.0));
        Chart::new("<a & b>", axes.0, axes.1)
    }

    #[test]
    fn lines_have_gaps_and_stay_within_the_axes() {
        let points = [(0.0, 0.0), (1.0, f64::NAN), (1.0, 1.0), (2.0, 7.0)];
        let svg = chart().line("falling", points).to_svg();
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        // The lower left corner, and the upper right one for a value beyond it.
        assert!(svg.contains("76,340") && svg.contains("616,52"), "{svg}");
        assert!(
            svg.contains("&lt;a &amp; b&gt;") && svg.ends_with("</svg>\n"),
            "{svg}"
        );
        assert!(
            !svg.contains("falling"),
            "a single series needs no legend: {svg}"
        );
    }

    #[test]
    fn bars_and_references_are_told_apart_by_a_legend() {
        let bar = |height| Bar {
            from: 0.0,
            to: 1.0,
            height,
        };
        let both = chart()
            .bars("before", [bar(0.5), bar(f64::NAN)])
            .line("after", [(0.0, 0.5), (2.0, 0.5)])
            .reference((0.0, 0.0), (2.0, 1.0));
        let svg = both.to_svg();
        assert!(svg.contains("before") && svg.contains("after"), "{svg}");
        // The white ground, and one bar, filled and framed.
        assert_eq!(svg.matches("<rect").count(), 3, "{svg}");
    }

    #[test]
    fn panels_stand_side_by_side() {
        let chart = chart().line("one", [(0.0, 0.0), (2.0, 1.0)]);
        let svg = Chart::panels_to_svg(&[chart.clone(), chart.clone(), chart], 2);
        // The lower left corners of the three.
        for corner in ["76,340", "716,340", "76,740"] {
            assert!(svg.contains(corner), "{corner}: {svg}");
        }
        assert!(svg.contains("width=\"1280\" height=\"800\""), "{svg}");
        assert!(Chart::panels_to_svg(&[], 3).ends_with("</svg>\n"));
    }

    #[test]
    fn a_range_without_length_has_one() {
        for (low, high) in [(2.0, 2.0), (2.0, f64::NAN), (2.0, 1.0)] {
            let axis = Axis::new("x", low, high);
            assert_eq!((axis.low, axis.high), (2.0, 3.0));
        }
        assert_eq!(short(0.05), "0.05");
        assert_eq!(short(1000.0), "1000");
        assert_eq!(short(1e-5), "1.0e-5");
        assert_eq!(short(0.75), "0.75");
    }
}
