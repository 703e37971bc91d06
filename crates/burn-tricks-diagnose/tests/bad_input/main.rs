//! Data that is damaged, degenerate or far too wide, in as many rows as the rules about tables, columns, neighbours, forests
//! and leaked rows need. Each case ends with a diagnosis: no panic, and no search that does not end.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, DoctorConfig, EpochMetrics, FindingKind, History, LossKind, Probe,
    Targets,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What should come out for each row.
#[derive(Debug, Clone)]
enum Wanted {
    Labels(Vec<i64>),
    /// So many columns.
    Numbers(usize, Vec<f32>),
}

/// Rows as a program has them.
#[derive(Debug, Clone)]
struct Rows {
    features: usize,
    inputs: Vec<f32>,
    wanted: Wanted,
}

impl Rows {
    /// `count` rows of numbers between -1 and 1. The sum of the first two decides between two classes.
    fn labelled(seed: u64, count: usize, features: usize) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let numbers = (0..count * features).map(|_| dice.random_range(-1.0..1.0f32));
        let inputs: Vec<f32> = numbers.collect();
        let label = |row: &[f32]| i64::from(row.iter().take(2).sum::<f32>() > 0.0);
        let labels = inputs.chunks(features).map(label).collect();
        Self {
            features,
            inputs,
            wanted: Wanted::Labels(labels),
        }
    }

    /// The same rows; the target is the sum of the first two numbers.
    fn regression(seed: u64, count: usize, features: usize) -> Self {
        let rows = Self::labelled(seed, count, features);
        let sum = |row: &[f32]| row.iter().take(2).sum();
        let sums = rows.inputs.chunks(features).map(sum).collect();
        Self {
            wanted: Wanted::Numbers(1, sums),
            ..rows
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn labels(&mut self) -> &mut Vec<i64> {
        match &mut self.wanted {
            Wanted::Labels(labels) => labels,
            Wanted::Numbers(..) => panic!("numbers are no labels"),
        }
    }

    fn numbers(&mut self) -> &mut Vec<f32> {
        match &mut self.wanted {
            Wanted::Labels(_) => panic!("labels are no numbers"),
            Wanted::Numbers(_, numbers) => numbers,
        }
    }

    /// Batches of `size` rows; targets may be fewer or more.
    fn batches(&self, size: usize, device: &Device) -> Vec<(Tensor<2>, Targets)> {
        let inputs: Vec<&[f32]> = self.inputs.chunks(size * self.features).collect();
        let last = inputs.len().saturating_sub(1);
        let batch = |(at, inputs): (usize, &&[f32])| {
            let rows = inputs.len() / self.features;
            let inputs = TensorData::new(inputs.to_vec(), [rows, self.features]);
            // What is left over comes with the last batch.
            let part = |all: usize| {
                let end = if at == last { all } else { (at + 1) * size };
                (at * size).min(all)..end.min(all)
            };
            let targets: Targets = match &self.wanted {
                Wanted::Labels(labels) => {
                    let labels = &labels[part(labels.len())];
                    Tensor::<1, Int>::from_data(labels, device).into()
                }
                Wanted::Numbers(columns, numbers) => {
                    let rows = part(numbers.len() / columns);
                    let numbers = &numbers[rows.start * columns..rows.end * columns];
                    let shape = [numbers.len() / columns, *columns];
                    Tensor::<2>::from_data(TensorData::new(numbers.to_vec(), shape), device).into()
                }
            };
            (Tensor::from_data(inputs, device), targets)
        };
        inputs.iter().enumerate().map(batch).collect()
    }
}

/// Cross-entropy or mean square where the targets allow it; or else the mean square of the outputs.
fn loss(outputs: &Tensor<2>, targets: &Targets) -> Tensor<1> {
    let [rows, columns] = outputs.dims();
    match targets {
        Targets::Classes(labels) if labels.dims() == [rows] => {
            let (low, high) = (labels.clone().min(), labels.clone().max());
            let [low, high] = [low, high].map(|end| end.into_scalar::<i64>());
            if low >= 0 && high < columns as i64 {
                let right = labels.clone().reshape([rows, 1]);
                return log_softmax(outputs.clone(), 1)
                    .gather(1, right)
                    .mean()
                    .neg();
            }
        }
        Targets::Values(values) if values.dims() == [rows, columns] => {
            return (outputs.clone() - values.clone()).square().mean();
        }
        _ => {}
    }
    outputs.clone().square().mean()
}

/// Trains a layer of `outputs` for so many epochs of batches of 50, while a doctor is shown everything.
fn examined_for(epochs: usize, outputs: usize, train: &Rows, valid: &Rows) -> Diagnosis {
    let device = Device::flex().autodiff();
    let probe = Probe::new();
    let mut dice = ChaCha8Rng::seed_from_u64(9);
    let mut model = LinearConfig::new(train.features, outputs).init(&device);
    model.weight = model.weight.map(|weight| {
        let scale = 1.0 / (train.features as f32).sqrt();
        let numbers = (0..train.features * outputs).map(|_| dice.random_range(-scale..scale));
        let data = TensorData::new(numbers.collect(), weight.shape());
        Tensor::from_data(data, &weight.device()).require_grad()
    });
    let mut optim = AdamConfig::new().init();
    let kind = match train.wanted {
        Wanted::Labels(_) => LossKind::CrossEntropyOfScores,
        Wanted::Numbers(..) => LossKind::MeanSquaredError,
    };
    let config = DoctorConfig::new().with_loss(Some(kind));
    let mut doctor = config.init(&model).unwrap();
    doctor.attach(&probe);
    let train = train.batches(50, &device);
    let valid = valid.batches(50, &device.clone().inner());
    for _ in 0..epochs {
        let (mut train_loss, mut valid_loss) = (0.0, 0.0);
        for (inputs, targets) in &train {
            doctor.observe_batch(inputs, targets.clone());
            let outputs = probe.record("outputs", model.forward(inputs.clone()));
            doctor.observe_outputs(&outputs);
            let loss = loss(&outputs, targets);
            doctor.observe_loss(&loss);
            train_loss += loss.clone().into_scalar::<f64>() / train.len() as f64;
            let grads = GradientsParams::from_grads(probe.backward(&loss), &model);
            doctor.before_step(&model, &grads, 0.02);
            model = optim.step(0.02, model, grads);
            doctor.after_step(&model);
        }
        for (inputs, targets) in &valid {
            doctor.observe_validation_batch(inputs, targets.clone());
            let outputs = model.valid().forward(inputs.clone());
            doctor.observe_validation_outputs(&outputs);
            valid_loss += loss(&outputs, targets).into_scalar::<f64>() / valid.len() as f64;
        }
        let metrics = EpochMetrics::new().with_train_loss(train_loss);
        doctor.observe_epoch(if valid.is_empty() {
            metrics
        } else {
            metrics.with_valid_loss(valid_loss)
        });
    }
    let diagnosis = doctor.diagnose(&model);
    // It can be shown in every form.
    assert!(diagnosis.to_html("bad input").contains("</html>"));
    let json = diagnosis.to_json();
    let read: Diagnosis = serde_json::from_str(&json).unwrap();
    assert_eq!(read.to_json(), json);
    diagnosis
}

fn examined(outputs: usize, train: &Rows, valid: &Rows) -> Diagnosis {
    examined_for(40, outputs, train, valid)
}

/// 300 rows of six numbers to train on, and 200 to validate on.
fn labelled() -> [Rows; 2] {
    [Rows::labelled(1, 300, 6), Rows::labelled(2, 200, 6)]
}

fn regression() -> [Rows; 2] {
    [Rows::regression(1, 300, 6), Rows::regression(2, 200, 6)]
}

#[track_caller]
fn accuses(diagnosis: &Diagnosis, kind: FindingKind) {
    assert!(diagnosis.accuses(kind), "{kind}\n{diagnosis}");
}

#[test]
fn sound_rows_are_healthy_and_are_seen_by_every_model_without_a_network() {
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        let diagnosis = examined(outputs, &train, &valid);
        assert!(diagnosis.is_healthy(), "{diagnosis}");
        let history = &diagnosis.history;
        assert!(history.neighbours.is_some() && history.linear_fit.is_some());
        assert!(history.trees.is_some() && history.radial.is_some());
        assert!(history.closeness.is_some(), "the rest tests nothing");
    }
}

