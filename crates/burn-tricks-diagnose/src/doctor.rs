//! The doctor: records a training, and says what is wrong with it.

use crate::capacity::capacity::Capacity;
use crate::diagnosis::Diagnosis;
use crate::doctor_config::DoctorConfig;
use crate::flat::{Flat, flatten};
use crate::history::History;
use crate::history::epoch::EpochMetrics;
use crate::history::position::BatchPosition;
use crate::history::references::KeptReferences;
use crate::history::structure::{Mode, Structure};
use crate::loss_kind::LossKind;
use crate::measurement::lr_range::LrRange;
use crate::measurement::noise_scale::NoiseScale;
use crate::numbers::number;
use crate::probe::{Probe, unrecorded};
use crate::record::first_non_finite::{self, NonFiniteWatch};
use crate::record::gradients;
use crate::record::linearity;
use crate::record::loss_checks::LossChecks;
use crate::record::losses::StepLosses;
use crate::record::modes::{modes, note_modes};
use crate::record::outputs::Outputs;
use crate::record::params::Params;
use crate::record::rows::RowRecord;
use crate::record::running::Running;
use crate::record::steps::{DENSE, Steps};
use crate::record::valid_outputs::ValidOutputs;
use crate::replay::origin::NonFiniteOrigin;
use crate::targets::Targets;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Records a training and says what is wrong with it: which layer, by which number, and what to try.
///
/// A program calls the methods for which it has the data. Each call is optional, and shows the doctor more.
///
/// | call | when | what it makes visible |
/// | --- | --- | --- |
/// | [`observe_batch`](Self::observe_batch) | before the forward pass | inputs, targets, labels |
/// | [`observe_outputs`](Self::observe_outputs) | after it | the last activation, outputs that do not depend on the input |
/// | [`observe_loss`](Self::observe_loss) | after it | a loss that is not finite, does not fall, or explodes |
/// | [`before_step`](Self::before_step), [`after_step`](Self::after_step) | around the optimizer's step | weights, gradients and updates of each parameter |
/// | [`observe_validation_batch`](Self::observe_validation_batch), [`observe_validation_outputs`](Self::observe_validation_outputs) | in the validation | wrong mode, other scaling, leaked rows |
/// | [`observe_position`](Self::observe_position) | before the step | the epoch and the batch of a finding |
/// | [`observe_epoch`](Self::observe_epoch) | after the validation | overfitting, oscillation |
/// | [`observe_average`](Self::observe_average) | at the end | an average of weights that never started |
/// | [`diagnose`](Self::diagnose) | at any time | |
///
/// # Example
///
/// A network whose first layer is initialised with zeros:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::optim::{AdamConfig, GradientsParams};
/// use burn::tensor::{Device, Distribution, Tensor, activation::relu};
/// use burn_tricks_diagnose::{DoctorConfig, FindingKind};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let zeros = LinearConfig::new(8, 16).with_initializer(Initializer::Zeros);
/// let mut model = vec![zeros.init(&device), LinearConfig::new(16, 1).init(&device)];
/// let mut optim = AdamConfig::new().init();
///
/// let mut doctor = DoctorConfig::new().init(&model)?;
/// for _ in 0..40 {
///     let inputs = Tensor::<2>::random([32, 8], Distribution::Normal(0.0, 1.0), &device);
///     let targets = inputs.clone().narrow(1, 0, 1);
///     doctor.observe_batch(&inputs, &targets);
///     let outputs = model[1].forward(relu(model[0].forward(inputs)));
///     let loss = (outputs - targets).square().mean();
///     doctor.observe_loss(&loss);
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     doctor.before_step(&model, &grads, 1e-3);
///     model = optim.step(1e-3, model, grads);
///     doctor.after_step(&model);
/// }
///
/// let diagnosis = doctor.diagnose(&model);
/// println!("{diagnosis}");
/// let finding = diagnosis.of_kind(FindingKind::ConstantInit).next().unwrap();
/// assert_eq!(finding.paths, ["0.weight"]);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A recorded step reads each gradient and each weight a few times and keeps the weights until
/// [`after_step`](Self::after_step). Which steps are recorded is said at [`DoctorConfig::every`](crate::DoctorConfig::every). In
/// the other steps each gradient is read once, for NaN and infinity, unless
/// [`DoctorConfig::checks_gradients`](crate::DoctorConfig::checks_gradients) is off. Nothing is read from the device before
/// [`diagnose`](Self::diagnose).
///
/// The first weights are kept, so the doctor needs the memory of one more model. What is recorded of steps is bounded. A few
/// numbers are kept of every step, if they are handed over: 12 bytes for its loss, 24 for its position and 20 for its outputs, as
/// for those of a batch of the validation.
#[derive(Debug)]
pub struct Doctor {
    rows: usize,
    loss_kind: Option<LossKind>,
    step: usize,
    params: Params,
    steps: Steps,
    previous: Option<Flat>,
    losses: StepLosses,
    loss_checks: LossChecks,
    structure: Structure,
    train: RowRecord,
    valid: RowRecord,
    outputs: Outputs,
    valid_outputs: ValidOutputs,
    epochs: Vec<EpochMetrics>,
    /// The values of the average of weights, by position.
    average: Option<Vec<Option<Tensor<1>>>>,
    nonlinearity: Option<Tensor<1>>,
    probe: Option<Probe>,
    watch: Option<NonFiniteWatch>,
    positions: Vec<BatchPosition>,
    origin: Option<NonFiniteOrigin>,
    noise: Option<NoiseScale>,
    lr_range: Option<LrRange>,
    capacity: Option<Capacity>,
    /// What was fitted to the rows for the last diagnosis.
    references: KeptReferences,
}

