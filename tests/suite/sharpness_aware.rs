//! SAM and ASAM: numbers of the programs they come from, and what two passes must not do.

use crate::devices::{devices, training_devices};
use crate::models::{Net, Noise, Pair, alone, dtypes, values};
use crate::oracle::{assert_close, case, worst};
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::{Linear, LinearConfig, PositionalEncodingConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep};
use burn_tricks::Snapshot;
use burn_tricks::grad::{GradAccumulatorConfig, Perturbation, Sam, SamConfig};
use burn_tricks::nn::TiedWeights;
use std::sync::{Arc, Mutex};

/// The network of the oracle.
#[derive(Module, Debug)]
pub(crate) struct Small {
    first: Linear,
    last: Linear,
}

/// `sin(1.7 i + phase)`.
fn wave<const D: usize>(shape: [usize; D], phase: f64, dtype: DType, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let numbers: Vec<f64> = (0..count).map(|i| (1.7 * i as f64 + phase).sin()).collect();
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

/// The hyperbolic tangent by sums, products and quotients alone, which are exact up to rounding on every device. Shader
/// languages have no `exp` and `tanh` of `f64`: Mesa's software Vulkan has both wrong in the first digit. An eighth of `x` by
/// its continued fraction, and three times `tanh 2t = 2 tanh t / (1 + tanh² t)`.
fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let x = x / 8.0;
    let square = x.clone().square();
    let odd_numbers = [13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0];
    let below = odd_numbers
        .into_iter()
        .fold(x.full_like(15.0), |below, odd| square.clone() / below + odd);
    let double = |t: Tensor<D>| t.clone() * 2.0 / (t.square() + 1.0);
    double(double(double(x / below)))
}

impl Small {
    pub(crate) fn new(dtype: DType, device: &Device) -> Self {
        fn param<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
            Param::initialized(ParamId::new(), value.require_grad())
        }
        let layer = |input, output, phase| Linear {
            weight: param(wave([input, output], phase, dtype, device)),
            bias: Some(param(wave([output], phase + 1.0, dtype, device))),
        };
        Self {
            first: layer(4, 3, 0.5),
            last: layer(3, 2, 2.5),
        }
    }

    pub(crate) fn loss(&self, step: usize, dtype: DType, device: &Device) -> Tensor<1> {
        let input = wave([5, 4], step as f64 + 0.1, dtype, device);
        let target = wave([5, 2], step as f64 + 0.2, dtype, device);
        let output = self.last.forward(tanh(self.first.forward(input)));
        (output - target).square().mean()
    }

    /// Fails where a weight is further from `row` than `tolerance` times the largest weight, which is about 1: a
    /// weight may pass through zero.
    pub(crate) fn is_near(&self, row: &[f64], tolerance: f64, what: &str) {
        let worst = worst(&self.numbers(), row, |_| 1.0);
        assert!(worst <= tolerance, "{what}: off by {worst:e}");
    }

    /// With these weights, in the order of [`numbers`](Self::numbers).
    pub(crate) fn with_numbers(self, numbers: &[f64]) -> Self {
        struct Set<'a>(&'a [f64]);
        impl ModuleMapper for Set<'_> {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|value| {
                    let (these, others) = self.0.split_at(value.dims().iter().product());
                    self.0 = others;
                    let new = Tensor::<1>::from_data(these, (&value.device(), value.dtype()));
                    new.reshape(value.dims()).require_grad()
                })
            }
        }
        self.map(&mut Set(numbers))
    }

    pub(crate) fn numbers(&self) -> Vec<f64> {
        let [first, last] = [&self.first, &self.last].map(|layer| {
            let bias = layer.bias.as_ref().unwrap().val();
            [values(layer.weight.val()), values(bias)].concat()
        });
        [first, last].concat()
    }
}

fn matches_the_oracle(name: &str, config: SamConfig) {
    let sam = config.init().unwrap();
    let rows: Vec<Vec<f64>> = crate::oracle::read(&case("sam", name)["weights"]);
    for (backend, device) in training_devices() {
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let mut model = Small::new(dtype, &device);
            let mut optim = SgdConfig::new().init();
            for (step, row) in rows.iter().enumerate() {
                let (grads, _) = sam.gradients(&model, |model| model.loss(step, dtype, &device));
                model = optim.step(0.1, model, grads);
                let what = format!("{name}, step {step}, {dtype:?} on {backend}");
                model.is_near(row, tolerance, &what);
            }
        }
    }
}