#[test]
fn inputs_that_are_not_finite_are_named_in_training_and_in_validation() {
    for value in [f32::NAN, f32::NEG_INFINITY] {
        for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
            let one = |rows: &mut Rows| rows.inputs[7] = value;
            let every = |rows: &mut Rows| rows.inputs.fill(value);
            let column = |rows: &mut Rows| {
                let rows = rows.inputs.chunks_mut(6);
                rows.for_each(|row| row[3] = value);
            };
            for damaged in [
                [train.clone().with(one), valid.clone()],
                [train.clone(), valid.clone().with(one)],
                [train.clone().with(column), valid.clone().with(column)],
                [train.clone(), valid.clone().with(column)],
                [train.clone().with(every), valid.clone()],
                [train.clone(), valid.clone().with(every)],
            ] {
                let diagnosis = examined_for(4, outputs, &damaged[0], &damaged[1]);
                accuses(&diagnosis, FindingKind::NonFiniteData);
            }
        }
    }
}

#[test]
fn targets_that_are_not_finite_are_named_in_training_and_in_validation() {
    for value in [f32::NAN, f32::NEG_INFINITY] {
        let [train, valid] = regression();
        let one = |rows: &mut Rows| rows.numbers()[7] = value;
        let every = |rows: &mut Rows| rows.numbers().fill(value);
        for damaged in [
            [train.clone().with(one), valid.clone()],
            [train.clone(), valid.clone().with(one)],
            [train.clone().with(every), valid.clone()],
            [train.clone(), valid.clone().with(every)],
        ] {
            let diagnosis = examined_for(4, 1, &damaged[0], &damaged[1]);
            accuses(&diagnosis, FindingKind::NonFiniteData);
        }
    }
}

