//! A comparison as something to read: one line a row, a table of text, Markdown, CSV.

pub(crate) mod csv;
pub(crate) mod examinations;
pub(crate) mod html;
pub(crate) mod interactions;
pub(crate) mod markdown;
pub(crate) mod numbers;
pub(crate) mod summary;
pub(crate) mod text;
pub(crate) mod tuned;
pub(crate) mod wording;
