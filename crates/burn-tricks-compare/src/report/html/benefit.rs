//! Cost against benefit: what a variant gains, over what a step takes.

use plotters::{coord::cartesian::Cartesian2d, prelude::*, style::text_anchor::HPos};

use crate::{
    comparison::{
        answer::{Answer, Unit},
        comparison::{Comparison, Row},
        verdict::Verdict,
    },
    outcome::metric::Better,
    report::html::{
        axis::Axis,
        palette::{BAND, GRID, INK, MUTED},
        shapes::{Area, Drawn, Plot, colour, draw_verdict, text},
    },
};

const SIZE: (u32, u32) = (860, 440);
const LEFT: i32 = 84;
const RIGHT: i32 = 24;
const TOP: i32 = 18;
const BOTTOM: i32 = 58;

/// One variant.
struct Place {
    name: String,
    unit: Unit,
    margin: f64,
    cost_margin: f64,
    /// The logarithm of the ratio of the times per step, and the effect; higher is better.
    at: (f64, f64),
    verdict: Option<Verdict>,
}

impl Place {
    fn new(row: &Row, question: &str) -> Option<Self> {
        let answer: &Answer = match question {
            "speed" => &row.speed.as_ref()?.answer,
            metric => row.answer(metric)?,
        };
        let (effect, cost) = (answer.effect.as_ref()?, row.cost.effect.as_ref()?);
        answer.verdict?;
        let gain = match effect.better {
            Better::Higher => effect.interval.mean,
            Better::Lower => -effect.interval.mean,
        };
        let at = (cost.interval.mean, gain);
        (at.0.is_finite() && at.1.is_finite()).then_some(Self {
            name: row.name.clone(),
            unit: effect.unit,
            margin: effect.margin,
            cost_margin: cost.margin,
            at,
            verdict: answer.verdict,
        })
    }
}

impl Comparison {
    /// The benefit of each variant in a question, `speed` or the name of a metric, against the time that its
    /// steps take, both over the baseline's, as an SVG image. `None` if no row has both.
    ///
    /// Up is better and left is cheaper. For speed a line shows where fewer steps and dearer ones cancel out:
    /// above it the target is reached in less time.
    pub fn benefit_svg(&self, question: &str) -> Option<String> {
        let places: Vec<Place> = self
            .rows
            .iter()
            .filter_map(|row| Place::new(row, question))
            .collect();
        let first = places.first()?;
        let ends = |end: fn(&Place) -> f64| places.iter().map(end).collect::<Vec<f64>>();
        let across = Axis::new(Unit::Ratio, first.cost_margin, &ends(|place| place.at.0));
        let up = Axis::new(first.unit, first.margin, &ends(|place| place.at.1));
        let mut svg = String::new();
        {
            let backend = SVGBackend::with_string(&mut svg, SIZE);
            let root = backend.into_drawing_area();
            draw(&root, [&across, &up], &places, question).ok()?;
            root.present().ok()?;
        }
        Some(svg)
    }
}

