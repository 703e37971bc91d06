//! What the drawings share: text, and a shape and a colour for each verdict.

use plotters::{
    coord::{Shift, cartesian::Cartesian2d, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    comparison::verdict::Verdict,
    report::html::palette::{EQUAL, HELPS, HURTS, MUTED, PAPER},
};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Plot<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(crate) type Drawn =
    Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>>;

pub(crate) fn text(size: i32, colour: RGBColor, h: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&colour)
        .pos(Pos::new(h, VPos::Center))
}

pub(crate) fn colour(verdict: Option<Verdict>) -> RGBColor {
    match verdict {
        Some(Verdict::Helps) => HELPS,
        Some(Verdict::Hurts) => HURTS,
        Some(verdict) if verdict.is_equivalent() => EQUAL,
        _ => MUTED,
    }
}

/// A shape for each verdict, so that nobody needs the colours.
pub(crate) fn draw_verdict(plot: &Plot<'_>, at: (f64, f64), verdict: Option<Verdict>) -> Drawn {
    let colour = colour(verdict);
    let shape = |points: &[(i32, i32)]| {
        let polygon = Polygon::new(points.to_vec(), colour.filled());
        EmptyElement::at(at) + polygon
    };
    match verdict {
        Some(Verdict::Helps) => plot.draw(&shape(&[(0, -7), (7, 6), (-7, 6)])),
        Some(Verdict::Hurts) => plot.draw(&shape(&[(0, 7), (7, -6), (-7, -6)])),
        Some(verdict) if verdict.is_equivalent() => {
            plot.draw(&shape(&[(-5, -5), (5, -5), (5, 5), (-5, 5)]))
        }
        _ => {
            plot.draw(&Circle::new(at, 5, PAPER.filled()))?;
            plot.draw(&Circle::new(at, 5, colour.stroke_width(2)))
        }
    }
}