#[test]
fn targets_of_which_none_is_finite_are_not_said_to_be_equal() {
    let every = |rows: &mut Rows| rows.numbers().fill(f32::NAN);
    let [train, valid] = [Rows::regression(1, 80, 6), Rows::regression(2, 80, 6)];
    let diagnosis = examined_for(4, 1, &train.with(every), &valid);
    accuses(&diagnosis, FindingKind::NonFiniteData);
    let equal = diagnosis.of_kind(FindingKind::UnscaledTarget).count();
    assert_eq!(equal, 0, "{diagnosis}");
}

#[test]
fn numbers_at_the_ends_of_f32_are_out_of_range() {
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        let largest = |rows: &mut Rows| rows.inputs[7] = f32::MAX;
        let diagnosis = examined(outputs, &train.clone().with(largest), &valid);
        accuses(&diagnosis, FindingKind::UnscaledInputs);
        let all = |rows: &mut Rows| rows.inputs.iter_mut().for_each(|value| *value *= f32::MAX);
        let diagnosis = examined(outputs, &train.clone().with(all), &valid.clone().with(all));
        accuses(&diagnosis, FindingKind::UnscaledInputs);
        // So small that their squares are 0.
        let tiny = |rows: &mut Rows| rows.inputs.iter_mut().for_each(|value| *value *= 1e-40);
        let diagnosis = examined(outputs, &train.with(tiny), &valid.with(tiny));
        accuses(&diagnosis, FindingKind::UnscaledInputs);
    }
}

#[test]
fn one_class_is_named_in_training_and_in_validation() {
    let [train, valid] = labelled();
    let one = |rows: &mut Rows| rows.labels().fill(1);
    let diagnosis = examined(2, &train.clone().with(one), &valid.clone().with(one));
    accuses(&diagnosis, FindingKind::SingleClass);
    let diagnosis = examined(2, &train.clone().with(one), &valid);
    accuses(&diagnosis, FindingKind::SingleClass);
    let diagnosis = examined(2, &train, &valid.clone().with(one));
    accuses(&diagnosis, FindingKind::ValidationClasses);
}

#[test]
fn labels_that_no_output_stands_for_are_named() {
    let [train, valid] = labelled();
    let with = |label: i64| train.clone().with(|rows| rows.labels()[7] = label);
    for label in [2, i64::from(i32::MAX)] {
        accuses(
            &examined(2, &with(label), &valid),
            FindingKind::OutputMismatch,
        );
    }
    // It may be the mark of rows that the loss leaves out.
    let diagnosis = examined(2, &with(-1), &valid);
    let mut notes = diagnosis.of_kind(FindingKind::RareClass);
    assert!(
        notes.any(|note| note.text.contains("Class -1")),
        "{diagnosis}"
    );
}

#[test]
fn a_single_column_is_enough_and_equal_rows_are_not() {
    let one = [Rows::labelled(1, 300, 1), Rows::labelled(2, 200, 1)];
    assert!(examined(2, &one[0], &one[1]).is_healthy());
    let one = [Rows::regression(1, 300, 1), Rows::regression(2, 200, 1)];
    assert!(examined(1, &one[0], &one[1]).is_healthy());
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        let equal = |rows: &mut Rows| rows.inputs.fill(0.5);
        let diagnosis = examined(outputs, &train.clone().with(equal), &valid.with(equal));
        accuses(&diagnosis, FindingKind::ConstantInputs);
    }
}

