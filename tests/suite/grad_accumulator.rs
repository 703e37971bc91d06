//! Gradients of micro-batches are those of the large batch.

use crate::devices::training_devices;
use crate::models::{Pair, dtypes, tensor, values};
use crate::oracle::{assert_close, case, largest, numbers, worst};
use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{ClipGradNormConfig, GradAccumulator, GradAccumulatorConfig};

#[derive(Module, Debug)]
struct Model {
    weight: Param<Tensor<2>>,
    sometimes: Param<Tensor<1>>,
}

impl Model {
    fn new(dtype: DType, device: &Device) -> Self {
        let weight: Tensor<1> = tensor(
            &numbers(&case("accumulation", "seven")["weight"]),
            dtype,
            device,
        );
        let weight = weight.reshape([3, 2]).set_require_grad(true);
        let sometimes: Tensor<1> = tensor(&[2.0], dtype, device);
        Self {
            weight: Param::initialized(ParamId::new(), weight),
            sometimes: Param::initialized(ParamId::new(), sometimes.set_require_grad(true)),
        }
    }

    /// The mean loss over samples `from..to` of the case.
    fn loss(&self, from: usize, to: usize) -> Tensor<1> {
        let case = case("accumulation", "seven");
        let value = self.weight.val();
        let part = |name: &str, width: usize| -> Tensor<2> {
            let part = &numbers(&case[name])[from * width..to * width];
            let flat: Tensor<1> = tensor(part, value.dtype(), &value.device());
            flat.reshape([to - from, width])
        };
        (part("inputs", 3).matmul(value.clone()) - part("targets", 2))
            .square()
            .mean()
    }

    fn read(&self, grads: &GradientsParams) -> Vec<f64> {
        values(grads.get::<2>(self.weight.id).expect("a gradient"))
    }
}

fn accumulator(micro_batches: usize) -> GradAccumulator {
    GradAccumulatorConfig::new(micro_batches).init().unwrap()
}

/// Within `relative` of the largest gradient: gradients of single samples are larger than their mean, and cancel.
fn assert_near(actual: &[f64], expected: &[f64], relative: f64, what: &str) {
    let largest = largest(expected);
    let worst = worst(actual, expected, |_| largest);
    assert!(
        worst <= relative,
        "{what}: {worst:e} off, {actual:?}, expected {expected:?}"
    );
}

/// A window that was begun in `f64` goes on, in `f32` where the device has no `f64`.
#[test]
fn a_state_in_f64_goes_on_on_every_device() {
    let pair = |dtype, device: &Device| Pair::new(&[1.0], &[2.0], dtype, device);
    let add = |accumulator: &mut GradAccumulator, model: &Pair, factor: f64| {
        let loss = ((model.a.val() + model.b.val()) * factor).sum();
        accumulator.add(model, loss.backward(), 1)
    };
    let begun = pair(DType::F64, &Device::flex().autodiff());
    let mut saved = accumulator(2);
    assert!(add(&mut saved, &begun, 1.0).is_none());
    let state = saved.state(&begun);
    for (name, device) in training_devices() {
        let model = pair(dtypes(&device)[0], &device);
        let mut resumed = accumulator(2);
        resumed.load_state(&model, &state).unwrap();
        let mean = add(&mut resumed, &model, 3.0).expect("full");
        assert_eq!(model.read_grads(&mean), (vec![2.0], vec![2.0]), "{name}");
    }
}

/// That this panics, since another network's gradients are in the window.
fn refused(work: &mut dyn FnMut()) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let panic = panic.expect_err("another network");
    let text = panic.downcast_ref::<&str>().expect("a text");
    assert!(
        text.contains("use one accumulator for each network"),
        "{text}"
    );
}

