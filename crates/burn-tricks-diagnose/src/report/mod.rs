//! How a diagnosis is shown.

mod text;
