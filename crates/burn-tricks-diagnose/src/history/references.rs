//! All that is fitted to the data without the network.

use crate::history::closeness::Closeness;
use crate::history::data::Rows;
use crate::history::linear_fit::LinearFit;
use crate::history::neighbours::Neighbours;
use crate::history::reference::ReferenceFit;
use crate::history::table::Table;
use crate::history::{neighbours, radial, told_classes, trees};
use std::collections::BTreeMap;

/// What models that need no network say about the validation rows.
#[derive(Debug, Default)]
pub(crate) struct References {
    pub(crate) neighbours: Option<Neighbours>,
    pub(crate) linear_fit: Option<LinearFit>,
    pub(crate) trees: Option<ReferenceFit>,
    pub(crate) radial: Option<ReferenceFit>,
    pub(crate) closeness: Option<Closeness>,
    pub(crate) columns: Vec<f64>,
    pub(crate) told_classes: BTreeMap<i64, f64>,
}

impl References {
    pub(crate) fn of(train: &Rows, valid: &Rows) -> Self {
        let table = Table::of(train, valid);
        let table = table.as_ref();
        Self {
            neighbours: Neighbours::of(train, valid),
            linear_fit: LinearFit::of(train, valid),
            trees: table.and_then(trees::fit),
            radial: table.and_then(radial::fit),
            closeness: table.and_then(Closeness::of),
            columns: neighbours::columns(train, valid),
            told_classes: table.map_or_else(BTreeMap::new, told_classes::of),
        }
    }
}
