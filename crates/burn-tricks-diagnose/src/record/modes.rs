//! The training flags of layers.

use crate::history::structure::Mode;
use burn::module::{Flag, Module, Param};
use burn_tricks_core::walk::{Location, Visitor, visit};

/// The training flags of the layers that have one.
pub(crate) fn modes<M: Module>(model: &M) -> Vec<Mode> {
    struct Flags(Vec<Mode>);

    impl Visitor for Flags {
        fn flag(&mut self, at: &Location, flag: &Param<Flag>) {
            if at.field() == "training" {
                let path = at.path().trim_end_matches("training").trim_end_matches('.');
                self.0.push(Mode {
                    path: path.to_owned(),
                    layer: at.layer().to_owned(),
                    first: flag.is_enabled(),
                    switched_off: None,
                });
            }
        }
    }

    let mut flags = Flags(Vec::new());
    visit(model, &mut flags);
    flags.0
}

/// Notes the layers that were in training mode at first and no longer are.
pub(crate) fn note_modes<M: Module>(model: &M, step: usize, known: &mut [Mode]) {
    if known.is_empty() {
        return;
    }
    for (now, known) in modes(model).iter().zip(known) {
        if known.first && !now.first && known.path == now.path {
            known.switched_off.get_or_insert(step);
        }
    }
}