impl Doctor {
    pub(crate) fn new<M: Module>(model: &M, config: &DoctorConfig) -> Self {
        let params = Params::of(model);
        Self {
            rows: config.rows,
            loss_kind: config.loss,
            step: 0,
            steps: Steps::new(config.every, params.list.len()),
            params,
            previous: None,
            losses: StepLosses::default(),
            loss_checks: LossChecks::default(),
            structure: Structure {
                modes: modes(model),
                ..Structure::default()
            },
            train: RowRecord::default(),
            valid: RowRecord::default(),
            outputs: Outputs::default(),
            valid_outputs: ValidOutputs::default(),
            epochs: Vec::new(),
            average: None,
            nonlinearity: None,
            probe: None,
            watch: config.checks_gradients.then(NonFiniteWatch::default),
            positions: Vec::new(),
            origin: None,
            noise: None,
            lr_range: None,
            capacity: None,
            references: KeptReferences::default(),
        }
    }

    /// Reads this probe, which the model holds, in the steps that are recorded. A doctor reads one probe: another one that
    /// was attached before records nothing any more. When the doctor is dropped, its probe stops recording.
    pub fn attach(&mut self, probe: &Probe) {
        if let Some(before) = self.probe.replace(probe.clone()) {
            before.release();
        }
        self.arm();
    }

    /// Whether the next call of [`before_step`](Self::before_step) will be recorded.
    pub fn is_recording(&self) -> bool {
        self.steps.is_due(self.step + 1)
    }

    /// A validation on a device with autodiff has passed through the probe.
    fn forget_passes(&self) {
        if let Some(probe) = &self.probe {
            probe.discard();
        }
    }

    fn arm(&self) {
        if let Some(probe) = &self.probe {
            probe.arm(self.is_recording().then_some(self.step + 1));
        }
    }

    /// Takes a batch of the training: inputs `[rows, ...]`, and labels `[rows]` or numbers `[rows]` or
    /// `[rows, columns]`. The first rows are kept, as many as [`DoctorConfig::rows`](crate::DoctorConfig::rows) says.
    ///
    /// Targets must be those that count in the loss, without padding, and so must the outputs of
    /// [`observe_outputs`](Self::observe_outputs): the doctor compares the loss with the mean over all of them.
    pub fn observe_batch<const D: usize>(
        &mut self,
        inputs: &Tensor<D>,
        targets: impl Into<Targets>,
    ) {
        let targets = targets.into();
        self.train.pair(inputs.dims()[0], &targets);
        self.train.inputs(inputs, self.rows);
        self.observe_targets(targets);
    }