/// Two networks in one accumulator would each get a part of their gradients.
#[test]
fn a_window_belongs_to_one_network() {
    let device = training_devices().remove(0).1;
    let [one, other] = [(); 2].map(|()| Model::new(DType::F32, &device));
    let mut shared = accumulator(2);
    assert!(shared.add(&one, one.loss(0, 3).backward(), 3).is_none());
    refused(&mut || drop(shared.add(&other, other.loss(0, 3).backward(), 3)));
    refused(&mut || drop(shared.finish(&other)));
    let state = shared.state(&one);
    // The window goes on, also when one of its parameters is frozen meanwhile.
    let mut frozen = one.clone();
    frozen.weight = frozen.weight.set_require_grad(false);
    frozen.sometimes = frozen.sometimes.set_require_grad(true);
    let loss = frozen.sometimes.val().square().sum();
    let mean = shared.add(&frozen, loss.backward(), 3).expect("full");
    assert!(mean.get::<2>(one.weight.id).is_some());
    assert!(mean.get::<1>(one.sometimes.id).is_some());
    // A window that is finished or discarded may be followed by another network's, and a loaded one belongs to its module.
    assert!(shared.add(&other, other.loss(0, 3).backward(), 3).is_none());
    shared.clear();
    assert!(shared.add(&one, one.loss(0, 3).backward(), 3).is_none());
    shared.load_state(&other, &state).unwrap();
    refused(&mut || drop(shared.add(&one, one.loss(0, 3).backward(), 3)));
    assert!(shared.add(&other, other.loss(0, 3).backward(), 3).is_some());
}

/// The gradients of the first head would be lost, silently.
#[test]
fn networks_that_share_their_first_parameter_are_two() {
    let device = training_devices().remove(0).1;
    let model = || Model::new(DType::F32, &device);
    let (encoder, [head_a, head_b]) = (model(), [model(), model()]);
    let loss = |head: &Model| encoder.loss(0, 3) + head.loss(0, 3);
    let (a, b) = ((encoder.clone(), head_a), (encoder.clone(), head_b));
    let mut shared = accumulator(2);
    assert!(shared.add(&a, loss(&a.1).backward(), 3).is_none());
    refused(&mut || drop(shared.state(&b)));
    refused(&mut || drop(shared.add(&b, loss(&b.1).backward(), 3)));
    let mut finished = accumulator(2);
    assert!(finished.add(&a, loss(&a.1).backward(), 3).is_none());
    refused(&mut || drop(finished.finish(&b)));
    // As one module each head has its part, half of its gradient.
    let all = (encoder.clone(), a.1.clone(), b.1.clone());
    let mut accumulator = accumulator(2);
    assert!(accumulator.add(&all, loss(&a.1).backward(), 3).is_none());
    let mean = (accumulator.add(&all, loss(&b.1).backward(), 3)).expect("full");
    let whole = encoder.read(&GradientsParams::from_grads(
        encoder.loss(0, 3).backward(),
        &encoder,
    ));
    assert_close(&encoder.read(&mean), &whole, 1e-6, "the encoder");
    let half: Vec<f64> = whole.iter().map(|grad| grad / 2.0).collect();
    for head in [&a.1, &b.1] {
        assert_close(&head.read(&mean), &half, 1e-6, "a head");
    }
}

/// As few bytes as they are, they show whose they are.
#[test]
fn a_state_of_something_else_is_refused_by_name() {
    use burn_tricks::grad::{AutoClipConfig, GradNoiseConfig, LossScalerConfig};
    let device = training_devices().remove(0).1;
    let model = Model::new(DType::F32, &device);
    let mut clip = AutoClipConfig::new().init().unwrap();
    let mut empty = accumulator(2);
    let (of_clip, of_empty) = (clip.state(), empty.state(&model));
    let error = empty.load_state(&model, &of_clip).unwrap_err().to_string();
    assert_eq!(
        error,
        "the saved state does not fit: it is the state of `AutoClip`, and not of `GradAccumulator`"
    );
    let error = clip.load_state(&of_empty).unwrap_err().to_string();
    assert!(
        error.contains("of `GradAccumulator`, and not of `AutoClip`"),
        "{error}"
    );
    let mut scaler = LossScalerConfig::new().init().unwrap();
    let mut noise = GradNoiseConfig::new(0.1).init().unwrap();
    for state in [&of_clip, &of_empty] {
        assert!(scaler.load_state(state).is_err());
        assert!(noise.load_state(state).is_err());
    }
    let error = clip.load_state(&[1, 2, 3]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the saved state does not fit: it is not the state of `AutoClip`"
    );
    let error = clip.load_state(&of_clip[..of_clip.len() - 1]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("AutoClip: the saved state does not fit: it is that of")
    );
    clip.load_state(&of_clip).unwrap();
    empty.load_state(&model, &of_empty).unwrap();
}

