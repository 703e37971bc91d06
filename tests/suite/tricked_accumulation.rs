//! Accumulated gradients in the `Learner`.

use crate::models::{Net, alone};
use crate::net_training::{schedule, session};
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::Device;
use burn::train::Learner;
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, MeanOfAccumulated, StepContext};
use std::sync::{Arc, Mutex};

/// Notes the number of each step.
#[derive(Debug, Default, Clone)]
struct Steps(Arc<Mutex<Vec<u64>>>);

impl<M: Module> Trick<M> for Steps {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        self.0.lock().unwrap().push(step.step());
        model
    }
}

#[test]
fn the_number_of_accumulated_batches_may_change_between_launches() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Three batches in an epoch: 4, 4 and 2 samples.
    let steps = |epochs, batches| {
        let steps = Steps::default();
        let net = Net::seeded(1, &Device::flex().autodiff());
        let model = net.with_tricks((MeanOfAccumulated::new(), steps.clone()));
        let session = session(folder.path(), &EpochClock::new())
            .configure(|training| training.grads_accumulation(batches))
            .num_epochs(epochs)
            .resumable(2)
            .unwrap();
        let learner = Learner::new(model, SgdConfig::new().init(), schedule());
        session.launch(learner).unwrap();
        std::mem::take(&mut *steps.0.lock().unwrap())
    };
    assert_eq!(steps(1, 1), [1, 2, 3]);
    assert_eq!(steps(2, 3), [4], "a step of three batches");
    assert_eq!(steps(3, 2), [5, 6], "of two batches, and of one");
}
