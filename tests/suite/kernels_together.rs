//! Steps of many weights that a GPU takes in one launch, and means that move in one: against the twins, whatever the sizes,
//! types, layouts and buffers, and however many there are. On other devices such steps are not planned.

use crate::devices::{devices, is_gpu, rounds_once};
use crate::kernels::{assert_twin, every_step, random};
use crate::models::{dtypes, values};
use crate::oracle::off;
use burn::optim::Optimizer;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    AdaDeltaStep, AdaGradStep, AdamStep, AdamaxStep, AmsGradStep, AnyTensor, CorrectedAmsGradStep,
    MomentumStep, PlannedStep, Real, RmsPropStep, SgdStep, SquareSum, Step, StepCount, TensorList,
    TensorNumber, TimedAdaBelief, TimedAdam, TimedNAdam, TimedRAdam, TimedStep, UpdateMomentumStep,
    WeightDecayTerm, change_together, lerp_all, lerp_twin, take_together,
};
use burn_tricks::optim::{
    AdamConfig, CautiousConfig, Epsilon, LarsConfig, LarsDivisor, MomentumForm,
    NormalizedGradientConfig, OptimizerExt as _, SgdConfig, TrustRatioConfig, WeightDecayMode,
};

/// A weight, its gradient, and its state.
type Parts<const S: usize> = (Tensor<2>, Tensor<2>, Option<[Tensor<2>; S]>);

fn plan<const S: usize>(
    step: impl Step<S>,
    (weight, grad, state): Parts<S>,
) -> Option<PlannedStep> {
    let state: Option<Vec<_>> = state.map(|state| state.into_iter().map(AnyTensor::from).collect());
    step.plan(&weight.into(), &grad.into(), state.as_deref())
}

fn adam() -> AdamStep {
    AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::Decoupled(0.05), 3)
}

/// How the tensors of a step come about.
type Make<'a> = &'a dyn Fn([usize; 2], u64, DType, &Device) -> Tensor<2>;