#[test]
fn the_steps_are_those_of_the_programs_for_pytorch() {
    matches_the_oracle("davda54", SamConfig::davda54());
    let adaptive = Perturbation::Adaptive { eta: 0.0 };
    let adaptive = SamConfig::davda54().with_perturbation(adaptive);
    matches_the_oracle("davda54_adaptive", adaptive.with_rho(2.0));
    matches_the_oracle("asam", SamConfig::asam());
}

/// `½ x² + 5 y²`.
fn bowl(pair: &Pair) -> Tensor<1> {
    pair.a.val().square().sum() * 0.5 + pair.b.val().square().sum() * 5.0
}

#[test]
fn the_perturbation_has_length_rho_in_its_units() {
    for (name, device) in training_devices() {
        let (x, y) = (3.0, -0.5);
        let pair = Pair::new(&[x], &[y], DType::F32, &device);
        let (gx, gy) = (x, 10.0 * y);
        for (perturbation, [tx, ty]) in [
            (Perturbation::Euclidean, [1.0, 1.0]),
            (Perturbation::Adaptive { eta: 0.5 }, [3.5, 1.0]),
            // Vectors of a layer that Burn does not have are biases.
            (Perturbation::AdaptiveWeights { eta: 0.5 }, [1.0, 1.0]),
        ] {
            let sam = SamConfig::new(0.25).with_perturbation(perturbation);
            let grads = GradientsParams::from_grads(bowl(&pair).backward(), &pair);
            let uphill = sam.init().unwrap().perturbed(&pair, grads).values();
            let norm = f64::hypot(tx * gx, ty * gy);
            let e: [f64; 2] = [tx * tx * gx, ty * ty * gy].map(|g| 0.25 * g / norm);
            assert!((f64::hypot(e[0] / tx, e[1] / ty) - 0.25).abs() < 1e-12);
            assert_close(&uphill.0, &[x + e[0]], 1e-6, name);
            assert_close(&uphill.1, &[y + e[1]], 1e-6, name);
        }
    }
}

#[test]
fn foret_s_formula_step_by_step() {
    for (name, device) in training_devices() {
        let sam = SamConfig::new(0.05).init().unwrap();
        let mut pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
        let mut optim = SgdConfig::new().init();
        for row in [
            [0.949_751_24, 0.475_124_07],
            [0.901_773_63, 0.213_047_03],
            [0.855_710_47, 0.083_500_964],
        ] {
            let (grads, loss) = sam.gradients(&pair, bowl);
            let before = pair.values();
            let expected = 0.5 * before.0[0].powi(2) + 5.0 * before.1[0].powi(2);
            assert_close(&values(loss), &[expected], 1e-6, "the loss at the weights");
            pair = optim.step(0.05, pair, grads);
            let (x, y) = pair.values();
            assert_close(&[x[0], y[0]], &row, 1e-6, name);
        }
    }
}

/// With running statistics of its own.
fn independent_copy(net: &Net) -> Net {
    Snapshot::new(net).restore(net).unwrap()
}

/// The loss of a network with batch norm.
fn loss_of(net: &Net, device: &Device) -> Tensor<1> {
    let input = Noise(7).take(32);
    let input = Tensor::<1>::from_data(input.as_slice(), device).reshape([8, 4]);
    net.forward(input).square().mean()
}

fn statistics(net: &Net) -> Vec<f64> {
    let net = net.valid(); // with what is pending
    [net.norm.running_mean, net.norm.running_var]
        .map(|state| values(state.value()))
        .concat()
}

fn all_grads(net: &Net, grads: &GradientsParams) -> Vec<f64> {
    let bias = |layer: &Linear| layer.bias.as_ref().unwrap().id;
    [
        values(grads.get::<2>(net.first.weight.id).unwrap()),
        values(grads.get::<1>(bias(&net.first)).unwrap()),
        values(grads.get::<1>(net.norm.gamma.id).unwrap()),
        values(grads.get::<1>(net.norm.beta.id).unwrap()),
        values(grads.get::<2>(net.last.weight.id).unwrap()),
        values(grads.get::<1>(bias(&net.last)).unwrap()),
    ]
    .concat()
}