    /// Takes the targets of a batch whose inputs are no float tensors, such as words: those that count in the loss, without
    /// padding, as for [`observe_batch`](Self::observe_batch).
    pub fn observe_targets(&mut self, targets: impl Into<Targets>) {
        let targets = targets.into();
        self.loss_checks.targets(&targets);
        self.train.targets(targets, self.rows);
    }

    /// Takes a batch of the validation, as the model gets it.
    pub fn observe_validation_batch<const D: usize>(
        &mut self,
        inputs: &Tensor<D>,
        targets: impl Into<Targets>,
    ) {
        let targets = targets.into();
        self.valid.pair(inputs.dims()[0], &targets);
        self.valid.inputs(inputs, self.rows);
        self.valid.targets(targets, self.rows);
    }

    /// Takes the outputs of the model in training, `[rows, columns]`, as the loss gets them: one row for each target that counts in
    /// the loss, and none for padding.
    pub fn observe_outputs(&mut self, outputs: &Tensor<2>) {
        self.loss_checks.outputs(outputs);
        self.outputs.push(self.step + 1, outputs);
    }

    /// Takes the outputs of the model in the validation, `[rows, columns]`: those for the batch that was handed to
    /// [`observe_validation_batch`](Self::observe_validation_batch) last. They are compared with its targets, once for each batch.
    /// A validation of one batch need be handed over only once: it is compared with the first outputs of every epoch.
    pub fn observe_validation_outputs(&mut self, outputs: &Tensor<2>) {
        self.forget_passes();
        let settings = (self.loss_kind, self.rows);
        // Each batch has one output in a pass: a second one is of rows that were not handed over.
        let targets = self.valid.next_targets();
        let valid = &mut self.valid_outputs;
        valid.push(self.step, outputs, targets.as_ref(), settings);
    }

    /// Takes the loss of a batch, before the step is taken: the mean over its elements is kept. A step for which gradients are
    /// accumulated over several batches has several losses. In recorded steps the last one is compared with the loss that the
    /// outputs and the targets of its batch have.
    pub fn observe_loss(&mut self, loss: &Tensor<1>) {
        self.loss_checks.loss(loss);
        self.losses.push(self.step + 1, loss);
    }

    /// Takes the gradients that the optimizer is about to get, and the learning rate of the step.
    pub fn before_step<M: Module>(&mut self, model: &M, grads: &GradientsParams, lr: f64) {
        let is_due = self.is_recording();
        self.step += 1;
        let previous = self.previous.take();
        let mut checks = None;
        if is_due {
            note_modes(model, self.step, &mut self.structure.modes);
            let mut before = gradients::before(
                &self.params,
                model,
                grads,
                previous.as_ref(),
                self.step > DENSE,
            );
            checks = Some(std::mem::take(&mut before.checks));
            self.steps.push(self.step, lr, before);
        }
        self.loss_checks
            .end(is_due.then_some(self.step), self.loss_kind);
        if let Some(watch) = &mut self.watch {
            let checks =
                checks.unwrap_or_else(|| first_non_finite::checks(&self.params, model, grads));
            watch.push(self.params.list.len(), self.step, checks);
        }
        if self.step < DENSE {
            self.previous = Some(flatten(model, grads));
        }
        if let Some(probe) = &self.probe {
            probe.close();
        }
        self.arm();
    }

    /// Takes the model after the optimizer's step.
    pub fn after_step<M: Module>(&mut self, model: &M) {
        let weights = self.steps.take_open();
        if !weights.is_empty() {
            let after = gradients::after(&self.params, model, weights);
            self.steps.after(after);
        }
    }

    /// Says, in place of [`after_step`](Self::after_step), that the step was not taken, as when a loss scaler or a guard skips
    /// it. Its gradients and its update are not recorded. It counts as a step, and a gradient that was not finite is still
    /// the first such gradient.
    pub fn skip_step(&mut self) {
        self.steps.skip(self.step);
    }

