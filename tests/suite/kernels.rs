//! Every kernel against its twin: types, layouts, buffers that others hold, ranks, sizes around the
//! boundaries of its loops; and the same bits whatever the number of threads.

use crate::devices::{devices, is_gpu, rounds_once};
use crate::models::{Noise, dtypes, values};
use crate::oracle::off;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    AdaDeltaStep, AdaGradStep, AdamStep, AdamaxStep, AmsGradStep, AnyTensor, CorrectedAmsGradStep,
    Mean, MomentumStep, NormMemory, NormalizedStep, RmsPropStep, SgdStep, Skip, Step, StepCount,
    SumOfSquares, TensorList, TimedAdaBelief, TimedAdam, TimedNAdam, TimedRAdam, TimedStep,
    UpdateMemory, UpdateMomentumStep, WeightDecayTerm, accumulation_dtype, blend, blend_all,
    blend_twin, descend, descend_twin, lerp, lerp_all, lerp_twin, scale, scale_or_zero,
    scale_or_zero_twin, scale_twin, sum_of_squares, sum_of_squares_twin, without_autodiff,
};
use std::fmt::Debug;

/// Around a register of 4, 8 or 16 numbers, a block of 1,024 and a share of a thread of 65,536.
const SIZES: [usize; 13] = [
    0, 1, 7, 8, 9, 31, 33, 1023, 1024, 1025, 65_535, 65_537, 140_001,
];

pub(crate) fn random<const D: usize>(
    shape: [usize; D],
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let numbers = Noise(seed).take(shape.iter().product());
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

/// Within 1e-6 of the size of each number, or of the last place of a half-precision type; within
/// 1e-5 on a GPU, whose roots and quotients may be off by a few units of the last place. Where it rounds a product and a
/// sum at once, a small difference of numbers of size 1 may also be off by a few of their roundings, of 6e-8 each.
pub(crate) fn assert_twin<const D: usize>(kernel: Tensor<D>, twin: Tensor<D>, what: &str) {
    assert_eq!(kernel.dims(), twin.dims(), "{what}");
    assert_eq!(kernel.dtype(), twin.dtype(), "{what}");
    let relative = match kernel.dtype() {
        DType::F64 => 1e-14,
        DType::F32 if kernel.device() == Device::flex() => 1e-6,
        DType::F32 => 1e-5,
        DType::F16 => 2e-3,
        _ => 8e-3,
    };
    let is_on_gpu = TensorList::from(kernel.clone()).are_on_gpu() == [true];
    let least = match kernel.dtype() {
        DType::F32 if is_on_gpu && rounds_once(&kernel.device()) => 0.03,
        _ => 1e-3,
    };
    for (i, (k, t)) in values(kernel).into_iter().zip(values(twin)).enumerate() {
        let off = off(k, t, t.abs().max(least));
        assert!(off <= relative, "{what}, number {i}: {k} and {t}");
    }
}

/// How the buffers lie before a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    /// Everything is ours.
    Alone,
    /// Somebody holds the weight, as in Burn's `Learner`.
    Weight,
    /// Somebody holds weight and gradient.
    Both,
    /// Somebody holds everything.
    All,
}