/// With gradient checkpointing, and without.
fn autodiff_devices() -> Vec<Device> {
    let checkpointed = devices()
        .into_iter()
        .map(|(_, device)| device.autodiff().gradient_checkpointing());
    let plain = training_devices().into_iter().map(|(_, device)| device);
    plain.chain(checkpointed).collect()
}

#[test]
fn without_a_way_to_go_it_is_a_plain_backward_pass_to_the_bit() {
    let _alone = alone();
    for device in autodiff_devices() {
        let net = Net::new(0.5, &device);
        let plain = independent_copy(&net);
        device.seed(3);
        let grads = GradientsParams::from_grads(loss_of(&plain, &device).backward(), &plain);
        for config in [SamConfig::new(0.0), SamConfig::asam().with_rho(0.0)] {
            let net = independent_copy(&net);
            device.seed(3);
            let sam = config.init().unwrap();
            let (sharp, _) = sam.gradients(&net, |net| loss_of(net, &device));
            assert_eq!(all_grads(&net, &sharp), all_grads(&plain, &grads));
            assert_eq!(statistics(&net), statistics(&plain));
        }
    }
}

/// No visitor reaches the tensor of the encoding: its copy must fit to the copied weights all the same.
#[test]
fn a_model_with_a_constant_tensor_goes_uphill() {
    let _alone = alone();
    for device in autodiff_devices() {
        let linear = LinearConfig::new(2, 2).init(&device);
        let model = (linear, PositionalEncodingConfig::new(2).init(&device));
        let sam = SamConfig::new(0.1).init().unwrap();
        let (grads, _) = sam.gradients(&model, |(linear, encoding)| {
            let input = Tensor::ones([1, 3, 2], &device);
            encoding.forward(linear.forward(input)).square().sum()
        });
        assert_eq!(grads.len(), 2);
    }
}

#[test]
fn running_statistics_move_once_and_the_model_stays_where_it_is() {
    let _alone = alone();
    for device in autodiff_devices() {
        let net = Net::new(0.0, &device);
        burn_tricks::force_init(&net);
        let plain = independent_copy(&net);
        let at_start = statistics(&net);
        let first = loss_of(&plain, &device);
        let once = statistics(&plain);
        assert_ne!(once, at_start);
        assert_eq!(statistics(&net), at_start, "a copy has its own");

        let before = values(net.first.weight.val());
        let sam = SamConfig::new(0.1).init().unwrap();
        let mut passes = 0;
        let (grads, loss) = sam.gradients(&net, |net| {
            passes += 1;
            assert!(net.dropout.training.is_enabled() && net.norm.training.is_enabled());
            loss_of(net, &device)
        });
        assert_eq!(passes, 2);
        assert_eq!(statistics(&net), once);
        assert_eq!(values(net.first.weight.val()), before);
        assert_eq!(values(loss), values(first));

        // The gradient at a copy that was moved by hand: of the batch's own statistics.
        let at = GradientsParams::from_grads(loss_of(&plain, &device).backward(), &plain);
        let length = all_grads(&plain, &at)
            .iter()
            .map(|g| g * g)
            .sum::<f64>()
            .sqrt();
        let uphill = moved(&plain, &at, 0.1 / length);
        let there = GradientsParams::from_grads(loss_of(&uphill, &device).backward(), &uphill);
        let expected = all_grads(&uphill, &there);
        for (got, expected) in all_grads(&net, &grads).iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
        }
        let flat = all_grads(&plain, &at);
        assert!(
            flat.iter()
                .zip(&expected)
                .any(|(a, b)| (a - b).abs() > 1e-3)
        );

        // And the run goes on.
        let net = SgdConfig::new().init().step(0.1, net, grads);
        let _ = loss_of(&net, &device).backward();
    }
}

/// `net` with each trained weight moved by `factor` times its gradient.
fn moved(net: &Net, grads: &GradientsParams, factor: f64) -> Net {
    let mut uphill = GradientsParams::new();
    struct Negated<'a>(&'a GradientsParams, &'a mut GradientsParams);
    impl burn::module::ModuleVisitor for Negated<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.get::<D>(param.id) {
                self.1.register(param.id, -grad);
            }
        }
    }
    net.visit(&mut Negated(grads, &mut uphill));
    SgdConfig::new()
        .init()
        .step(factor, independent_copy(net), uphill)
}