    /// Takes the number of the epoch and of the batch within it, both from 1, on which the next step will be taken. A
    /// finding with a step then names them.
    pub fn observe_position(&mut self, epoch: usize, batch: usize) {
        let position = BatchPosition::new(self.step + 1, epoch, batch);
        match self
            .positions
            .last_mut()
            .filter(|last| last.step == position.step)
        {
            Some(last) => *last = position,
            None => self.positions.push(position),
        }
    }

    /// Takes what a replay found: see [`GoodState::replay`](crate::GoodState::replay).
    pub fn observe_non_finite(&mut self, origin: NonFiniteOrigin) {
        self.origin = Some(origin);
    }

    /// Takes the metrics of an epoch, after its validation.
    pub fn observe_epoch(&mut self, mut metrics: EpochMetrics) {
        self.forget_passes();
        metrics.step = self.step;
        self.epochs.push(metrics);
        self.valid_outputs.end();
        self.train.end_epoch();
        self.valid.end_epoch();
        self.steps.end_epoch();
        self.arm();
    }

    /// Takes the average of the weights that the program validates or saves after the last step: `ema.model()`, say.
    pub fn observe_average<M: Module>(&mut self, average: &M) {
        self.average = Some(self.params.values(average));
    }

    /// Takes the gradient-noise scale that was measured at the present weights.
    pub fn observe_noise_scale(&mut self, noise: NoiseScale) {
        self.noise = Some(noise);
    }

    /// Takes the result of a learning-rate range test: a note names the rates that it suggests, and how far they disagree.
    pub fn observe_lr_range(&mut self, range: LrRange) {
        self.lr_range = Some(range);
    }

    /// Takes the result of a capacity test.
    pub fn observe_capacity(&mut self, capacity: Capacity) {
        self.capacity = Some(capacity);
    }

    /// Takes the text of the model, `format!("{model}")`, in which the probabilities of dropout layers stand. A walk
    /// over a module does not see them.
    pub fn observe_text(&mut self, model: &str) {
        let mut layers = crate::record::text::dropout_layers(model);
        // Those whose texts end in `Dropout {prob: ...}`.
        let types = [
            "Dropout",
            "SpatialDropout",
            "AlphaDropout",
            "GaussianDropout",
        ];
        let modes = self.structure.modes.iter();
        let is_dropout = |mode: &&Mode| types.contains(&mode.layer.as_str());
        let paths: Vec<&Mode> = modes.filter(is_dropout).collect();
        // Both are in the module's order; the text has names and no paths.
        if paths.len() == layers.len() {
            for (layer, mode) in layers.iter_mut().zip(paths) {
                layer.name.clone_from(&mode.path);
            }
        }
        self.structure.dropout = layers;
    }

    /// Examines whether the network is a linear map of its inputs, from three forward passes over `inputs` (at
    /// least two rows). `forward` should compute in inference mode.
    pub fn examine_linearity<const D: usize>(
        &mut self,
        inputs: &Tensor<D>,
        forward: impl FnMut(Tensor<D>) -> Tensor<2>,
    ) {
        self.nonlinearity = unrecorded(|| linearity::nonlinearity(inputs, forward));
    }

