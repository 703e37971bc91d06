//! A model in training, which may be replaced at the end of an epoch.

use crate::lock::lock;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// The model at one moment of the training.
///
/// Burn's `Learner` owns the tricked model and accepts no other model at the end of an epoch. So all copies of the
/// model at that moment share the model that the tricks returned, and use it in place of their own.
pub(crate) struct Trained<M> {
    model: M,
    replacement: Arc<Mutex<Option<M>>>,
}

impl<M: Clone> Clone for Trained<M> {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            replacement: self.replacement.clone(),
        }
    }
}

impl<M: Debug> Debug for Trained<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.model.fmt(f)
    }
}

impl<M> Trained<M> {
    pub(crate) fn new(model: M) -> Self {
        Self {
            model,
            replacement: Arc::default(),
        }
    }

    /// The original model, even if it was replaced since.
    pub(crate) fn model(&self) -> &M {
        &self.model
    }
}

impl<M: Clone> Trained<M> {
    /// The model to train on.
    pub(crate) fn current(&self) -> Cow<'_, M> {
        match &*lock(&self.replacement) {
            Some(model) => Cow::Owned(model.clone()),
            None => Cow::Borrowed(&self.model),
        }
    }

    /// The model to train on.
    pub(crate) fn into_current(self) -> M {
        let replacement = lock(&self.replacement).clone();
        replacement.unwrap_or(self.model)
    }

    /// Makes all copies of this moment use `model`.
    pub(crate) fn replace(&self, model: M) {
        *lock(&self.replacement) = Some(model);
    }
}