#[test]
fn where_nothing_slopes_nothing_moves() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device.clone().without_autodiff()) {
            for config in [SamConfig::new(0.05), SamConfig::asam()] {
                let pair = Pair::new(&[0.0, 0.0], &[0.0], dtype, &device);
                let mut seen = Vec::new();
                let (grads, _) = config.init().unwrap().gradients(&pair, |pair| {
                    seen.push(pair.values());
                    bowl(pair)
                });
                assert_eq!(seen[0], seen[1], "{dtype:?} on {name}");
                assert_eq!(pair.read_grads(&grads), (vec![0.0; 2], vec![0.0]));
            }
        }
    }
}

#[test]
fn lengths_beyond_the_squares_of_the_type_have_the_right_direction() {
    for (name, device) in training_devices() {
        let pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
        for size in [1e-25, 1e25] {
            let sam = SamConfig::new(0.5).init().unwrap();
            let uphill = sam.perturbed(&pair, pair.grads(&[3.0 * size], &[-4.0 * size]));
            let (a, b) = uphill.values();
            assert_close(&[a[0], b[0]], &[1.3, 0.6], 1e-6, name);
        }
    }
}

#[test]
fn what_has_no_gradient_is_not_touched() {
    for (name, device) in training_devices() {
        let pair = Pair::new(&[1.0], &[2.0], DType::F32, &device);
        let sam = SamConfig::new(0.5).init().unwrap();
        let mut seen = Vec::new();
        let (grads, _) = sam.gradients(&pair, |pair| {
            seen.push(pair.values());
            pair.a.val().square().sum()
        });
        assert_eq!(seen[1], (vec![1.5], vec![2.0]), "{name}");
        assert_eq!(grads.len(), 1);
        // Frozen stays frozen in the second pass.
        let frozen = Pair {
            b: pair.b.set_require_grad(false),
            ..pair
        };
        let (grads, _) = sam.gradients(&frozen, |pair| {
            assert!(!pair.b.is_require_grad() && pair.a.is_require_grad());
            bowl(pair)
        });
        assert_eq!(grads.len(), 1);
    }
}

#[test]
fn a_tied_parameter_goes_uphill_once() {
    for (name, device) in training_devices() {
        let weight = Tensor::<2>::from_data([[2.0]], &device).require_grad();
        let layer = Linear {
            weight: Param::initialized(ParamId::new(), weight),
            bias: None,
        };
        let model = vec![layer.clone(), layer];
        let input = Tensor::<2>::ones([1, 1], &device);
        // (w²)², of slope 4 w³: w + ρ, and the slope there.
        let sam = SamConfig::new(0.5).init().unwrap();
        let (grads, _) = sam.gradients(&model, |model| {
            let output = model[1].forward(model[0].forward(input.clone()));
            assert_eq!(TiedWeights.paths(model).len(), 1);
            output.square().sum()
        });
        let grad = values(grads.get::<2>(model[0].weight.id).unwrap());
        assert_close(&grad, &[4.0 * 2.5_f64.powi(3)], 1e-6, name);
    }
}

#[test]
fn accumulated_it_is_the_mean_over_the_samples_of_the_parts() {
    let (dtype, device) = (DType::F64, Device::flex().autodiff());
    let model = Small::new(dtype, &device);
    let loss = |model: &Small, part: usize| model.loss(part, dtype, &device);
    let sam = SamConfig::new(0.5).init().unwrap();
    let mut accumulator = GradAccumulatorConfig::new(2).init().unwrap();
    let means = [0, 1].map(|part| {
        let grads = GradientsParams::from_grads(loss(&model, part).backward(), &model);
        let uphill = sam.perturbed(&model, grads);
        accumulator.add(&uphill, loss(&uphill, part).backward(), 1 + part)
    });
    let [None, Some(mean)] = means else {
        panic!("a window of two");
    };
    let read = |grads: &GradientsParams| values(grads.get::<2>(model.first.weight.id).unwrap());
    let [first, second] = [0, 1].map(|part| {
        let (grads, _) = sam.gradients(&model, |model| loss(model, part));
        read(&grads)
    });
    let expected = first.iter().zip(&second).map(|(a, b)| (a + 2.0 * b) / 3.0);
    assert_close(&read(&mean), &expected.collect::<Vec<_>>(), 1e-12, "SAM");
}