    /// What was recorded so far, as numbers. Waits for the device. `model` is the model as it is now.
    pub fn history<M: Module>(&self, model: &M) -> History {
        let mut params = self.params.histories(model);
        let steps = self.steps.read(&mut params);
        let (train, valid) = (self.train.read(), self.valid.read());
        let both = train.as_ref().zip(valid.as_ref());
        let both = both.filter(|_| self.train.is_paired() && self.valid.is_paired());
        let kept = [self.train.kept(), self.valid.kept()];
        let references = both.map(|(train, valid)| self.references.of(kept, train, valid));
        let references = references.unwrap_or_default();
        let average = self.average.as_ref();
        let running = Running::of(model);
        let norms =
            (self.probe.as_ref()).map(|probe| probe.norm_histories(|path| running.of_layer(path)));
        History {
            steps_taken: self.step,
            steps,
            losses: self.losses.read(),
            loss_steps: self.losses.steps(self.step),
            loss_kind: self.loss_kind,
            loss_checks: self.loss_checks.read(),
            params,
            structure: self.structure.clone(),
            epochs: self.epochs.clone(),
            valid: (valid.as_ref()).map(|rows| self.valid.history(rows, train.as_ref())),
            train: train.map(|rows| self.train.history(&rows, None)),
            outputs: self.outputs.history(),
            valid_outputs: self.valid_outputs.history(),
            probes: self.probe.as_ref().map_or_else(Vec::new, Probe::histories),
            norms: norms.unwrap_or_default(),
            neighbours: references.neighbours,
            linear_fit: references.linear_fit,
            trees: references.trees,
            radial: references.radial,
            closeness: references.closeness,
            neighbour_columns: references.columns,
            told_classes: references.told_classes,
            train_fit: self.loss_checks.pairs.read(self.loss_kind),
            valid_fit: self.valid_outputs.fit(self.loss_kind),
            valid_columns: self.valid_outputs.columns(self.loss_kind),
            first_non_finite: (self.watch.as_ref()).and_then(|watch| watch.read(&self.params)),
            non_finite_origin: self.origin.clone(),
            positions: self.positions.clone(),
            average_moved: number(average.and_then(|of| self.params.distance(of)).as_ref()),
            average_behind: number(
                average
                    .and_then(|of| self.params.behind(of, model))
                    .as_ref(),
            ),
            average_is_model: average.map(|of| self.params.are_of(of, model)),
            nonlinearity: number(self.nonlinearity.as_ref()),
            noise_scale: self.noise,
            lr_range: self.lr_range.clone(),
            capacity: self.capacity.clone(),
        }
    }

    /// Says what is wrong. Waits for the device. `model` is the model as it is now.
    pub fn diagnose<M: Module>(&self, model: &M) -> Diagnosis {
        Diagnosis::from_history(self.history(model))
    }
}