/// Three steps on `device` and with the twin on the CPU, from the same numbers.
fn check_step<R: Step<S>, const S: usize, const D: usize>(
    name: &str,
    step: R,
    shape: [usize; D],
    dtype: DType,
    held: Held,
    device: &Device,
) {
    let mut kernel = (random(shape, 1, dtype, device), None);
    let cpu = Device::flex();
    let mut twin = (random(shape, 1, dtype, &cpu), None);
    for time in 0..3 {
        let grad = |device| random(shape, 10 + time, dtype, device);
        let (weight, state): (Tensor<D>, Option<[Tensor<D>; S]>) = kernel;
        let mine = grad(device);
        let others = (weight.clone(), mine.clone(), state.clone());
        let before = (values(weight.clone()), values(mine.clone()));
        let others = match held {
            Held::Alone => {
                drop(others);
                None
            }
            Held::Weight => Some((Some(others.0), None, None)),
            Held::Both => Some((Some(others.0), Some(others.1), None)),
            Held::All => Some((Some(others.0), Some(others.1), others.2)),
        };
        let state_before = others.as_ref().and_then(|(.., state)| state.clone());
        let state_before = state_before.map(|state| state.map(values));
        let (weight, state) = step.apply(weight, mine, state);
        // What others hold is as it was.
        if let Some((w, g, s)) = others {
            w.inspect_values(&before.0, name);
            if let Some(g) = g {
                assert_eq!(values(g), before.1, "{name}: somebody's gradient");
            }
            if let (Some(s), Some(before)) = (s, state_before) {
                assert_eq!(s.map(values), before, "{name}: somebody's state");
            }
        }
        kernel = (weight, Some(state));
        let (weight, state) = step.apply_twin(twin.0, grad(&cpu), twin.1);
        twin = (weight, Some(state));
        let what = format!("{name} on {shape:?}, {dtype:?}, {held:?}, step {time}");
        assert_twin(kernel.0.clone(), twin.0.clone(), &what);
        let states = kernel.1.clone().zip(twin.1.clone()).expect("states");
        for (s, (kernel, twin)) in states.0.into_iter().zip(states.1).enumerate() {
            assert_eq!(kernel.dtype(), accumulation_dtype(dtype).into(), "{what}");
            assert_twin(kernel, twin, &format!("{what}, state {s}"));
        }
    }
}

trait Inspect {
    fn inspect_values(self, expected: &[f64], what: &str);
}

impl<const D: usize> Inspect for Option<Tensor<D>> {
    fn inspect_values(self, expected: &[f64], what: &str) {
        if let Some(tensor) = self {
            assert_eq!(values(tensor), expected, "{what}: somebody's weight");
        }
    }
}

/// Calls `check!(name, step)` for a step of every kind.
macro_rules! every_step {
    ($check:ident) => {
        let lr = 0.01;
        for decay in [
            WeightDecayTerm::None,
            WeightDecayTerm::Coupled(0.1),
            WeightDecayTerm::Decoupled(0.05),
            WeightDecayTerm::Cautious(0.05),
        ] {
            $check!("SGD", SgdStep { lr, decay });
            for (nesterov, first) in [(false, true), (false, false), (true, false)] {
                let (momentum, dampening) = (0.9, 0.1);
                let step = MomentumStep {
                    lr,
                    momentum,
                    dampening,
                    nesterov,
                    first,
                    decay,
                };
                $check!("momentum", step);
                $check!(
                    "update momentum",
                    UpdateMomentumStep {
                        lr,
                        momentum,
                        nesterov,
                        decay
                    }
                );
            }
            $check!(
                "AdaGrad",
                AdaGradStep {
                    lr,
                    epsilon: 1e-8,
                    epsilon_inside: 0.0,
                    initial: 0.1,
                    decay
                }
            );
            $check!(
                "AdaGrad, ε under the root",
                AdaGradStep {
                    lr,
                    epsilon: 0.0,
                    epsilon_inside: 1e-3,
                    initial: 0.1,
                    decay
                }
            );
            let adam = AdamStep::new(lr, (0.9, 0.99), 1e-8, decay, 3);
            $check!("Adam", adam);
            $check!("Adam, ε beside v", adam.with_plain_epsilon(1e-3));
            $check!("AMSGrad", AmsGradStep(adam));
            let corrected = CorrectedAmsGradStep::new(lr, (0.9, 0.99), 1e-8, decay, 3);
            $check!("AMSGrad of the corrected mean square", corrected);
            let timed = TimedAdam {
                lr,
                betas: (0.9, 0.99),
                epsilon: 1e-8,
                plain_epsilon: false,
                decay,
            };
            for momentum_decay in [None, Some(0.004)] {
                let nadam = TimedNAdam {
                    adam: timed,
                    momentum_decay,
                };
                $check!("NAdam", nadam.at(3));
            }
            for time in [3, 30] {
                let radam = TimedRAdam {
                    adam: timed,
                    epsilon_beside_corrected: time == 3,
                };
                $check!("RAdam", radam.at(time));
            }
            let adamax = AdamaxStep {
                rate: lr,
                betas: (0.9, 0.99),
                epsilon_inside: 1e-8,
                epsilon_outside: 1e-3,
                decay,
            };
            $check!("Adamax", adamax);
            let ada_delta = AdaDeltaStep {
                lr,
                rho: 0.9,
                epsilon: 1e-3,
                decay,
            };
            $check!("AdaDelta", ada_delta);
            let belief = TimedAdaBelief {
                adam: timed,
                epsilon_inside: 1e-3,
                rectify: false,
            };
            $check!("AdaBelief", belief.at(3));
            let rectified = TimedAdaBelief {
                rectify: true,
                ..belief
            };
            $check!("AdaBelief, rectified", rectified.at(100));
            let (alpha, epsilon, momentum) = (0.9, 1e-3, 0.9);
            let plain = RmsPropStep::<false, false> {
                lr,
                alpha,
                epsilon,
                momentum,
                decay,
            };
            $check!("RMSProp", plain);
            let with = RmsPropStep::<false, true> {
                lr,
                alpha,
                epsilon,
                momentum,
                decay,
            };
            $check!("RMSProp, momentum", with);
            let centred = RmsPropStep::<true, false> {
                lr,
                alpha,
                epsilon,
                momentum,
                decay,
            };
            $check!("RMSProp, centred", centred);
            let both = RmsPropStep::<true, true> {
                lr,
                alpha,
                epsilon,
                momentum,
                decay,
            };
            $check!("RMSProp, both", both);
        }
    };
}