fn draw(root: &Area<'_>, [across, up]: [&Axis; 2], places: &[Place], question: &str) -> Drawn {
    let (width, height) = (SIZE.0 as i32, SIZE.1 as i32);
    let plot = root
        .margin(TOP, BOTTOM, LEFT, RIGHT)
        .apply_coord_spec(Cartesian2d::new(
            across.low..across.high,
            up.low..up.high,
            (LEFT..width - RIGHT, height - BOTTOM..TOP),
        ));
    let (margin, cost_margin) = (places[0].margin, places[0].cost_margin);
    for band in [
        [(across.low, -margin), (across.high, margin)],
        [(-cost_margin, up.low), (cost_margin, up.high)],
    ] {
        plot.draw(&Rectangle::new(band, BAND.filled()))?;
    }
    for (at, name) in across.ticks() {
        plot.draw(&PathElement::new([(at, up.low), (at, up.high)], GRID))?;
        let (x, _) = plot.map_coordinate(&(at, up.low));
        root.draw(&Text::new(
            name,
            (x, height - BOTTOM + 14),
            text(12, MUTED, HPos::Center),
        ))?;
    }
    for (at, name) in up.ticks() {
        plot.draw(&PathElement::new(
            [(across.low, at), (across.high, at)],
            GRID,
        ))?;
        let (_, y) = plot.map_coordinate(&(across.low, at));
        root.draw(&Text::new(
            name,
            (LEFT - 8, y),
            text(12, MUTED, HPos::Right),
        ))?;
    }
    plot.draw(&PathElement::new(
        [(across.low, 0.0), (across.high, 0.0)],
        MUTED,
    ))?;
    plot.draw(&PathElement::new([(0.0, up.low), (0.0, up.high)], MUTED))?;
    if question == "speed" {
        let (low, high) = (across.low.max(up.low), across.high.min(up.high));
        plot.draw(&PathElement::new([(low, low), (high, high)], INK))?;
    }
    let what = match (question, places[0].unit) {
        ("speed", _) => {
            "speed in steps, × baseline; above the slanted line: sooner in time too".to_owned()
        }
        (metric, Unit::Points) => format!("{metric}: points better than the baseline"),
        (metric, Unit::Ratio) => format!("{metric}: × better than the baseline"),
        (metric, Unit::Plain) => format!("{metric}: better than the baseline by"),
    };
    root.draw(&Text::new(
        format!("up: {what}"),
        (LEFT, height - 12),
        text(13, INK, HPos::Left),
    ))?;
    let across_name = "across: time per step, × baseline";
    root.draw(&Text::new(
        across_name,
        (width - RIGHT, height - 12),
        text(13, INK, HPos::Right),
    ))?;
    label(root, &plot, [across, up], places)
}

/// The marks, and the names as far as there is room: those of differences first, then by size.
fn label(root: &Area<'_>, plot: &Plot<'_>, [across, up]: [&Axis; 2], places: &[Place]) -> Drawn {
    let mut order: Vec<&Place> = places.iter().collect();
    let is_difference =
        |place: &Place| matches!(place.verdict, Some(Verdict::Helps | Verdict::Hurts));
    order.sort_by(|a, b| {
        let by_kind = is_difference(b).cmp(&is_difference(a));
        by_kind.then(b.at.1.abs().total_cmp(&a.at.1.abs()))
    });
    let inside = |place: &Place| (across.clamp(place.at.0), up.clamp(place.at.1));
    let mut taken: Vec<[i32; 4]> = order
        .iter()
        .map(|place| {
            let (x, y) = plot.map_coordinate(&inside(place));
            [x - 6, y - 6, x + 6, y + 6]
        })
        .collect();
    for place in order {
        draw_verdict(plot, inside(place), place.verdict)?;
        let (x, y) = plot.map_coordinate(&inside(place));
        let length = 7 * place.name.chars().count() as i32;
        // Above or below the mark, so that no line of the grid that it lies on strikes its name out.
        let rooms = [(9, -10), (-9, -10), (9, 11), (-9, 11)].map(|(dx, dy)| {
            let (start, h) = match dx {
                1.. => (x + dx, HPos::Left),
                _ => (x + dx - length, HPos::Right),
            };
            let room = [start, y + dy - 7, start + length, y + dy + 7];
            (room, h, (x + dx, y + dy))
        });
        let fits = |room: &[i32; 4]| {
            let is_inside = room[0] >= LEFT && room[2] <= SIZE.0 as i32 && room[1] >= 0;
            let hits = |other: &[i32; 4]| {
                room[0] < other[2] && other[0] < room[2] && room[1] < other[3] && other[1] < room[3]
            };
            is_inside && !taken.iter().any(hits)
        };
        if let Some((room, h, at)) = rooms.into_iter().find(|(room, ..)| fits(room)) {
            taken.push(room);
            let style = text(12, colour(place.verdict), h);
            root.draw(&Text::new(place.name.clone(), at, style))?;
        }
    }
    Ok(())
}
