//! The forest plot: one question, every row, its effect with both intervals.

use plotters::{coord::cartesian::Cartesian2d, prelude::*, style::text_anchor::HPos};

use crate::{
    comparison::{
        answer::{Answer, Unit},
        comparison::{Comparison, Row},
        verdict::Verdict,
    },
    outcome::metric::Better,
    report::{
        html::{
            axis::Axis,
            palette::{BAND, GRID, INK, MUTED},
            shapes::{Area, Drawn, Plot, colour, draw_verdict, text},
        },
        wording,
    },
    statistics::interval::Interval,
};

const WIDTH: u32 = 860;
const WORDS: i32 = 230;
const LINE: i32 = 24;
const TOP: i32 = 34;
const BOTTOM: i32 = 46;

impl Comparison {
    /// The forest plot of a question, `speed`, `cost` or the name of a metric, as an SVG image: each
    /// row's mean effect, the plain 95 % interval as a thick line and the one that the verdict reads as a
    /// thin one, over the margin of equivalence. `None` if no row has an effect.
    ///
    /// Effects of speed are drawn as the ratio of the baseline's steps over the variant's: right is
    /// faster.
    pub fn forest_svg(&self, question: &str) -> Option<String> {
        self.forest_svg_of(question, self.rows.iter())
    }

    /// As [`forest_svg`](Self::forest_svg), of these rows alone.
    pub fn forest_svg_of<'a>(
        &self,
        question: &str,
        rows: impl Iterator<Item = &'a Row>,
    ) -> Option<String> {
        let marks: Vec<Mark> = rows.filter_map(|row| Mark::new(row, question)).collect();
        let first = marks.first()?;
        let ends: Vec<f64> = marks
            .iter()
            .filter(|mark| mark.verdict.is_some())
            .flat_map(|mark| [mark.plain[0], mark.plain[1]])
            .collect();
        let axis = Axis::new(first.unit, first.margin, &ends);
        let longest = marks.iter().map(|mark| mark.name.chars().count()).max();
        let names = (8 * longest.unwrap_or(0) as i32 + 16).clamp(70, 300);
        let height = TOP + LINE * marks.len() as i32 + BOTTOM;
        let mut svg = String::new();
        {
            let backend = SVGBackend::with_string(&mut svg, (WIDTH, height as u32));
            let root = backend.into_drawing_area();
            draw(&root, &axis, &marks, (question, names)).ok()?;
            root.present().ok()?;
        }
        Some(svg)
    }
}

/// One row of the plot, on the scale on which the question is tested, and turned so that the plot of
/// speed has the faster to the right.
struct Mark {
    name: String,
    unit: Unit,
    margin: f64,
    mean: f64,
    plain: [f64; 2],
    adjusted: [f64; 2],
    verdict: Option<Verdict>,
    words: String,
    right_is_better: bool,
}

impl Mark {
    fn new(row: &Row, question: &str) -> Option<Self> {
        let (answer, words): (&Answer, String) = match question {
            "speed" => {
                let speed = row.speed.as_ref()?;
                (&speed.answer, wording::speed_verdict(speed, row.seeds))
            }
            "cost" => (&row.cost, wording::verdict(&row.cost)),
            metric => {
                let answer = row.answer(metric)?;
                (answer, wording::quality_verdict(answer, row.seeds))
            }
        };
        let effect = answer.effect.as_ref()?;
        let turn = question == "speed";
        let turned = |interval: Interval| if turn { interval.negated() } else { interval };
        let (plain, adjusted) = (turned(effect.interval), turned(effect.adjusted));
        Some(Self {
            name: row.name.clone(),
            unit: effect.unit,
            margin: effect.margin,
            mean: plain.mean,
            plain: [plain.low, plain.high],
            adjusted: [adjusted.low, adjusted.high],
            verdict: answer.verdict,
            words,
            right_is_better: turn || effect.better == Better::Higher,
        })
    }

    fn colour(&self) -> RGBColor {
        colour(self.verdict)
    }
}