pub(crate) use every_step;

/// The paper decays where `w m ≥ 0`.
#[test]
fn cautious_decay_includes_directions_of_zero() {
    for (name, device) in devices() {
        let of = |numbers: [f64; 6]| Tensor::<1>::from_data(numbers, (&device, DType::F32));
        let weight = || of([2.0, -2.0, 2.0, -2.0, 2.0, -2.0]);
        let grad = || of([0.0, 0.0, 1.0, 1.0, -1.0, -1.0]);
        let (lr, decay) = (1.0, WeightDecayTerm::Cautious(0.5));
        let plain = SgdStep { lr, decay };
        let with_momentum = UpdateMomentumStep {
            lr,
            momentum: 0.9,
            nesterov: false,
            decay,
        };
        for stepped in [
            plain.apply(weight(), grad(), None).0,
            plain.apply_twin(weight(), grad(), None).0,
            with_momentum.apply(weight(), grad(), None).0,
            with_momentum.apply_twin(weight(), grad(), None).0,
        ] {
            assert_eq!(values(stepped), [1.0, -1.0, 0.0, -3.0, 3.0, 0.0], "{name}");
        }
    }
}

/// Where a mean square overflows, a rectified step is 0, also if only the device knows how many steps were taken.
#[test]
fn an_infinite_mean_square_does_not_look_like_a_step_without_rectification() {
    for (name, device) in devices() {
        if is_gpu(name) {
            continue; // it need not calculate with infinities
        }
        let of = |number: f64| {
            let number = Tensor::<1>::from_data([number], (&device, DType::F32));
            AnyTensor::from(number)
        };
        let adam = TimedAdam {
            lr: 0.1,
            betas: (0.9, 0.99),
            epsilon: 1e-8,
            plain_epsilon: false,
            decay: WeightDecayTerm::None,
        };
        // Of the eleven steps one was skipped.
        let skipped = Skip::OnDevice(Tensor::<1>::ones([1], &device).equal_elem(1.0));
        let time = StepCount::new(10).ended(&skipped).begun();
        for epsilon_beside_corrected in [false, true] {
            let step = TimedRAdam {
                adam,
                epsilon_beside_corrected,
            };
            let (weight, grad, state) = (|| of(1.0), || of(2e19), || [of(0.0), of(1.0)]);
            let (known, _) = step.at(10).twin(weight(), grad(), state());
            let (on_device, _) = step.twin_at(&time, weight(), grad(), state());
            for stepped in [known, on_device] {
                assert_eq!(values(stepped.into_tensor::<1>()), [1.0], "{name}");
            }
        }
    }
}