/// Two steps of weights of these shapes together, and each with the twin.
fn check<const S: usize>(
    what: &str,
    step: impl Step<S>,
    shapes: &[[usize; 2]],
    (dtype, make): (DType, Make<'_>),
    device: &Device,
) {
    let weight = |seed: usize| make(shapes[seed], seed as u64, dtype, device);
    let mut weights: Vec<_> = (0..shapes.len()).map(weight).collect();
    let mut twins = weights.clone();
    let mut states: Vec<Option<[Tensor<2>; S]>> = vec![None; shapes.len()];
    let mut twin_states = states.clone();
    for time in [100, 1000] {
        let grads: Vec<_> = (0..shapes.len())
            .map(|seed| make(shapes[seed], seed as u64 + time, dtype, device))
            .collect();
        let planned = weights.into_iter().zip(grads.iter().cloned()).zip(states);
        let planned = planned.map(|((weight, grad), state)| plan(step, (weight, grad, state)));
        let planned: Option<Vec<_>> = planned.collect();
        let taken = take_together(planned.unwrap_or_else(|| panic!("{what}: not planned")));
        assert_eq!(taken.len(), shapes.len(), "{what}");
        (weights, states) = taken
            .into_iter()
            .map(|(weight, state)| {
                let state: Vec<Tensor<2>> = state.into_iter().map(AnyTensor::into_tensor).collect();
                (weight.into_tensor(), state.try_into().ok())
            })
            .unzip();
        for (number, grad) in grads.into_iter().enumerate() {
            let (twin, state) =
                step.apply_twin(twins[number].clone(), grad, twin_states[number].take());
            let what = format!("{what}, {dtype:?}, number {number}");
            assert_twin(weights[number].clone(), twin.clone(), &what);
            let taken = states[number].clone().expect("as many as planned");
            for (taken, twin) in taken.into_iter().zip(state.clone()) {
                assert_eq!(taken.dtype(), DType::F32, "{what}");
                assert_twin(taken, twin, &what);
            }
            (twins[number], twin_states[number]) = (twin, Some(state));
        }
    }
}

fn gpus() -> impl Iterator<Item = (&'static str, Device)> {
    devices().into_iter().filter(|(name, _)| is_gpu(name))
}

fn plain(shape: [usize; 2], seed: u64, dtype: DType, device: &Device) -> Tensor<2> {
    random(shape, seed, dtype, device)
}

#[test]
fn every_step_is_its_twin() {
    for (name, device) in gpus() {
        let shapes = [[5, 7], [4, 16], [1, 1]];
        macro_rules! check {
            ($name:expr, $step:expr) => {
                let what = format!("{name}, {}", $name);
                check(&what, $step, &shapes, (DType::F32, &plain), &device);
            };
        }
        every_step!(check);
    }
}

/// Around a vector of 4 and the 256 units of a cube, one that fills many cubes, and more weights than a launch has buffers.
#[test]
fn steps_are_their_twins_in_every_size_type_and_number() {
    for (name, device) in gpus() {
        let sizes = [1, 2, 3, 4, 5, 255, 256, 257, 1023, 1024, 1025, 4097, 70_001];
        let shapes = sizes.map(|size| [1, size]);
        for dtype in dtypes(&device) {
            if dtype == DType::F64 {
                continue;
            }
            check(name, adam(), &shapes, (dtype, &plain), &device);
        }
        check(name, adam(), &[[3, 5]; 100], (DType::F32, &plain), &device);
        // So many numbers that those in vectors are a launch of their own.
        let large = [[2048, 1024], [2048, 1024], [1, 7]];
        check(name, adam(), &large, (DType::F32, &plain), &device);
    }
}

#[test]
fn layouts_do_not_matter() {
    for (name, device) in gpus() {
        let turned = |[rows, columns]: [usize; 2], seed, dtype, device: &Device| {
            plain([columns, rows], seed, dtype, device).transpose()
        };
        let part = |[rows, columns]: [usize; 2], seed, dtype, device: &Device| {
            let whole = plain([rows + 1, columns + 3], seed, dtype, device);
            whole.slice([1..rows + 1, 2..columns + 2])
        };
        let mixed = |shape, seed: u64, dtype, device: &Device| match seed {
            100.. => turned(shape, seed, dtype, device),
            _ => plain(shape, seed, dtype, device),
        };
        // Gradients of one row that is repeated, as that of a sum over the rows.
        let repeated = |[rows, columns]: [usize; 2], seed: u64, dtype, device: &Device| match seed {
            100.. => plain([1, columns], seed, dtype, device).expand([rows, columns]),
            _ => plain([rows, columns], seed, dtype, device),
        };
        let views: [(&str, Make<'_>); 4] = [
            ("turned", &turned),
            ("parts", &part),
            ("mixed", &mixed),
            ("repeated", &repeated),
        ];
        for (view, make) in views {
            let what = format!("{name}, {view}");
            let shapes = [[8, 12], [5, 7], [1, 9], [64, 64]];
            check(&what, adam(), &shapes, (DType::F32, make), &device);
        }
    }
}

#[test]
fn what_somebody_holds_stays_as_it_is() {
    for (name, device) in gpus() {
        let new = |seed| plain([6, 6], seed, DType::F32, &device);
        let (expected, _) = adam().apply_twin(new(1), new(2), Some([new(3), new(4).abs()]));
        // The weight, the gradient and the state.
        for held in 0..8 {
            let state = [new(3), new(4).abs()];
            let all = (new(1), new(2), Some(state));
            let kept = all.clone();
            let before = (values(new(1)), values(new(2)), values(new(3)));
            let others = (
                (held & 1 > 0).then_some(kept.0),
                (held & 2 > 0).then_some(kept.1),
                kept.2.filter(|_| held & 4 > 0),
            );
            let planned = plan(adam(), all).expect("there is a kernel");
            let (weight, _) = take_together(vec![planned]).remove(0);
            let what = format!("{name}, held {held}");
            assert_twin(weight.into_tensor::<2>(), expected.clone(), &what);
            if let Some(weight) = others.0 {
                assert_eq!(values(weight), before.0, "{what}: the weight");
            }
            if let Some(grad) = others.1 {
                assert_eq!(values(grad), before.1, "{what}: the gradient");
            }
            if let Some([state, _]) = others.2 {
                assert_eq!(values(state), before.2, "{what}: the state");
            }
        }
        // Twice the same tensor.
        let same = new(1);
        let planned = [(); 2].map(|()| plan(adam(), (same.clone(), same.clone(), None)).unwrap());
        let taken = take_together(planned.into());
        let (expected, _) = adam().apply_twin(same.clone(), same.clone(), None);
        for (weight, _) in taken {
            assert_twin(weight.into_tensor::<2>(), expected.clone(), name);
        }
    }
}

#[test]
fn steps_with_other_numbers_and_of_other_types_are_taken_in_one_call() {
    for (name, device) in gpus() {
        let sgd = |lr| SgdStep {
            lr,
            decay: WeightDecayTerm::None,
        };
        let new = |seed, dtype| plain([3, 4], seed, dtype, &device);
        let (mut planned, mut expected) = (Vec::new(), Vec::new());
        for dtype in dtypes(&device).into_iter().filter(|one| *one != DType::F64) {
            for lr in [0.1, 0.2] {
                planned.push(plan(sgd(lr), (new(1, dtype), new(2, dtype), None)).unwrap());
                expected.push(sgd(lr).apply_twin(new(1, dtype), new(2, dtype), None).0);
                planned.push(plan(adam(), (new(1, dtype), new(2, dtype), None)).unwrap());
                expected.push(adam().apply_twin(new(1, dtype), new(2, dtype), None).0);
            }
        }
        for ((weight, _), expected) in take_together(planned).into_iter().zip(expected) {
            assert_twin(weight.into_tensor(), expected, name);
        }
        assert!(take_together(Vec::new()).is_empty());
    }
}

#[test]
fn what_has_no_kernel_is_not_planned() {
    for (name, device) in devices() {
        let new = |dtype, device: &Device| plain([3, 4], 1, dtype, device);
        let is_planned = |weight, grad| plan(adam(), (weight, grad, None)).is_some();
        let float = || new(DType::F32, &device);
        assert_eq!(is_planned(float(), float()), is_gpu(name), "{name}");
        let tracked = new(DType::F32, &device.clone().autodiff());
        assert!(!is_planned(tracked, float()), "{name}");
        let empty = || Tensor::zeros([0, 4], &device);
        assert!(!is_planned(empty(), empty()), "{name}");
        for dtype in dtypes(&device) {
            let is_same = dtype == DType::F32;
            let expected = is_same && is_gpu(name);
            let planned = is_planned(float(), new(dtype, &device));
            assert_eq!(planned, expected, "{name}, {dtype:?}");
        }
        if device.supports_dtype(DType::F64) {
            let double = || new(DType::F64, &device);
            assert!(!is_planned(double(), double()), "{name}");
        }
        let elsewhere = Device::flex();
        if elsewhere != device {
            assert!(!is_planned(float(), new(DType::F32, &elsewhere)), "{name}");
        }
        let time = StepCount::new(2).begun();
        let timed = TimedAdam {
            lr: 0.1,
            betas: (0.9, 0.99),
            epsilon: 1e-8,
            plain_epsilon: false,
            decay: WeightDecayTerm::None,
        };
        let planned = timed.plan(&time, &float().into(), &float().into(), None);
        assert_eq!(planned.is_some(), is_gpu(name), "{name}");
    }
}

#[test]
fn other_shapes_panic() {
    for (name, device) in gpus() {
        let (weight, grad) = (
            Tensor::<2>::ones([3, 4], &device),
            Tensor::ones([4, 3], &device),
        );
        let parts = std::panic::AssertUnwindSafe((weight, grad));
        let planned = std::panic::catch_unwind(move || {
            let std::panic::AssertUnwindSafe((weight, grad)) = parts;
            plan(adam(), (weight, grad, None)).is_some()
        });
        assert!(planned.is_err(), "{name}");
    }
}

/// Also of numbers that are not finite, or at the edges of the range.
#[test]
fn means_are_their_twins() {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -2.5,
        3e38,
        1e-37,
        f32::NAN,
        f32::INFINITY,
        -3e38,
    ];
    for (name, device) in devices() {
        for share in [0.001, 0.3, 0.75, 1.0] {
            for dtype in dtypes(&device) {
                let (mut x, mut y, mut twins) = (TensorList::new(), TensorList::new(), Vec::new());
                let mut add = |one: Tensor<1>, other: Tensor<1>| {
                    x.push(one.clone());
                    y.push(other.clone());
                    let pairs = values(one.clone()).into_iter().zip(values(other.clone()));
                    let sizes = pairs.map(|(x, y)| x.abs().max(y.abs())).collect::<Vec<_>>();
                    twins.push((lerp_twin(one, other, share), sizes));
                };
                for (seed, size) in [5, 64, 1000, 1].into_iter().enumerate() {
                    let new = |seed| random([size], seed, dtype, &device);
                    add(new(seed as u64), new(seed as u64 + 10));
                }
                let numbers = || Tensor::<1>::from_floats(edges, &device).cast(dtype);
                for shift in 0..edges.len() as i64 {
                    add(numbers(), numbers().roll(&[shift], &[0]));
                }
                let mut moved = lerp_all(x, &y, share);
                for (number, (twin, sizes)) in twins.into_iter().enumerate() {
                    let what = format!("{name}, {dtype:?}, {share}, number {number}");
                    let moved: Tensor<1> = moved.pop().expect("as many");
                    assert_eq!(moved.dtype(), dtype, "{what}");
                    let is_cpu = !is_gpu(name);
                    // A GPU may take a subnormal product for 0. And it may round a product and a sum of the twin's at once,
                    // those of the kernel apart, and both then to half precision.
                    let (relative, of_size, least) = match dtype {
                        _ if is_cpu => (1e-6, 0.0, 0.0),
                        _ if !rounds_once(&device) => (1e-6, 0.0, f32::MIN_POSITIVE),
                        DType::F16 => (1e-3, 0.0, f32::MIN_POSITIVE),
                        DType::BF16 => (8e-3, 0.0, f32::MIN_POSITIVE),
                        _ => (1e-6, 1.2e-7, f32::MIN_POSITIVE),
                    };
                    let both = values(moved).into_iter().zip(values(twin));
                    for ((a, b), size) in both.zip(sizes) {
                        let of_size = if size.is_finite() {
                            of_size * size
                        } else {
                            0.0
                        };
                        let rounding = relative * b.abs() + of_size + f64::from(least);
                        let close = a == b || (a - b).abs() <= rounding;
                        // Merged operations leave the range of half precision later than single ones.
                        let shows = if dtype == DType::F32 || is_cpu {
                            a.is_nan() && b.is_nan()
                        } else {
                            !a.is_finite() && !b.is_finite()
                        };
                        assert!(close || shows, "{what}: {a}, {b}");
                    }
                }
            }
        }
    }
}

/// x ← x (‖x − y‖ / ‖y‖ + the mean of y²) + y
#[derive(Clone, Copy)]
pub(crate) struct Mixed;

impl TensorNumber<2, 2> for Mixed {
    fn terms<T: Real>(self, [x, y]: [T; 2]) -> [T; 2] {
        [x - y, y]
    }

    fn number<T: Real>(self, [way, y]: [SquareSum<T>; 2], count: T) -> T {
        way.root / y.root + y.sum / count
    }

    fn element<T: Real>(self, [x, y]: [T; 2], number: T) -> T {
        x * number + y
    }
}

fn mixed_in_f64(x: &[f64], y: &[f64]) -> Vec<f64> {
    let squares = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>();
    let way = squares(&mut x.iter().zip(y).map(|(x, y)| x - y)).sqrt();
    let sum = squares(&mut y.iter().copied());
    let number = way / sum.sqrt() + sum / x.len() as f64;
    x.iter().zip(y).map(|(x, y)| x * number + y).collect()
}

/// The pairs changed together, against `f64`.
fn check_mixed(what: &str, pairs: Vec<[Tensor<2>; 2]>) {
    let expected = |[x, y]: &[Tensor<2>; 2]| mixed_in_f64(&values(x.clone()), &values(y.clone()));
    let expected: Vec<_> = pairs.iter().map(expected).collect();
    let items = pairs.clone().into_iter();
    let items = items.map(|pair| pair.map(AnyTensor::from)).collect();
    let changed = change_together(Mixed, items).expect("there is a kernel");
    assert_eq!(changed.len(), expected.len(), "{what}");
    let all = changed.into_iter().zip(expected).zip(pairs);
    for (number, ((changed, expected), [x, _])) in all.enumerate() {
        let changed: Tensor<2> = changed.into_tensor();
        let what = format!("{what}, number {number}, {:?}", x.dims());
        assert_eq!(
            (changed.dims(), changed.dtype()),
            (x.dims(), x.dtype()),
            "{what}"
        );
        let relative = match x.dtype() {
            DType::F32 => 1e-6,
            DType::F16 => 1e-3,
            _ => 8e-3,
        };
        for (changed, expected) in values(changed).into_iter().zip(expected) {
            // Of the size of the numbers that are added up.
            let near = off(changed, expected, expected.abs().max(1.0)) <= relative;
            assert!(near, "{what}: {changed} and {expected}");
        }
    }
}

/// Sizes around a vector, a cube and the most numbers of a single cube; more tensors than a launch has buffers; each type.
#[test]
fn what_needs_a_number_of_the_whole_tensor_is_that_in_f64() {
    let sizes = [
        1, 2, 3, 4, 5, 64, 255, 256, 257, 4097, 8192, 8193, 70_001, 300_007,
    ];
    for (name, device) in gpus() {
        for dtype in dtypes(&device) {
            if dtype == DType::F64 {
                continue;
            }
            let pair = |shape: [usize; 2], seed| {
                [seed, seed + 50].map(|seed| plain(shape, seed, dtype, &device))
            };
            let what = format!("{name}, {dtype:?}");
            for size in sizes {
                check_mixed(&what, vec![pair([1, size], size as u64)]);
            }
            let all = sizes.map(|size| pair([1, size], size as u64)).to_vec();
            check_mixed(&format!("{what}, all"), all);
            let many = (0..70).map(|seed| pair([3 + seed as usize, 8], seed));
            check_mixed(&format!("{what}, many"), many.collect());
            // Numbers that lie otherwise in memory: both turned, one turned, and parts of larger tensors.
            let turned = pair([12, 20], 3).map(Tensor::transpose);
            let [x, y] = pair([20, 12], 4);
            let one = [x, plain([12, 20], 5, dtype, &device).transpose()];
            let parts = pair([9, 30], 6).map(|whole| whole.slice([1..8, 3..29]));
            let repeated = pair([1, 30], 7).map(|row| row.expand([4, 30]));
            check_mixed(&format!("{what}, views"), vec![turned, one, [y.clone(), y]]);
            check_mixed(&format!("{what}, parts"), vec![parts, repeated]);
        }
    }
}

#[test]
fn norms_of_whole_tensors_do_not_leave_the_range() {
    #[derive(Clone, Copy)]
    struct Norm;
    impl TensorNumber<1, 1> for Norm {
        fn terms<T: Real>(self, x: [T; 1]) -> [T; 1] {
            x
        }

        fn number<T: Real>(self, [squares]: [SquareSum<T>; 1], _: T) -> T {
            squares.root
        }

        fn element<T: Real>(self, [x]: [T; 1], norm: T) -> T {
            x / norm
        }
    }
    for (name, device) in gpus() {
        let cases: [&[f32]; 5] = [
            &[1e30, -2e30, 2e30],
            &[1e-30, -2e-30, 2e-30],
            &[3e30, 1.0, 1e-30],
            &[5e-19, 1e-20, -2e-20],
            &[1e19, 1e10],
        ];
        let items = cases.map(|numbers| [Tensor::<1>::from_floats(numbers, &device).into()]);
        let units = change_together(Norm, items.into()).expect("there is a kernel");
        for (unit, numbers) in units.into_iter().zip(cases) {
            let squares = numbers.iter().map(|x| f64::from(*x).powi(2));
            let norm = squares.sum::<f64>().sqrt();
            for (unit, x) in values(unit.into_tensor::<1>()).into_iter().zip(numbers) {
                let expected = f64::from(*x) / norm;
                assert!(
                    (unit - expected).abs() < 1e-6,
                    "{name}, {numbers:?}: {unit}"
                );
            }
        }
        let bad = Tensor::<1>::from_floats([1.0, f32::NAN, 2.0], &device);
        let mut bad = change_together(Norm, vec![[bad.into()]]).expect("there is a kernel");
        let bad = values(bad.remove(0).into_tensor::<1>());
        assert!(bad.iter().all(|x| x.is_nan()), "{name}: {bad:?}");
    }
}

#[test]
fn items_without_a_kernel_come_back() {
    for (name, device) in devices() {
        let pair = |a, b| vec![[a, b].map(|tensor: Tensor<2>| AnyTensor::from(tensor))];
        let ones = |shape: [usize; 2], device: &Device| Tensor::<2>::ones(shape, device);
        let one = || ones([2, 3], &device);
        let is_changed = |items| change_together(Mixed, items).is_ok();
        assert_eq!(is_changed(pair(one(), one())), is_gpu(name), "{name}");
        assert!(!is_changed(pair(one(), ones([3, 2], &device))), "{name}");
        assert!(
            !is_changed(pair(ones([0, 3], &device), ones([0, 3], &device))),
            "{name}"
        );
        let tracked = ones([2, 3], &device.clone().autodiff());
        assert!(!is_changed(pair(tracked, one())), "{name}");
        if device.supports_dtype(DType::F16) {
            let half = one().cast(burn::tensor::FloatDType::F16);
            assert!(!is_changed(pair(half, one())), "{name}");
        }
    }
}

#[test]
fn what_somebody_holds_is_not_changed_by_a_number_of_the_whole() {
    for (name, device) in gpus() {
        let new = |seed| plain([6, 7], seed, DType::F32, &device);
        let expected = mixed_in_f64(&values(new(1)), &values(new(2)));
        for held in 0..4 {
            let (x, y) = (new(1), new(2));
            let kept = (
                (held & 1 > 0).then(|| x.clone()),
                (held & 2 > 0).then(|| y.clone()),
            );
            let changed = change_together(Mixed, vec![[x.into(), y.into()]]);
            let changed = changed.expect("there is a kernel").remove(0);
            for (changed, expected) in values(changed.into_tensor::<2>()).iter().zip(&expected) {
                assert!((changed - expected).abs() < 1e-5, "{name}, held {held}");
            }
            if let Some(x) = kept.0 {
                assert_eq!(values(x), values(new(1)), "{name}: the first");
            }
            if let Some(y) = kept.1 {
                assert_eq!(values(y), values(new(2)), "{name}: the second");
            }
        }
    }
}

/// Steps of an optimizer on a GPU, which has kernels for the numbers that it needs of each tensor, and on `flex`.
fn check_optimizer<O: Optimizer>(what: &str, optim: &O, dtype: DType, device: &Device) {
    fn weights<O: Optimizer, const D: usize>(
        optim: &O,
        (shape, seed): ([usize; D], u64),
        dtype: DType,
        device: &Device,
    ) -> Vec<Vec<f64>> {
        let (mut weight, mut state) = (random::<D>(shape, seed, dtype, device), None);
        let mut all = Vec::new();
        for step in 0..3 {
            let grad = random::<D>(shape, seed + 100 + step, dtype, device);
            (weight, state) = optim.step(0.02, weight, grad, state);
            all.push(values(weight.clone()));
        }
        all
    }
    let relative = match dtype {
        DType::F32 => 1e-5,
        DType::F16 => 4e-3,
        _ => 3e-2,
    };
    let near = |gpu: Vec<Vec<f64>>, flex: Vec<Vec<f64>>| {
        for (step, (gpu, flex)) in gpu.into_iter().zip(flex).enumerate() {
            for (gpu, flex) in gpu.into_iter().zip(flex) {
                let is_near = off(gpu, flex, flex.abs().max(0.1)) <= relative;
                assert!(is_near, "{what}, {dtype:?}, step {step}: {gpu} and {flex}");
            }
        }
    };
    let flex = Device::flex();
    for (number, shape) in [[5, 7], [64, 130], [1, 1]].into_iter().enumerate() {
        let one = (shape, number as u64);
        near(
            weights(optim, one, dtype, device),
            weights(optim, one, dtype, &flex),
        );
    }
    let one = ([9], 9);
    near(
        weights(optim, one, dtype, device),
        weights(optim, one, dtype, &flex),
    );
}

#[test]
fn optimizers_with_a_number_of_each_tensor_are_those_of_the_cpu() {
    for (name, device) in gpus() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            for divisor in [LarsDivisor::NormOfSum, LarsDivisor::SumOfNorms] {
                for decay in [0.0, 0.3] {
                    for (momentum, form) in [
                        (0.0, MomentumForm::OfUpdate),
                        (0.9, MomentumForm::OfUpdate),
                        (0.9, MomentumForm::OfGradient),
                    ] {
                        let lars = LarsConfig::new()
                            .with_coefficient(0.5)
                            .with_epsilon(1e-3)
                            .with_divisor(divisor)
                            .with_momentum(momentum)
                            .with_momentum_form(form)
                            .with_weight_decay(decay);
                        let what = format!("{name}, LARS, {divisor:?}, {momentum}, {form:?}");
                        check_optimizer(&what, &lars.build().unwrap(), dtype, &device);
                    }
                }
            }
            let plain = NormalizedGradientConfig::per_tensor();
            for (what, config) in [
                ("normalised", plain.clone()),
                (
                    "with ε",
                    plain.clone().with_epsilon(Epsilon::OutsideRoot(0.1)),
                ),
                (
                    "with ε inside",
                    plain.clone().with_epsilon(Epsilon::InsideRoot(0.1)),
                ),
                ("coupled", plain.clone().with_weight_decay(0.3)),
                (
                    "decoupled",
                    plain
                        .with_weight_decay(0.3)
                        .with_weight_decay_mode(WeightDecayMode::Decoupled),
                ),
            ] {
                let what = format!("{name}, {what}");
                check_optimizer(&what, &config.build().unwrap(), dtype, &device);
            }
            let adam = || AdamConfig::torch().build().unwrap();
            for (what, config) in [
                ("LAMB", TrustRatioConfig::new()),
                ("at most", TrustRatioConfig::new().with_max_ratio(Some(1.5))),
                ("with ε", TrustRatioConfig::new().with_epsilon(0.5)),
                ("matrices", TrustRatioConfig::new().with_vectors(false)),
            ] {
                let what = format!("{name}, {what}");
                // The step is a difference of weights, which half precision rounds away.
                if dtype == DType::F32 {
                    check_optimizer(&what, &config.build(adam()).unwrap(), dtype, &device);
                }
            }
            let momentum = SgdConfig::torch().with_momentum_factor(0.9);
            for rescale in [true, false] {
                let what = format!("{name}, cautious, {rescale}");
                if dtype == DType::F32 {
                    let cautious = CautiousConfig::new().with_rescale(rescale);
                    let cautious = cautious.build(momentum.build().unwrap());
                    check_optimizer(&what, &cautious, dtype, &device);
                }
            }
            if dtype == DType::F32 {
                check_optimizer(
                    &format!("{name}, both"),
                    &adam().cautious().trust_ratio(),
                    dtype,
                    &device,
                );
            }
        }
    }
}