#[test]
fn one_sample_is_constant() {
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        let one = |rows: &mut Rows| {
            rows.inputs.truncate(6);
            match &mut rows.wanted {
                Wanted::Labels(labels) => labels.truncate(1),
                Wanted::Numbers(_, numbers) => numbers.truncate(1),
            }
        };
        // As often as the rules need it.
        let diagnosis = examined_for(300, outputs, &train.clone().with(one), &valid);
        accuses(&diagnosis, FindingKind::ConstantInputs);
    }
}

#[test]
fn targets_that_are_all_equal_are_named() {
    let [train, valid] = regression();
    for value in [0.0, 1.0, 0.1] {
        let equal = |rows: &mut Rows| rows.numbers().fill(value);
        let diagnosis = examined(1, &train.clone().with(equal), &valid.clone().with(equal));
        accuses(&diagnosis, FindingKind::UnscaledTarget);
    }
}

#[test]
fn a_validation_of_no_row_accuses_nobody_and_one_of_one_row_has_one_class() {
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        let first = |count: usize| {
            valid.clone().with(|rows| {
                rows.inputs.truncate(6 * count);
                match &mut rows.wanted {
                    Wanted::Labels(labels) => labels.truncate(count),
                    Wanted::Numbers(_, numbers) => numbers.truncate(count),
                }
            })
        };
        let diagnosis = examined(outputs, &train, &first(0));
        assert!(diagnosis.is_healthy(), "{diagnosis}");
        let diagnosis = examined(outputs, &train, &first(1));
        let has_one_class = diagnosis.accuses(FindingKind::ValidationClasses);
        assert_eq!(has_one_class, outputs == 2, "{diagnosis}");
    }
    // A batch of no row.
    let device = Device::flex();
    let model = LinearConfig::new(6, 2).init(&device);
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    let empty = Tensor::<2>::zeros([0, 6], &device);
    doctor.observe_batch(&empty, Tensor::<1, Int>::zeros([0], &device));
    doctor.observe_validation_batch(&empty, Tensor::<2>::zeros([0, 1], &device));
    doctor.observe_validation_outputs(&Tensor::zeros([0, 2], &device));
    // Rows of no column.
    let no_column = Tensor::<2>::zeros([200, 0], &device);
    doctor.observe_batch(&no_column, &no_column);
    doctor.observe_validation_batch(&no_column, &no_column);
    doctor.observe_validation_outputs(&no_column);
    assert!(!doctor.diagnose(&model).to_string().is_empty());
}

#[test]
fn labels_as_numbers_of_a_regression_are_named() {
    let [train, valid] = labelled();
    // Five classes, whose numbers are in no order.
    let class_of = |row: &[f32]| [2.0, 4.0, 0.0, 3.0, 1.0][(2.49 * (row[0] + 1.0)) as usize];
    let numbers = |rows: Rows| {
        let classes = rows.inputs.chunks(6).map(class_of).collect();
        Rows {
            wanted: Wanted::Numbers(1, classes),
            ..rows
        }
    };
    let diagnosis = examined(1, &numbers(train), &numbers(valid));
    accuses(&diagnosis, FindingKind::OutputMismatch);
}

#[test]
fn targets_of_another_length_than_the_inputs_are_named() {
    for (outputs, [train, valid]) in [(2, labelled()), (1, regression())] {
        for count in [1, 140, 299, 301] {
            let change = |rows: &mut Rows| match &mut rows.wanted {
                Wanted::Labels(labels) => labels.resize(count, 0),
                Wanted::Numbers(_, numbers) => numbers.resize(count, 0.0),
            };
            let diagnosis = examined(outputs, &train.clone().with(change), &valid);
            // A single label says besides that there is one class, which explains that the labels are unrelated to the inputs.
            let kind = match (count, outputs) {
                (1, 2) => FindingKind::SingleClass,
                _ => FindingKind::UnrelatedLabels,
            };
            accuses(&diagnosis, kind);
            let diagnosis = examined(outputs, &train, &valid.clone().with(change));
            let kind = match (count, outputs) {
                (1, 2) => FindingKind::ValidationClasses,
                _ => FindingKind::UnrelatedLabels,
            };
            accuses(&diagnosis, kind);
        }
    }
}