#[test]
fn every_step_is_its_twin_in_every_type_and_whoever_holds_the_buffers() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for held in [Held::Alone, Held::Weight, Held::Both, Held::All] {
                if name != "flex" && (held != Held::All || dtype != DType::F32) {
                    continue; // no buffers of ours there, and a shader to compile for each
                }
                macro_rules! check {
                    ($name:expr, $step:expr) => {
                        check_step($name, $step, [5, 7], dtype, held, &device);
                    };
                }
                every_step!(check);
            }
        }
    }
}

#[test]
fn every_step_is_its_twin_at_every_size() {
    let device = Device::flex();
    for size in SIZES {
        for held in [Held::Alone, Held::Weight, Held::Both] {
            for dtype in [DType::F32, DType::BF16] {
                let adam =
                    AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::Decoupled(0.01), 2);
                check_step("Adam", adam, [size], dtype, held, &device);
                check_step("AMSGrad", AmsGradStep(adam), [size], dtype, held, &device);
                let decay = WeightDecayTerm::None;
                check_step(
                    "SGD",
                    SgdStep { lr: 0.1, decay },
                    [size],
                    dtype,
                    held,
                    &device,
                );
            }
        }
    }
}

#[test]
fn every_step_is_its_twin_in_every_rank() {
    fn check<const D: usize>(shape: [usize; D], device: &Device) {
        let step = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::None, 2);
        check_step("Adam", step, shape, DType::F32, Held::Alone, device);
    }
    for (name, device) in devices() {
        check([6], &device);
        check([2, 3], &device);
        check([2, 3, 2], &device);
        check([2, 3, 1, 2], &device);
        check([2, 3, 1, 2, 2], &device);
        check([2, 1, 3, 1, 2, 2], &device);
        if name != "ndarray" {
            // The tensors of `ndarray` have 6 dimensions at most.
            check([2, 1, 3, 1, 2, 1, 2], &device);
            check([2, 1, 3, 1, 2, 1, 2, 1], &device);
        }
    }
}

/// A list is as long as the compiler lets it be: the step looks.
#[test]
fn a_state_of_another_number_of_tensors_is_refused() {
    let device = Device::flex();
    let ones = || AnyTensor::from(Tensor::<1>::ones([3], &device));
    for count in [0, 1, 3] {
        let step = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::None, 2);
        let state = Some((0..count).map(|_| ones()).collect());
        let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            step.apply_unless(&Skip::NO, ones(), ones(), state)
        }));
        let panic = taken.expect_err("Adam has two tensors");
        let text = panic.downcast_ref::<String>().expect("a text");
        let expected = format!("the state of this step has 2 tensors, and {count} are given");
        assert_eq!(*text, expected);
    }
}

/// The family: what the norm and the update remember decides how many numbers the state has.
#[test]
fn the_family_is_its_twin() {
    fn check<R: Step<S> + Debug, const S: usize>(step: R, device: &Device) {
        for dtype in dtypes(device) {
            let what = format!("{step:?}");
            check_step::<_, S, 2>(&what, step, [3, 11], dtype, Held::Alone, device);
            check_step::<_, S, 2>(&what, step, [3, 11], dtype, Held::Weight, device);
        }
    }
    for (_, device) in devices() {
        let mean = Mean::new(0.9, true, 2);
        for (epsilon_inside, epsilon_outside) in [(0.0, 0.0), (1e-6, 0.0), (0.0, 1e-6)] {
            let sign = NormalizedStep {
                epsilon_inside,
                epsilon_outside,
                ..NormalizedStep::new(0.01, WeightDecayTerm::Decoupled(0.01))
            };
            check(sign, &device);
            let initial = 0.1;
            let sum = NormMemory::Sum { initial };
            let norms = [sum, NormMemory::Decay { mean, initial }];
            let updates = [UpdateMemory::OfGradient(mean), UpdateMemory::OfUpdate(0.9)];
            for norm in norms {
                check(sign.with_norm(norm), &device);
            }
            for update in updates {
                check(sign.with_update(update), &device);
                for norm in norms {
                    check(sign.with_norm(norm).with_update(update), &device);
                }
            }
        }
    }
}

