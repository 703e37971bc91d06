//! How a diagnosis is shown.

mod html;
mod text;
