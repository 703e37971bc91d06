//! A diagnosis as one HTML page.
//!
//! The drawings are SVG elements of the page, whose colours are variables of its style: they follow the reader's light
//! or dark theme without a script.

mod curve;
mod heat_map;
mod page;
mod ranges;
mod scale;