#[test]
fn batches_that_do_not_fit_together_are_no_table() {
    let device = Device::flex();
    let model = LinearConfig::new(6, 2).init(&device);
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    for rows in [labelled(), regression()] {
        let [train, valid] = rows.map(|rows| rows.batches(50, &device));
        for (at, (inputs, targets)) in train.into_iter().enumerate() {
            // Another number of columns in each batch, and labels after numbers.
            let width = 1 + at % 6;
            doctor.observe_batch(&inputs.clone().narrow(1, 0, width), targets);
            doctor.observe_batch(&inputs.clone().reshape([50, 2, 3]), inputs.clone());
            doctor.observe_batch(&inputs, inputs.clone().narrow(1, 0, width));
            doctor.observe_outputs(&inputs.narrow(1, 0, width));
        }
        for (at, (inputs, targets)) in valid.into_iter().enumerate() {
            let width = 6 - at % 6;
            doctor.observe_validation_batch(&inputs.clone().narrow(1, 0, width), targets);
            doctor.observe_validation_outputs(&inputs.narrow(1, 0, width));
        }
    }
    let diagnosis = doctor.diagnose(&model);
    assert!(!diagnosis.to_json().is_empty() && !diagnosis.to_string().is_empty());
    // The rows of the width that came first.
    let kept = |of: &Option<DataHistory>| of.as_ref().map(|of| (of.features, of.rows));
    assert_eq!(kept(&diagnosis.history.train), Some((1, 100)));
    assert_eq!(kept(&diagnosis.history.valid), Some((6, 100)));
    let has_table = diagnosis.history.trees.is_some() || diagnosis.history.neighbours.is_some();
    assert!(!has_table, "{diagnosis}");
}

#[test]
fn four_thousand_columns_and_a_thousand_classes_come_to_an_end() {
    let wide = |seed: u64, count: usize| {
        let mut rows = Rows::labelled(seed, count, 4000);
        // Every second column has few values, as words or categories have.
        let numbers = rows.inputs.iter_mut().step_by(2);
        numbers.for_each(|value| *value = (5.0 * *value).round());
        let labels = rows.labels().iter_mut().enumerate();
        labels.for_each(|(at, label)| *label = at as i64 % 1000);
        rows
    };
    let diagnosis = examined_for(1, 1000, &wide(1, 1000), &wide(2, 200));
    assert_eq!(diagnosis.history.train.unwrap().classes.len(), 1000);
}

#[test]
fn a_thousand_columns_and_as_many_targets_come_to_an_end() {
    let both = |seed: u64, count: usize| {
        let rows = Rows::regression(seed, count, 1000);
        Rows {
            wanted: Wanted::Numbers(1000, rows.inputs.clone()),
            ..rows
        }
    };
    let diagnosis = examined_for(1, 1000, &both(1, 600), &both(2, 200));
    let train = diagnosis.history.train.unwrap();
    assert_eq!(train.target.map(|target| target.columns), Some(1000));
}

#[test]
fn a_text_in_place_of_a_number_is_quoted() {
    let read = |json: &str| serde_json::from_str::<History>(json);
    let losses = read(r#"{"losses": [1, 2.5, -3, "NaN", "inf", "-inf"]}"#)
        .unwrap()
        .losses;
    assert_eq!(losses[..3], [1.0, 2.5, -3.0]);
    assert!(losses[3].is_nan());
    assert_eq!(losses[4..], [f64::INFINITY, f64::NEG_INFINITY]);
    for (json, quoted) in [
        (r#"{"losses": [1, "fast"]}"#, "\"fast\""),
        (r#"{"steps": [{"lr": "0,01"}]}"#, "\"0,01\""),
        (r#"{"steps": [{"cosine": "0.5"}]}"#, "\"0.5\""),
        (r#"{"told_classes": {"1": ""}}"#, "\"\""),
        (r#"{"losses": [true]}"#, "`true`"),
        (r#"{"losses": [null]}"#, "null"),
    ] {
        let error = read(json).unwrap_err().to_string();
        let wanted = "expected a number, \"NaN\", \"inf\" or \"-inf\"";
        assert!(error.contains(quoted) && error.contains(wanted), "{error}");
    }
    assert_eq!(
        read(r#"{"nonlinearity": null}"#).unwrap().nonlinearity,
        None
    );
}
