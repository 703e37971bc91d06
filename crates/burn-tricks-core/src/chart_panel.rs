//! What a chart is drawn with: lines, areas and letters in a part of an SVG.

use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle};
use plotters_backend::{DrawingBackend, FontFamily};
use plotters_svg::SVGBackend;
use std::convert::Infallible;

/// A part of an SVG, in which pixels count from its upper left corner.
pub(crate) struct Panel<'a, 'svg> {
    pub(crate) svg: &'a mut SVGBackend<'svg>,
    pub(crate) corner: BackendCoord,
}

impl Panel<'_, '_> {
    fn at(&self, (x, y): BackendCoord) -> BackendCoord {
        (self.corner.0 + x, self.corner.1 + y)
    }

    pub(crate) fn text(&mut self, text: &str, letters: &Letters, at: BackendCoord) -> Drawn {
        self.svg.draw_text(text, letters, self.at(at))
    }

    pub(crate) fn line(&mut self, from: BackendCoord, to: BackendCoord, ink: &Ink) -> Drawn {
        self.svg.draw_line(self.at(from), self.at(to), ink)
    }

    pub(crate) fn path(&mut self, path: Vec<BackendCoord>, ink: &Ink) -> Drawn {
        let path: Vec<_> = path.into_iter().map(|point| self.at(point)).collect();
        self.svg.draw_path(path, ink)
    }

    pub(crate) fn rect(
        &mut self,
        corners: (BackendCoord, BackendCoord),
        ink: &Ink,
        fill: bool,
    ) -> Drawn {
        let (from, to) = (self.at(corners.0), self.at(corners.1));
        self.svg.draw_rect(from, to, ink, fill)
    }
}

pub(crate) type Drawn = Result<(), plotters_backend::DrawingErrorKind<std::io::Error>>;

/// The color and the width of a line.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    color: BackendColor,
    width: u32,
}

impl Ink {
    pub(crate) const fn new(red: u8, green: u8, blue: u8) -> Self {
        let rgb = (red, green, blue);
        let color = BackendColor { alpha: 1.0, rgb };
        Self { color, width: 1 }
    }

    pub(crate) const fn wide(self, width: u32) -> Self {
        Self { width, ..self }
    }

    pub(crate) const fn faded(self, alpha: f64) -> Self {
        let rgb = self.color.rgb;
        let color = BackendColor { alpha, rgb };
        Self { color, ..self }
    }
}

impl BackendStyle for Ink {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// Text of a size; no font is needed to write it.
pub(crate) struct Letters {
    size: f64,
    ink: Ink,
    anchor: Pos,
}

impl Letters {
    pub(crate) fn new(size: f64, ink: Ink, horizontal: HPos, vertical: VPos) -> Self {
        let anchor = Pos::new(horizontal, vertical);
        Self { size, ink, anchor }
    }
}

impl BackendTextStyle for Letters {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.ink.color
    }

    fn size(&self) -> f64 {
        self.size
    }

    fn anchor(&self) -> Pos {
        self.anchor
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::SansSerif
    }

    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (0, 0)))
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: BackendCoord,
        _: D,
    ) -> Result<Result<(), E>, Infallible> {
        Ok(Ok(()))
    }
}