/// The same numbers as views: transposed, a part of a larger buffer, and turned about.
fn views(seed: u64, dtype: DType, device: &Device) -> Vec<(&'static str, Tensor<2>)> {
    let shape = [19, 67];
    let straight = random(shape, seed, dtype, device);
    let larger = Tensor::cat(
        vec![straight.clone(), straight.clone(), straight.clone()],
        0,
    );
    vec![
        (
            "transposed",
            straight.clone().transpose().mul_scalar(1.0).transpose(),
        ),
        ("a part", larger.slice([19..38, 0..67])),
        (
            "turned about",
            straight.clone().flip([0, 1]).mul_scalar(1.0).flip([0, 1]),
        ),
        ("straight", straight),
    ]
}

#[test]
fn layouts_do_not_matter() {
    let device = Device::flex();
    for dtype in dtypes(&device) {
        let step = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::None, 2);
        let m = random([19, 67], 3, wide(dtype), &device);
        let v = random([19, 67], 4, wide(dtype), &device).abs();
        let expected = step.apply_twin(
            random([19, 67], 1, dtype, &device),
            random([19, 67], 2, dtype, &device),
            Some([m.clone(), v.clone()]),
        );
        for (w_view, weight) in views(1, dtype, &device) {
            for (g_view, grad) in views(2, dtype, &device) {
                let m = m.clone().transpose().mul_scalar(1.0).transpose();
                let (weight, [m, v]) = step.apply(weight.clone(), grad, Some([m, v.clone()]));
                let what = format!("{dtype:?}, weight {w_view}, gradient {g_view}");
                assert_twin(weight, expected.0.clone(), &what);
                assert_twin(m, expected.1[0].clone(), &what);
                assert_twin(v, expected.1[1].clone(), &what);
            }
        }
        let mut list = TensorList::new();
        let mut sum = 0.0;
        for (_, view) in views(5, dtype, &device) {
            sum += values(view.clone()).iter().map(|x| x * x).sum::<f64>();
            list.push(view);
        }
        let relative = value(&sum_of_squares(&list).unwrap()) / sum - 1.0;
        assert!(relative.abs() < 1e-12, "{dtype:?}: off by {relative}");
        let half = Tensor::from_floats([0.5], &device);
        let mut scaled = scale(list, &half);
        for (view, tensor) in views(5, dtype, &device) {
            let expected = scale_twin(tensor, &half);
            assert_eq!(
                values(scaled.pop::<2>().unwrap()),
                values(expected),
                "{view}"
            );
        }
        for (view, x) in views(6, dtype, &device) {
            let y = random([19, 67], 7, dtype, &device);
            let expected = blend_twin(x.clone(), 0.9, y.clone(), 0.1);
            assert_eq!(values(blend(x, 0.9, y, 0.1)), values(expected), "{view}");
        }
        for (view, x) in views(6, dtype, &device) {
            let y = random([19, 67], 7, dtype, &device);
            let expected = lerp_twin(x.clone(), y.clone(), 0.1);
            assert_eq!(values(lerp(x, y, 0.1)), values(expected), "{view}");
        }
    }
}

fn wide(dtype: DType) -> DType {
    accumulation_dtype(dtype).into()
}

fn value(sum: &SumOfSquares) -> f64 {
    let read = |tensor: &Tensor<1>| values(tensor.clone())[0];
    read(&sum.scale).powi(2) * read(&sum.sum)
}