#[test]
fn windows_of_any_cut_give_the_large_batchs_gradient() {
    let expected = numbers(&case("accumulation", "seven")["grad"]);
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = Model::new(dtype, &device);
            for cut in [
                vec![0, 7],
                vec![0, 3, 7],
                vec![0, 2, 4, 6, 7],
                (0..=7).collect(),
            ] {
                let mut accumulator = accumulator(cut.len() - 1);
                let mut mean = None;
                for (i, ends) in cut.windows(2).enumerate() {
                    assert!(mean.is_none(), "{cut:?}: too early");
                    assert_eq!(accumulator.samples(), cut[i]);
                    let gradients = model.loss(ends[0], ends[1]).backward();
                    mean = accumulator.add(&model, gradients, ends[1] - ends[0]);
                }
                let mean = mean.expect("a full window");
                assert!(accumulator.is_empty());
                let grad = mean.get::<2>(model.weight.id).unwrap();
                assert_eq!(grad.dtype(), dtype);
                let tolerance = match dtype {
                    DType::F64 => 1e-15,
                    DType::F32 => 3e-7,
                    DType::F16 => 1e-3,
                    _ => 1.5e-2, // of the inputs' rounding above all
                };
                let what = format!("{cut:?} in {dtype:?} on {name}");
                assert_near(&model.read(&mean), &expected, tolerance, &what);
            }
        }
    }
}

#[test]
fn a_short_last_window_is_a_mean_too_and_clipping_acts_once() {
    for (name, device) in training_devices() {
        let model = Model::new(DType::F32, &device);
        let mut accumulator = accumulator(2);
        let clip = ClipGradNormConfig::new(0.01).init().unwrap();
        let mut steps = Vec::new();
        for (from, to) in [(0, 2), (2, 4), (4, 6), (6, 7)] {
            let gradients = model.loss(from, to).backward();
            let grads = accumulator.add(&model, gradients, to - from);
            steps.extend(grads.map(|grads| model.read(&grads)));
        }
        let gradients = model.loss(0, 3).backward();
        assert!(accumulator.add(&model, gradients, 3).is_none());
        let last = accumulator.finish(&model).expect("a short window");
        let of = |from, to| {
            let grads = GradientsParams::from_grads(model.loss(from, to).backward(), &model);
            model.read(&grads)
        };
        assert_near(&steps[0], &of(0, 4), 3e-7, name);
        assert_near(&steps[1], &of(4, 7), 3e-7, name);
        assert_eq!(steps.len(), 2);
        assert_eq!(
            model.read(&last),
            of(0, 3),
            "{name}: one micro-batch is not touched"
        );
        let clipped = model.read(&clip.apply(&model, last));
        let norm = clipped.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert_close(&[norm], &[0.01], 1e-6, name);
        assert!(accumulator.finish(&model).is_none(), "nothing is left");
    }
}

#[test]
fn a_parameter_without_a_gradient_has_none_or_a_zero_in_the_mean() {
    for (name, device) in training_devices() {
        let model = Model::new(DType::F32, &device);
        let with = |factor: f64| (model.sometimes.val() * factor).sum() + model.loss(0, 1);
        let mut accumulator = accumulator(4);
        let none = accumulator.add(&model, model.loss(0, 1).backward(), 1);
        assert!(none.is_none());
        let _ = accumulator.add(&model, with(8.0).backward(), 1);
        let _ = accumulator.add(&model, model.loss(0, 2).backward(), 2);
        // No samples: no change, but a micro-batch of the window.
        let mean = accumulator
            .add(&model, with(1e9).backward(), 0)
            .expect("full");
        let grad = values(mean.get::<1>(model.sometimes.id).unwrap());
        assert_close(&grad, &[2.0], 1e-6, name);
        let _ = accumulator.add(&model, model.loss(0, 1).backward(), 1);
        accumulator.clear();
        assert!(accumulator.is_empty() && accumulator.samples() == 0);
        let mean =
            (0..4).filter_map(|i| accumulator.add(&model, model.loss(i, i + 1).backward(), 1));
        let mean = mean.last().expect("full");
        assert!(mean.get::<1>(model.sometimes.id).is_none(), "{name}");
    }
    let error = GradAccumulatorConfig::new(0)
        .init()
        .unwrap_err()
        .to_string();
    assert_eq!(error, "`micro_batches` must be at least 1, got 0");
}