impl Drop for Doctor {
    fn drop(&mut self) {
        if let Some(probe) = &self.probe {
            probe.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn models_without_a_network_are_fitted_again_only_to_other_rows() {
        let device = Device::flex();
        device.seed(1);
        let model = LinearConfig::new(2, 1).init(&device);
        let mut doctor = DoctorConfig::new().init(&model).unwrap();
        let inputs = Tensor::<2>::random([80, 2], Distribution::Normal(0.0, 1.0), &device);
        let targets = inputs.clone().sum_dim(1);
        let half = |tensor: &Tensor<2>, at: usize| tensor.clone().narrow(0, 40 * at, 40);
        doctor.observe_batch(&half(&inputs, 0), half(&targets, 0));
        doctor.observe_validation_batch(&half(&inputs, 1), half(&targets, 1));
        let first = doctor.history(&model);
        assert!(first.neighbours.is_some() && first.trees.is_some());
        assert_eq!(
            (doctor.history(&model), doctor.references.fits()),
            (first.clone(), 1)
        );
        // An epoch hands over nothing new; more rows of the training are.
        doctor.observe_epoch(EpochMetrics::default());
        let _ = doctor.history(&model);
        assert_eq!(doctor.references.fits(), 1);
        doctor.observe_batch(&half(&inputs, 1), half(&targets, 1));
        let more = doctor.history(&model);
        assert_eq!(
            (more.neighbours.unwrap().rows, doctor.references.fits()),
            (80, 2)
        );
        assert_ne!(more.trees, first.trees);
        // Twice as many targets as inputs belong to no row.
        doctor.observe_validation_batch(&half(&inputs, 1), targets);
        assert_eq!(doctor.history(&model).neighbours, None);
    }

    /// The numbers of the steps that are recorded of so many epochs.
    fn recorded(every: usize, epochs: usize, steps: usize) -> Vec<usize> {
        let device = Device::flex().autodiff();
        let model = LinearConfig::new(1, 1).init(&device);
        let loss = model.forward(Tensor::<2>::ones([1, 1], &device)).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        let config = DoctorConfig::new()
            .with_every(every)
            .with_checks_gradients(false);
        let mut doctor = config.init(&model).unwrap();
        for _ in 0..epochs {
            for _ in 0..steps {
                doctor.before_step(&model, &grads, 0.1);
            }
            doctor.observe_epoch(EpochMetrics::default());
        }
        let steps = doctor.history(&model).steps;
        steps.into_iter().map(|of| of.step).collect()
    }

    #[test]
    fn of_many_short_epochs_the_early_ones_are_kept_as_the_late_ones() {
        for every in [10, usize::MAX] {
            let steps = recorded(every, 1000, 1);
            assert!((200..=401).contains(&steps.len()), "{}", steps.len());
            let first: Vec<usize> = (1..=DENSE).collect();
            assert_eq!(steps[..DENSE], first);
            let distances = steps.windows(2).map(|pair| pair[1] - pair[0]);
            let largest = distances.max().unwrap();
            assert!(largest <= 4, "{largest} steps are missing: {steps:?}");
        }
    }

    #[test]
    fn of_first_steps_of_epochs_and_of_others_the_more_numerous_are_thinned_out() {
        // 200 of each kind by step 2,000, and then every second one of one kind, and later of the other.
        let steps = recorded(10, 300, 10);
        assert!((200..=401).contains(&steps.len()), "{}", steps.len());
        for begins in [true, false] {
            let of_kind: Vec<usize> = (steps.iter().copied())
                .filter(|step| *step > DENSE && (step % 10 == 1) == begins)
                .collect();
            let distances = of_kind.windows(2).map(|pair| pair[1] - pair[0]);
            let largest = distances.max().unwrap();
            assert!(largest <= 20, "{largest} of {begins}: {of_kind:?}");
            assert!(of_kind[0] <= 40 && of_kind[of_kind.len() - 1] > 2960);
        }
        // A few long epochs: each begins with a recorded step, whatever becomes of the others.
        let steps = recorded(1, 6, 500);
        let begins = (1..6).map(|epoch| 500 * epoch + 1);
        assert!(
            begins.clone().all(|step| steps.contains(&step)),
            "{steps:?}"
        );
        assert!(steps.len() <= 401);
    }

    #[test]
    fn outputs_of_a_validation_batch_are_compared_once() {
        let device = Device::flex();
        let model = vec![LinearConfig::new(1, 1).init(&device)];
        let mut doctor = DoctorConfig::new()
            .with_loss(Some(LossKind::MeanSquaredError))
            .init(&model)
            .unwrap();
        let targets = Tensor::<2>::from_floats([[1.0], [2.0], [4.0]], &device);
        doctor.observe_validation_batch(&targets, &targets);
        doctor.observe_validation_outputs(&targets);
        // Those of other rows, which nobody handed over.
        doctor.observe_validation_outputs(&(targets.clone() * -3.0));
        let fit = doctor.history(&model).valid_fit.unwrap();
        assert_eq!((fit.rows, fit.explained), (3, 1.0));
    }

    #[test]
    fn a_validation_of_one_batch_is_compared_with_the_outputs_of_every_epoch() {
        let device = Device::flex();
        let model = vec![LinearConfig::new(1, 1).init(&device)];
        let explained = |batches: usize| {
            let mut doctor = DoctorConfig::new()
                .with_loss(Some(LossKind::MeanSquaredError))
                .init(&model)
                .unwrap();
            let targets = Tensor::<2>::from_floats([[1.0], [2.0], [4.0]], &device);
            for share in [0.0, 1.0] {
                for _ in 0..if share == 0.0 { batches } else { 0 } {
                    doctor.observe_validation_batch(&targets, &targets);
                }
                doctor.observe_validation_outputs(&(targets.clone() * share));
                doctor.observe_epoch(EpochMetrics::default());
            }
            let fit = doctor.history(&model).valid_fit.unwrap();
            (fit.rows, fit.explained)
        };
        assert_eq!(explained(1), (3, 1.0));
        // Which of two the outputs of the second epoch are for, nobody knows: those of the first epoch stay.
        assert!(explained(2).1 < 0.0, "{:?}", explained(2));
    }
}