#[test]
fn blend_and_scale_are_their_twins_to_the_bit() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for size in SIZES {
                if name != "flex" && size > 1025 {
                    continue;
                }
                let what = format!("{name}, {dtype:?}, {size}");
                let x = || random([size], 1, dtype, &device);
                let y = || random([size], 2, dtype, &device);
                let expected = values(blend_twin(x(), 0.999, y(), 0.001));
                assert_eq!(values(blend(x(), 0.999, y(), 0.001)), expected, "{what}");
                let held = x();
                assert_eq!(
                    values(blend(held.clone(), 0.999, y(), 0.001)),
                    expected,
                    "{what}"
                );
                assert_eq!(values(held), values(x()), "{what}: somebody's numbers");
                let lists = (TensorList::from(x()), TensorList::from(y()));
                let all = blend_all(lists.0, 0.999, &lists.1, 0.001)
                    .pop::<1>()
                    .unwrap();
                assert_eq!(values(all), expected, "{what}");

                let factor = Tensor::from_floats([0.3], &device);
                let expected = values(scale_twin(x(), &factor));
                let scaled = scale(x().into(), &factor).pop::<1>().unwrap();
                assert_eq!(values(scaled), expected, "{what}");
                let held = x();
                let scaled = scale(held.clone().into(), &factor).pop::<1>().unwrap();
                assert_eq!(values(scaled), expected, "{what}");
                assert_eq!(values(held), values(x()), "{what}: somebody's numbers");

                let norm = Tensor::from_floats([3.0], &device);
                let expected = descend_twin(x(), 0.9, y(), -0.1, &norm);
                assert_twin(descend(x(), 0.9, y(), -0.1, &norm), expected, &what);
            }
        }
    }
}