fn draw(root: &Area<'_>, axis: &Axis, marks: &[Mark], (question, names): (&str, i32)) -> Drawn {
    let height = LINE * marks.len() as i32;
    let plot = root
        .margin(TOP, BOTTOM, names, WORDS)
        .apply_coord_spec(Cartesian2d::new(
            axis.low..axis.high,
            0.0..marks.len() as f64,
            (names..WIDTH as i32 - WORDS, TOP..TOP + height),
        ));
    let bottom = marks.len() as f64;
    let margin = marks[0].margin;
    let band = [(-margin, 0.0), (margin, bottom)];
    plot.draw(&Rectangle::new(band, BAND.filled()))?;
    for (at, name) in axis.ticks() {
        plot.draw(&PathElement::new([(at, 0.0), (at, bottom)], GRID))?;
        let (x, _) = plot.map_coordinate(&(at, 0.0));
        let style = text(12, MUTED, HPos::Center);
        root.draw(&Text::new(name, (x, TOP + height + 12), style))?;
    }
    plot.draw(&PathElement::new([(0.0, 0.0), (0.0, bottom)], MUTED))?;
    heads(root, &plot, marks, question, (names, height))?;
    for (row, mark) in marks.iter().enumerate() {
        let middle = TOP + LINE * row as i32 + LINE / 2;
        let name = text(13, INK, HPos::Right);
        root.draw(&Text::new(mark.name.clone(), (names - 10, middle), name))?;
        let words = text(12, mark.colour(), HPos::Left);
        let right = WIDTH as i32 - WORDS + 12;
        root.draw(&Text::new(mark.words.clone(), (right, middle), words))?;
        draw_mark(&plot, axis, mark, row as f64 + 0.5)?;
    }
    Ok(())
}

/// What is asked, and which side is better.
fn heads(
    root: &Area<'_>,
    plot: &Plot<'_>,
    marks: &[Mark],
    question: &str,
    (names, height): (i32, i32),
) -> Drawn {
    let (zero, _) = plot.map_coordinate(&(0.0, 0.0));
    let sides = if marks[0].right_is_better {
        ["worse ◂", "▸ better"]
    } else {
        ["better ◂", "▸ worse"]
    };
    let left = text(12, MUTED, HPos::Right);
    root.draw(&Text::new(sides[0], (zero - 8, TOP - 12), left))?;
    let right = text(12, MUTED, HPos::Left);
    root.draw(&Text::new(sides[1], (zero + 8, TOP - 12), right))?;
    let unit = match (question, marks[0].unit) {
        ("speed", _) => "speed, × baseline".to_owned(),
        ("cost", _) => "time per step, × baseline".to_owned(),
        (metric, Unit::Points) => format!("{metric}, points from baseline"),
        (metric, Unit::Ratio) => format!("{metric}, × baseline"),
        (metric, Unit::Plain) => format!("{metric}, difference from baseline"),
    };
    let centre = (names + WIDTH as i32 - WORDS) / 2;
    let style = text(13, INK, HPos::Center);
    root.draw(&Text::new(unit, (centre, TOP + height + 32), style))
}

fn draw_mark(plot: &Plot<'_>, axis: &Axis, mark: &Mark, at: f64) -> Drawn {
    // What is not asked has no place.
    if mark.verdict.is_none() {
        return Ok(());
    }
    let colour = mark.colour();
    let line = |ends: &[f64; 2], width: u32| {
        let known = ends.iter().all(|end| end.is_finite());
        let ends = ends.map(|end| {
            if known {
                axis.clamp(end)
            } else {
                axis.clamp(mark.mean)
            }
        });
        PathElement::new([(ends[0], at), (ends[1], at)], colour.stroke_width(width))
    };
    plot.draw(&line(&mark.adjusted, 1))?;
    plot.draw(&line(&mark.plain, 4))?;
    let centre = (axis.clamp(mark.mean), at);
    let arrow = |points: &[(i32, i32)]| {
        let polygon = Polygon::new(points.to_vec(), colour.filled());
        EmptyElement::at(centre) + polygon
    };
    if mark.mean < axis.low {
        return plot.draw(&arrow(&[(-2, 0), (9, -6), (9, 6)]));
    }
    if mark.mean > axis.high {
        return plot.draw(&arrow(&[(2, 0), (-9, -6), (-9, 6)]));
    }
    draw_verdict(plot, centre, mark.verdict)
}