#[test]
fn as_many_samples_as_can_be_counted_are_no_overflow() {
    let model = Model::new(DType::F32, &Device::flex().autodiff());
    let add = |accumulator: &mut GradAccumulator, factor: f64, samples| {
        let loss = (model.sometimes.val() * factor).sum();
        accumulator.add(&model, loss.backward(), samples)
    };
    let mut accumulator = accumulator(3);
    add(&mut accumulator, 8.0, usize::MAX);
    add(&mut accumulator, 2.0, 1);
    let mean = add(&mut accumulator, 2.0, 1).expect("full");
    let grad = values(mean.get::<1>(model.sometimes.id).unwrap());
    assert_close(&grad, &[8.0], 1e-6, "nothing beside so many");
}

/// The error of a state that does not fit, after which the accumulator is empty.
fn refusal<M: Module>(window: usize, model: &M, state: &[u8]) -> String {
    let mut loaded = accumulator(window);
    let error = loaded.load_state(model, state).unwrap_err().to_string();
    assert!(loaded.is_empty() && loaded.samples() == 0, "{error}");
    assert!(loaded.finish(model).is_none(), "{error}");
    error
}

#[test]
fn a_state_of_another_window_or_model_is_refused() {
    let device = Device::flex().autodiff();
    let model = Model::new(DType::F32, &device);
    let mut begun = accumulator(3);
    for at in 0..2 {
        let gradients = model.loss(at, at + 1).backward();
        assert!(begun.add(&model, gradients, 1).is_none());
    }
    let state = begun.state(&model);
    let window = refusal(2, &model, &state);
    assert!(
        window.contains("2 micro-batches were accumulated, and a window has 2"),
        "{window}"
    );
    let other = Pair::new(&[1.0], &[1.0], DType::F32, &device);
    let path = refusal(3, &other, &state);
    assert!(
        path.contains("the model has no parameter `weight`"),
        "{path}"
    );
    let weight = Tensor::<2>::zeros([4, 2], &device).require_grad();
    let larger = Linear {
        weight: Param::initialized(ParamId::new(), weight),
        bias: None,
    };
    let size = refusal(3, &larger, &state);
    assert!(
        size.contains("`weight` has 8 numbers, and the state 6"),
        "{size}"
    );
    refusal(3, &model, &state[..state.len() - 1]);
    assert!(accumulator(3).load_state(&model, &state).is_ok());
}

/// Experts of one shape, of which each micro-batch uses some.
#[derive(Module, Debug)]
struct Experts {
    experts: Vec<Param<Tensor<1>>>,
    gate: Param<Tensor<2>>,
}

#[test]
fn each_expert_has_the_mean_of_its_own_gradients() {
    for (name, device) in training_devices() {
        let expert = |_| Param::from_tensor(Tensor::<1>::ones([3], &device));
        let model = Experts {
            experts: (0..5).map(expert).collect(),
            gate: Param::from_tensor(Tensor::ones([2, 2], &device)),
        };
        let used: [&[usize]; 6] = [&[1, 3], &[0, 3], &[3], &[4, 2, 1], &[1], &[1]];
        let mut accumulator = accumulator(used.len());
        let (mut sums, mut samples) = ([0.0; 5], 0.0);
        for (step, experts) in used.into_iter().enumerate() {
            let count = step + 1;
            // The gradient of an expert is ten times its number, and the micro-batch's.
            let mut loss = model.gate.val().sum();
            for expert in experts {
                let grad = (10 * expert + step) as f64;
                loss = loss + model.experts[*expert].val().sum() * grad;
                sums[*expert] += count as f64 * grad;
            }
            samples += count as f64;
            let mean = accumulator.add(&model, loss.backward(), count);
            assert_eq!(mean.is_some(), count == used.len());
            let Some(mean) = mean else { continue };
            for (expert, sum) in model.experts.iter().zip(sums) {
                let grad = values(mean.get::<1>(expert.id).unwrap());
                assert_close(&grad, &[sum / samples; 3], 1e-6, name);
            }
            let gate = values(mean.get::<2>(model.gate.id).unwrap());
            assert_close(&gate, &[1.0; 4], 1e-6, name);
        }
    }
}
