//! All that is fitted to the data without the network.

use crate::history::closeness::Closeness;
use crate::history::linear_fit::LinearFit;
use crate::history::neighbours::Neighbours;
use crate::history::reference::ReferenceFit;
use crate::history::rows::Rows;
use crate::history::table::Table;
use crate::history::{neighbours, radial, told_classes, trees};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What models that need no network say about the validation rows.
#[derive(Debug, Clone, Default)]
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

/// The references of the last rows that were asked for, so that a diagnosis in each epoch fits them once.
#[derive(Debug, Default)]
pub(crate) struct KeptReferences(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The numbers of kept inputs and targets, of the training and of the validation, that they are of.
    rows: Option<[[usize; 2]; 2]>,
    references: References,
    fits: usize,
}

impl KeptReferences {
    /// Of these rows. Rows are only ever added to those of a doctor, so that as many are the same.
    pub(crate) fn of(&self, kept: [[usize; 2]; 2], train: &Rows, valid: &Rows) -> References {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.rows != Some(kept) {
            *last = Kept {
                rows: Some(kept),
                references: References::of(train, valid),
                fits: last.fits + 1,
            };
        }
        last.references.clone()
    }

    /// How many times they were fitted.
    #[cfg(test)]
    pub(crate) fn fits(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fits
    }
}
