//! A doctor who looks over a program's shoulder.

use super::data::Task;
use super::net::{Block, Net, Tap};
use super::program::Program;
use super::run::{Epoch, Outcome, Step, Watch};
use burn::module::Module;
use burn::tensor::{Device, Gradients, Int, Tensor};
use burn_tricks::diagnose::{Diagnosis, Doctor, DoctorConfig, EpochMetrics, Probe, Targets};

/// What a doctor said of a run, and the run.
#[derive(Debug)]
pub struct Examined {
    /// What became of it.
    pub outcome: Outcome,
    /// What the doctor said.
    pub diagnosis: Diagnosis,
}

/// Runs a program while a doctor looks on.
pub fn examine(program: &Program, seed: u64) -> Examined {
    let mut examination = Examination {
        probe: Probed(Probe::new()),
        task: program.data.task,
        doctor: None,
    };
    let outcome = program.run(seed, &mut examination);
    let mut doctor = examination.doctor.expect("every run begins");
    let (inputs, _) = program.data.train.first(64).all(&Device::flex());
    let inference = outcome.net.valid();
    doctor.examine_linearity(&inputs, |inputs| inference.forward(inputs));
    let diagnosis = doctor.diagnose(&outcome.net);
    Examined { outcome, diagnosis }
}

struct Examination {
    probe: Probed,
    task: Task,
    doctor: Option<Doctor>,
}

/// Records what comes out of every layer.
struct Probed(Probe);

impl Tap for Probed {
    fn tap(&mut self, path: &str, _block: &Block, output: Tensor<2>) -> Tensor<2> {
        self.0.record(path, output)
    }

    fn input(&mut self, path: &str, block: &Block, input: Tensor<2>) -> Tensor<2> {
        match block {
            Block::BatchNorm(_) => self
                .0
                .record_norm_input(&format!("{path}.BatchNorm"), input),
            Block::ImageBatchNorm(norm) => {
                let by_channel = norm.by_channel(input.clone());
                (self.0).record_norm_input(&format!("{path}.ImageBatchNorm.layer"), by_channel);
                input
            }
            _ => input,
        }
    }
}

impl Examination {
    fn doctor(&mut self) -> &mut Doctor {
        self.doctor.as_mut().expect("every run begins")
    }

    fn targets(&self, targets: &Tensor<2>) -> Targets {
        let targets = targets.clone().without_autodiff();
        match self.task {
            Task::Classes(_) => {
                let [batch, _] = targets.dims();
                let classes: Tensor<1, Int> = targets.int().reshape([batch]);
                classes.into()
            }
            Task::Numbers => targets.into(),
        }
    }
}

impl Watch for Examination {
    fn begin(&mut self, program: &Program, net: &Net) {
        let config = DoctorConfig::new().with_loss(Some(program.loss.kind));
        let mut doctor = config.init(net).expect("its defaults are right");
        doctor.attach(&self.probe.0);
        doctor.observe_text(&net.to_string());
        self.doctor = Some(doctor);
    }

    fn tap(&mut self) -> Option<&mut dyn Tap> {
        Some(&mut self.probe)
    }

    fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        self.probe.0.backward(loss)
    }

    fn before_step(&mut self, step: &Step<'_>) {
        let targets = self.targets(&step.targets);
        let doctor = self.doctor();
        doctor.observe_batch(&step.inputs, targets);
        doctor.observe_outputs(&step.outputs);
        doctor.observe_loss(&step.loss);
        doctor.before_step(step.net, step.grads, step.rate);
    }

    fn after_step(&mut self, net: &Net) {
        self.doctor().after_step(net);
    }

    fn average(&mut self, average: &Net) {
        self.doctor().observe_average(average);
    }

    fn validation(&mut self, inputs: &Tensor<2>, targets: &Tensor<2>, outputs: &Tensor<2>) {
        let targets = self.targets(targets);
        let doctor = self.doctor();
        doctor.observe_validation_batch(inputs, targets);
        doctor.observe_validation_outputs(outputs);
    }

    fn epoch(&mut self, epoch: &Epoch, _net: &Net) {
        let mut metrics = EpochMetrics::new()
            .with_train_loss(epoch.train_loss)
            .with_valid_loss(epoch.valid_loss);
        if let Task::Classes(_) = self.task {
            metrics = metrics
                .with_train_accuracy(epoch.train_score)
                .with_valid_accuracy(epoch.valid_score);
        }
        self.doctor().observe_epoch(metrics);
    }
}
