//! The comparison as one HTML page, and its forest plot as SVG.
//!
//! Drawn with plotters, whose SVG backend needs neither a browser nor fonts, and written with maud,
//! which escapes every text.

pub(crate) mod axis;
pub(crate) mod benefit;
pub(crate) mod curves;
pub(crate) mod forest;
pub(crate) mod page;
pub(crate) mod palette;
pub(crate) mod shapes;