#[test]
fn half_precision_goes_uphill_in_single() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device.clone().without_autodiff()) {
            let pair = Pair::new(&[1.0], &[1.0], dtype, &device);
            let sam = SamConfig::new(0.5).init().unwrap();
            let uphill = sam.perturbed(&pair, pair.grads(&[300.0], &[-400.0]));
            assert_eq!(uphill.a.val().dtype(), dtype);
            let (a, b) = uphill.values();
            assert_close(
                &[a[0], b[0]],
                &[1.3, 0.6],
                5e-3,
                &format!("{dtype:?} on {name}"),
            );
        }
    }
}

/// The second pass of a closure that ignores its argument has no gradients of the copy.
#[test]
#[should_panic(expected = "the closure must compute the loss of the model that it is given")]
fn a_closure_that_ignores_the_copy_is_refused() {
    let (_, device) = training_devices().remove(0);
    let model = Small::new(DType::F32, &device);
    let sam = SamConfig::new(0.05).init().unwrap();
    let _ = sam.gradients(&model, |_| model.loss(0, DType::F32, &device));
}

#[test]
fn what_means_nothing_is_refused() {
    let error = SamConfig::new(-0.1).init().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`rho` must be a finite number of at least 0, got -0.1"
    );
    let eta = Perturbation::Adaptive { eta: f64::NAN };
    let error = SamConfig::new(0.1)
        .with_perturbation(eta)
        .init()
        .unwrap_err();
    assert_eq!(error.field, "perturbation.eta");
    let error = SamConfig::new(0.1)
        .with_epsilon(f64::INFINITY)
        .init()
        .unwrap_err();
    assert_eq!(error.field, "epsilon");
}

/// In the `Learner`, which shows what it was given.
#[derive(Module, Debug)]
struct Learned {
    net: Net,
    #[module(skip)]
    sam: Sam,
    #[module(skip)]
    device: Device,
    #[module(skip)]
    losses: Arc<Mutex<Vec<f64>>>,
}

impl TrainStep for Learned {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) -> TrainOutput<()> {
        let (grads, output) = self.sam.gradients_with(self, |model| {
            let loss = loss_of(&model.net, &model.device);
            (loss.clone(), loss)
        });
        self.losses.lock().unwrap().extend(values(output));
        TrainOutput { grads, item: () }
    }
}

impl InferenceStep for Learned {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) {
        let _ = loss_of(&self.net, &Device::flex());
    }
}

struct Nothing;

impl Batcher<(), ()> for Nothing {
    fn batch(&self, _items: Vec<()>, _device: &Device) {}
}

#[test]
fn in_the_learner_it_is_the_loop() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let start = Net::new(0.0, &device);
    burn_tricks::force_init(&start);
    let sam = SamConfig::new(0.1).init().unwrap();

    let mut net = independent_copy(&start);
    let mut optim = SgdConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..6 {
        let (grads, loss) = sam.gradients(&net, |net| loss_of(net, &device));
        losses.extend(values(loss));
        net = optim.step(0.1, net, grads);
    }

    let loader = |count| -> Arc<dyn DataLoader<()>> {
        DataLoaderBuilder::new(Nothing)
            .batch_size(1)
            .set_device(Device::flex())
            .build(InMemDataset::new(vec![(); count]))
    };
    let folder = tempfile::tempdir().unwrap();
    let model = Learned {
        net: independent_copy(&start),
        sam,
        device,
        losses: Arc::default(),
    };
    let seen = model.losses.clone();
    let result = SupervisedTraining::new(folder.path(), loader(3), loader(1))
        .num_epochs(2)
        .with_application_logger(None)
        .launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    let learned = result.model.net;
    assert_eq!(*seen.lock().unwrap(), losses);
    assert_eq!(
        values(learned.first.weight.val()),
        values(net.first.weight.val())
    );
    assert_eq!(statistics(&learned), statistics(&net));
}