#[test]
fn lerp_is_its_twin_to_the_bit() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for size in SIZES {
                if name != "flex" && size > 1025 {
                    continue;
                }
                for b in [0.001, 0.3, 0.5, 0.9, 1.0] {
                    let what = format!("{name}, {dtype:?}, {size}, {b}");
                    let x = || random([size], 1, dtype, &device);
                    let y = || random([size], 2, dtype, &device);
                    let expected = values(lerp_twin(x(), y(), b));
                    assert_eq!(values(lerp(x(), y(), b)), expected, "{what}");
                    let held = x();
                    assert_eq!(values(lerp(held.clone(), y(), b)), expected, "{what}");
                    assert_eq!(values(held), values(x()), "{what}: somebody's numbers");
                    let all = lerp_all(x().into(), &y().into(), b).pop::<1>().unwrap();
                    if is_gpu(name) && rounds_once(&device) {
                        // It may round a product and a sum of the twin's at once, and those of the kernel apart.
                        let twin = lerp_twin(x(), y(), b);
                        assert_twin(all, twin, &what);
                    } else {
                        assert_eq!(values(all), expected, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_mean_in_f32_of_half_precision_weights_moves_in_f32() {
    let device = Device::flex();
    for dtype in [DType::F16, DType::BF16] {
        let mean = random([40], 1, DType::F32, &device);
        let weight = random([40], 2, dtype, &device);
        let expected: Vec<f64> = values(mean.clone())
            .iter()
            .zip(values(weight.clone()))
            .map(|(m, w)| f64::from(*m as f32 + (w as f32 - *m as f32) * 0.001_f32))
            .collect();
        let mean = lerp(mean, weight, 0.001);
        assert_eq!(mean.dtype(), DType::F32);
        assert_eq!(values(mean), expected);
    }
}

#[test]
fn a_factor_of_one_leaves_the_buffer_alone_and_zero_erases_only_where_asked() {
    for (name, device) in devices() {
        let bad = || Tensor::<1>::from_floats([1.0, f32::NAN, f32::INFINITY], &device);
        let factor = |value: f32| Tensor::<1>::from_floats([value], &device);
        let read = |mut list: TensorList| values(list.pop::<1>().unwrap());
        assert_eq!(
            read(scale_or_zero(bad().into(), &factor(0.0))),
            [0.0; 3],
            "{name}"
        );
        assert_eq!(
            values(scale_or_zero_twin(bad(), &factor(0.0))),
            [0.0; 3],
            "{name}"
        );
        let multiplied = read(scale(bad().into(), &factor(0.0)));
        assert_eq!(multiplied[0], 0.0);
        assert!(
            multiplied[1].is_nan() && multiplied[2].is_nan(),
            "{name}: {multiplied:?}"
        );
        let same = read(scale(bad().into(), &factor(1.0)));
        assert!(
            same[0] == 1.0 && same[1].is_nan() && same[2] == f64::INFINITY,
            "{name}"
        );
    }
    // Not one write: a buffer that somebody else holds too is not even copied.
    let device = Device::flex();
    let held = random([1000], 1, DType::F32, &device);
    let one = Tensor::from_floats([1.0], &device);
    let same = scale(held.clone().into(), &one).pop::<1>().unwrap();
    assert!(shares_buffer(&held, &same));
    let half = Tensor::from_floats([0.5], &device);
    let other = scale(held.clone().into(), &half).pop::<1>().unwrap();
    assert!(!shares_buffer(&held, &other));
}

/// Where the numbers of a CPU tensor lie.
fn address<const D: usize>(tensor: &Tensor<D>) -> *const u8 {
    let buffer = tensor
        .clone()
        .try_into_primitive::<burn::backend::Flex>()
        .expect("a tensor of the CPU backend");
    buffer.bytes().as_ptr()
}

fn shares_buffer<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> bool {
    address(a) == address(b)
}

#[test]
fn a_step_is_in_place_and_in_the_gradients_buffer_where_the_weight_is_held() {
    let device = Device::flex();
    let adam = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::None, 2);
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let new = |seed| random([3000], seed, dtype, &device);
        let state = || Some([1, 2].map(|seed| random([3000], seed, wide(dtype), &device).abs()));
        let (weight, grad, moments) = (new(3), new(4), state());
        let places = moments
            .as_ref()
            .map(|moments| moments.each_ref().map(address));
        let place = address(&weight);
        let (weight, moments) = adam.apply(weight, grad, moments);
        assert_eq!(address(&weight), place, "{dtype:?}");
        assert_eq!(Some(moments.each_ref().map(address)), places, "{dtype:?}");

        let (weight, grad) = (new(3), new(4));
        let (held, place) = (weight.clone(), address(&grad));
        let (weight, _) = adam.apply(weight, grad, state());
        assert_eq!(address(&weight), place, "{dtype:?}");
        assert_eq!(values(held), values(new(3)), "{dtype:?}");
    }
}

#[test]
fn the_sum_of_squares_is_right_and_safe() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let mut list = TensorList::new();
            let mut expected = 0.0;
            for (seed, size) in [1, 5, 0, 1000, 3].into_iter().enumerate() {
                let tensor = random([size], seed as u64, dtype, &device);
                expected += values(tensor.clone()).iter().map(|x| x * x).sum::<f64>();
                list.push(tensor);
            }
            for sum in [sum_of_squares(&list), sum_of_squares_twin(&list)] {
                let relative = value(&sum.unwrap()) / expected - 1.0;
                assert!(
                    relative.abs() < 1e-5,
                    "{name}, {dtype:?}: off by {relative}"
                );
            }
        }
        for large in [2e19_f32, 1e-25, 3.4e38, 1e-44] {
            if large == 1e-44 && name != "flex" {
                continue; // other backends may flush what is not normal
            }
            let list = TensorList::from(Tensor::<1>::from_floats([large; 3], &device));
            for SumOfSquares { scale, sum } in [sum_of_squares(&list), sum_of_squares_twin(&list)]
                .into_iter()
                .flatten()
            {
                let norm = values(sum)[0].sqrt() * values(scale)[0];
                let expected = f64::from(large) * 3.0_f64.sqrt();
                assert!(
                    (norm / expected - 1.0).abs() < 1e-5,
                    "{name}: {norm}, {expected}"
                );
            }
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let list = TensorList::from(Tensor::<1>::from_floats([1.0, bad, 2.0], &device));
            let sum = values(sum_of_squares(&list).unwrap().sum)[0];
            assert!(!sum.is_finite(), "{name}: {bad} gave {sum}");
        }
        assert!(sum_of_squares(&TensorList::new()).is_none());
        let nothing = TensorList::from(Tensor::<2>::zeros([0, 3], &device));
        assert!(sum_of_squares(&nothing).is_none());
    }
    // Squares of `f64` overflow and vanish too.
    let device = Device::flex();
    for large in [1e200, 1e-200, 0.0] {
        let numbers = Tensor::<1>::from_data([large, -large], (&device, DType::F64));
        let SumOfSquares { scale, sum } = sum_of_squares(&numbers.into()).unwrap();
        let norm = values(sum)[0].sqrt() * values(scale)[0];
        assert!(
            (norm - large * 2.0_f64.sqrt()).abs() <= 1e-14 * large,
            "{norm}"
        );
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let device = Device::flex();
            let adam = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::Coupled(0.1), 1);
            let new = |seed| random([300_001], seed, DType::F32, &device);
            let (weight, [m, v]) = adam.apply(new(1), new(2), None);
            let mut list = TensorList::new();
            for seed in 0..40 {
                list.push(random([5001], seed, DType::F32, &device));
            }
            list.push(weight.clone());
            let sum = values(sum_of_squares(&list).unwrap().sum);
            let mut blended = blend_all(list.clone(), 0.9, &list, 0.2);
            let first = values(blended.pop::<1>().unwrap());
            (values(weight), values(m), values(v), sum, first)
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        for _ in 0..3 {
            assert_eq!(run(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn a_list_gives_back_what_it_was_given() {
    let device = Device::flex();
    let mut list = TensorList::new();
    assert!(list.is_empty() && list.pop::<1>().is_none());
    list.push(random([2, 3], 1, DType::F32, &device));
    list.push(random([4], 2, DType::F64, &device));
    assert_eq!(
        (list.len(), list.accumulation_dtype()),
        (2, burn::tensor::FloatDType::F64)
    );
    assert_eq!(list.pop::<2>().unwrap().dims(), [2, 3]);
    assert_eq!(list.pop::<1>().unwrap().dtype(), DType::F64);
}

#[test]
#[should_panic(expected = "rank")]
fn a_list_refuses_another_rank() {
    let mut list = TensorList::from(Tensor::<2>::ones([2, 2], &Device::flex()));
    list.pop::<1>();
}

#[test]
#[should_panic(expected = "one length")]
fn lists_of_two_lengths_are_not_blended() {
    let list = TensorList::from(Tensor::<1>::ones([2], &Device::flex()));
    blend_all(list, 1.0, &TensorList::new(), 1.0);
}

/// What autodiff tracks is not for the kernels: the twin runs, and the graph stays whole.
#[test]
fn a_tracked_tensor_goes_the_twins_way() {
    let device = Device::flex().autodiff();
    let x = Tensor::<1>::from_floats([1.0, 2.0], &device).require_grad();
    let y = Tensor::<1>::from_floats([3.0, 4.0], &device);
    let grads = blend(x.clone(), 2.0, y, 1.0).sum().backward();
    assert_eq!(values(x.grad(&grads).unwrap()), [2.0, 2.0]);
}

#[test]
fn a_tensor_leaves_autodiff_as_burn_lets_it_and_knows_its_shape_and_device() {
    for (_, device) in devices() {
        let plain = random([2, 3], 1, DType::F32, &device);
        let tracked = [
            device.clone().autodiff(),
            device.clone().autodiff().gradient_checkpointing(),
        ]
        .map(|device| Tensor::<2>::from_data(plain.to_data(), &device).require_grad());
        let expected = values(plain.clone());
        for tensor in tracked.into_iter().chain([plain.clone()]) {
            let mut list = TensorList::new();
            list.push_without_autodiff(tensor.clone());
            let listed: Tensor<2> = list.pop().unwrap();
            for left in [listed, without_autodiff(tensor)] {
                assert!(!left.is_autodiff(), "{device:?}");
                assert_eq!(values(left), expected, "{device:?}");
            }
        }
        let tracked = AnyTensor::from(Tensor::<2>::ones([2, 3], &device.clone().autodiff()));
        let other = AnyTensor::from(Tensor::<2>::ones([3, 2], &device));
        let plain = AnyTensor::from(plain);
        assert!(
            plain.has_shape_of(&tracked) && tracked.has_shape_of(&plain),
            "{device:?}"
        );
        assert!(
            !plain.has_shape_of(&other) && !tracked.has_shape_of(&other),
            "{device:?}"
        );
        assert_eq!((plain.rank(), tracked.rank()), (2, 2), "{device:?}");
        for (_, one) in devices() {
            let is_same = one == device;
            assert_eq!(plain.is_on(&one), is_same, "{device:?} {one:?}");
            assert_eq!(tracked.is_on(&one.autodiff()), is_same, "{device:?}");
        }
    }
}
