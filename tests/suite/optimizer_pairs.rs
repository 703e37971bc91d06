//! Every wrapper of an optimizer around every other, or refused there.

use crate::devices::training_devices;
use crate::models::{Noise, dtypes, tensor, values};
use crate::oracle::assert_close;
use crate::wrappers_by_hand::by_hand;
use burn::module::Module;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::ConfigError;
use burn_tricks::optim::{
    Adam, AdamConfig, MasterWeightsConfig, MasterWeightsForm, ModuleOptimizerExt as _,
    OptimizerExt as _, Scheduled, StateField, Wrap, WrappedStep, Wrapper,
};
use burn_tricks_testkit::Weights;
use std::path::Path;
use std::process::Command;

fn adam() -> Result<Adam, ConfigError> {
    AdamConfig::torch().build()
}

/// A wrapper around any optimizer, with settings of its own, or with those that leave the inner steps as they are.
trait Wraps {
    const NAME: &'static str;
    /// Whether there are such settings, around Adam.
    const HAS_NEUTRAL: bool;

    fn wrap(inner: impl Optimizer, acts: bool) -> impl Optimizer;
}

macro_rules! wrapped {
    ($($name:ident $has_neutral:literal: |$inner:ident, $acts:ident| $wrapped:expr;)*) => {$(
        struct $name;

        impl Wraps for $name {
            const NAME: &'static str = stringify!($name);
            const HAS_NEUTRAL: bool = $has_neutral;

            fn wrap($inner: impl Optimizer, $acts: bool) -> impl Optimizer {
                $wrapped
            }
        }
    )*};
}
wrapped! {
    Lookahead true: |inner, acts| inner.lookahead(2, if acts { 0.5 } else { 1.0 }).unwrap();
    Decay true: |inner, acts| inner.decoupled_weight_decay(if acts { 0.1 } else { 0.0 }).unwrap();
    Cautious false: |inner, _acts| inner.cautious();
    Ratio false: |inner, _acts| inner.trust_ratio();
    Free true: |inner, acts| inner.schedule_free(if acts { 0.9 } else { 0.0 }).unwrap();
    // They act on weights in half precision alone.
    Master true: |inner, _acts| inner.master_weights();
    Kahan true: |inner, _acts| kahan().build(inner);
    Timed true: |inner, acts| Scheduled::build(move |step| {
        let inner = inner.clone();
        inner.decoupled_weight_decay(if acts { 0.3 / step as f64 } else { 0.0 })
    }).unwrap();
    // What master weights are in half precision, in tensor operations.
    MasterTwin false: |inner, _acts| Wrapper::new(Copied, inner);
    KahanTwin false: |inner, _acts| Wrapper::new(Compensated, inner);
}

fn kahan() -> MasterWeightsConfig {
    MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan)
}

/// Adam, wrapped twice.
fn both<A: Wraps, B: Wraps>(acts: bool) -> ModuleOptimizer {
    B::wrap(A::wrap(adam().unwrap(), acts), acts).init()
}

/// The numbers after seven steps; read back from its bytes before step `at`.
fn run(
    make: &dyn Fn() -> ModuleOptimizer,
    at: Option<u64>,
    dtype: DType,
    device: &Device,
) -> Vec<f64> {
    let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
    for step in 0..7 {
        if at == Some(step) {
            let bytes = optim.into_bytes().expect("its state can be written");
            optim = make().try_from_bytes(&weights, bytes).expect("its own");
        }
        let grads = weights.grads(step);
        weights = optim.step(0.05, weights, grads);
    }
    weights.numbers()
}

/// After seven steps in which the matrix has no gradient, it is what it was.
fn leaves_what_has_no_gradient(
    make: &dyn Fn() -> ModuleOptimizer,
    (dtype, device): (DType, &Device),
    name: &str,
) {
    let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
    let before = weights.numbers();
    for step in 0..7 {
        let mut grads = weights.grads(step);
        let _ = grads.remove::<2>(weights.matrix.id).expect("it is there");
        weights = optim.step(0.05, weights, grads);
    }
    let after = weights.numbers();
    assert_eq!(after[3..], before[3..], "{name}: the matrix");
    assert_ne!(after[..3], before[..3], "{name}: the vector");
}

/// At the first of its two places a tied parameter goes where it goes alone, and the tensor of the other place stays.
fn steps_a_tied_parameter_once(
    make: &dyn Fn() -> ModuleOptimizer,
    alone: &[f64],
    (dtype, device): (DType, &Device),
    name: &str,
) {
    let (mut optim, first) = (make(), Weights::new(1, dtype, device));
    let mut places = vec![first.clone(), first];
    for step in 0..7 {
        let (grads, before) = (places[0].grads(step), places[1].numbers());
        places = optim.step(0.05, places, grads);
        assert_eq!(places[1].numbers(), before, "{name}: the other place");
        places[1] = places[0].clone();
    }
    assert_eq!(places[0].numbers(), alone, "{name}: tied at two places");
}

/// Type, shape and device of the parameters stay in each type.
fn keeps_kind(make: &dyn Fn() -> ModuleOptimizer, device: &Device, name: &str) {
    for dtype in dtypes(device) {
        let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
        let kind = |weights: &Weights| {
            let (vector, matrix) = (weights.vector.val(), weights.matrix.val());
            let dims = (vector.dims(), matrix.dims());
            (dims, vector.dtype(), matrix.dtype(), matrix.device())
        };
        let before = kind(&weights);
        for step in 0..3 {
            let grads = weights.grads(step);
            weights = optim.step(0.05, weights, grads);
        }
        assert_eq!(kind(&weights), before, "{name} in {dtype:?}");
    }
}

/// Master weights keep the digits that a weight in half precision cannot hold.
fn is_master(name: &str) -> bool {
    matches!(name, "Master" | "Kahan")
}

/// Whether the wrapper `outer` is refused around `inner`: nothing goes around master weights, and nothing but them around a
/// schedule-free optimizer.
fn is_refused(inner: &str, outer: &str) -> bool {
    is_master(inner) || inner == "Free" && !is_master(outer)
}

/// Both act: in `f32` they do what loops by hand do, and the two together are neither of them alone. They resume to the bit
/// after every step: in `f32`, and in `bf16` with master weights.
fn pair<A: Wraps, B: Wraps>(device: &Device) {
    acts::<A, B>(DType::F32, device);
    if is_master(B::NAME) && dtypes(device).contains(&DType::BF16) {
        acts::<A, B>(DType::BF16, device);
    }
}

fn acts<A: Wraps, B: Wraps>(dtype: DType, device: &Device) {
    let name = format!("{} in {} in {dtype:?}", A::NAME, B::NAME);
    let whole = |make: &dyn Fn() -> ModuleOptimizer| run(make, None, dtype, device);
    let both = || both::<A, B>(true);
    let numbers = whole(&both);
    assert!(
        numbers.iter().all(|number| number.is_finite()),
        "{name}: {numbers:?}"
    );
    for at in 0..7 {
        assert_eq!(
            run(&both, Some(at), dtype, device),
            numbers,
            "{name}, saved before step {at}"
        );
    }
    leaves_what_has_no_gradient(&both, (dtype, device), &name);
    steps_a_tied_parameter_once(&both, &numbers, (dtype, device), &name);
    if dtype == DType::F32 {
        keeps_kind(&both, device, &name);
    }
    let alone = [
        whole(&|| A::wrap(adam().unwrap(), true).init()),
        whole(&|| B::wrap(adam().unwrap(), true).init()),
    ];
    if dtype != DType::F32 {
        if A::NAME != "Free" {
            assert_ne!(numbers, alone[0], "{name}: the master weights");
        }
        return;
    }
    let bare = whole(&|| adam().unwrap().init());
    if A::HAS_NEUTRAL && B::HAS_NEUTRAL {
        let neutral = whole(&|| self::both::<A, B>(false));
        assert_eq!(neutral, bare, "{name}, both without an effect");
    }
    // In `f32` the master is the weight itself.
    match is_master(B::NAME) {
        true => assert_eq!(numbers, alone[0], "{name}"),
        false if CHANGES_NOTHING_IN_ITSELF.contains(&A::NAME) && A::NAME == B::NAME => {
            assert_close(&numbers, &alone[0], 1e-5, &name);
        }
        false => {
            for other in [&bare, &alone[0], &alone[1]] {
                let steps = numbers.iter().zip(other).map(|(a, b)| (a - b).abs());
                let most = steps.fold(0.0, f64::max);
                assert!(most > LEAST, "{name}: {numbers:?} and {other:?}");
            }
        }
    }
    let weights = Weights::new(1, dtype, device);
    let expected = by_hand(&[A::NAME, B::NAME], &weights, 0.05, 7);
    assert_close(&numbers, &expected, 1e-5, &name);
}

/// Steps in proportion to the weights are so already, and no number of a cautious step goes up.
const CHANGES_NOTHING_IN_ITSELF: [&str; 2] = ["Ratio", "Cautious"];

/// By how much a wrapper changes the weights of seven steps, which are about 1.
const LEAST: f64 = 1e-3;

/// A test of a pair.
struct Case {
    name: String,
    check: fn(&Device),
    make: fn(bool) -> ModuleOptimizer,
    /// Whether one of the two does something else in half precision.
    in_half: bool,
    /// Whether it cannot be made.
    is_refused: bool,
}

/// The pairs that can be made.
fn every_pair() -> Vec<Case> {
    let pairs = all_pairs().into_iter().filter(|case| !case.is_refused);
    pairs.collect()
}

fn all_pairs() -> Vec<Case> {
    fn case<A: Wraps, B: Wraps>() -> Case {
        Case {
            name: format!("{} in {}", A::NAME, B::NAME),
            check: pair::<A, B>,
            make: both::<A, B>,
            in_half: is_master(B::NAME),
            is_refused: is_refused(A::NAME, B::NAME),
        }
    }
    fn around<A: Wraps>() -> [Case; 8] {
        [
            case::<A, Lookahead>(),
            case::<A, Decay>(),
            case::<A, Cautious>(),
            case::<A, Ratio>(),
            case::<A, Free>(),
            case::<A, Master>(),
            case::<A, Kahan>(),
            case::<A, Timed>(),
        ]
    }
    [
        around::<Lookahead>(),
        around::<Decay>(),
        around::<Cautious>(),
        around::<Ratio>(),
        around::<Free>(),
        around::<Master>(),
        around::<Kahan>(),
        around::<Timed>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn wrappers_go_together_in_every_pair() {
    for (_, device) in training_devices() {
        for case in every_pair() {
            (case.check)(&device);
        }
    }
}

/// The error, or the panic of a method that returns none, names both and says which is applied first.
#[test]
fn a_wrapper_in_the_wrong_place_is_refused_by_name() {
    let mut refused = 0;
    for case in all_pairs().into_iter().filter(|case| case.is_refused) {
        let made = std::panic::catch_unwind(|| (case.make)(true));
        let panic = made.err().expect(&case.name);
        let text = panic.downcast_ref::<String>().expect("a text");
        let inner = if case.name.starts_with("Free") {
            "`schedule_free`"
        } else {
            "`master_weights`"
        };
        let names = text.contains(&format!("around {inner}"));
        assert!(names, "{}: {text}", case.name);
        refused += 1;
    }
    assert_eq!((refused, all_pairs().len()), (22, 64));
    let free = || adam().unwrap().schedule_free(0.9).unwrap();
    let errors = [
        (
            free().decoupled_weight_decay(0.1).err(),
            "`decoupled_weight_decay` must be applied before `schedule_free`, which must be around all wrappers but \
             `master_weights`, since a wrapper around it changes its average of the weights, got \
             `decoupled_weight_decay` around `schedule_free`",
        ),
        (
            free().schedule_free(0.9).err(),
            "`schedule_free` must be applied once, not around itself: it must be around all wrappers but \
             `master_weights`, since a wrapper around it changes its average of the weights, got `schedule_free` \
             around `schedule_free`",
        ),
        (
            adam().unwrap().master_weights().lookahead(2, 0.5).err(),
            "`lookahead` must be applied before `master_weights`, which must be the outermost wrapper, got \
             `lookahead` around `master_weights`",
        ),
    ];
    for (error, text) in errors {
        assert_eq!(error.expect(text).to_string(), text);
    }
    let ratio = burn_tricks::optim::TrustRatioConfig::new().build(free());
    assert_eq!(ratio.expect_err("around").field, "trust_ratio");
    // Inside of a wrapper of one's own it is recognised too.
    assert!(Wrapper::new(Copied, free()).lookahead(2, 0.5).is_err());
}

const DIRECTORY: &str = "BURN_TRICKS_PAIRS";

/// Step at which the runs of the two processes meet.
const MEET: u64 = 3;

/// The numbers of a run from step `from` to step `to`; files of `path` hold weights and state at `MEET`.
fn half(case: &Case, dtype: DType, path: &Path, is_second: bool) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let (mut optim, mut weights) = ((case.make)(true), Weights::new(1, dtype, &device));
    let (of_model, of_optim) = (path.with_extension("model"), path.with_extension("optim"));
    let steps = if is_second {
        let record = ModuleRecord::load(&of_model).unwrap();
        weights = Weights::new(2, dtype, &device).load_record(record);
        optim = optim.try_load(&weights, &of_optim).unwrap();
        MEET..7
    } else {
        0..MEET
    };
    for step in steps {
        let grads = weights.grads(step);
        weights = optim.step(0.05, weights, grads);
    }
    if !is_second {
        weights.clone().into_record().save(&of_model).unwrap();
        optim.save(&of_optim).unwrap();
    }
    weights.numbers()
}

/// Each pair in each type in which it acts, with the file that belongs to it.
fn in_files(directory: &Path) -> Vec<(Case, DType, std::path::PathBuf)> {
    let mut all = Vec::new();
    for dtype in [DType::F32, DType::BF16] {
        for case in every_pair() {
            if dtype == DType::F32 || case.in_half {
                let file = directory.join(format!("{} {dtype:?}", case.name));
                all.push((case, dtype, file));
            }
        }
    }
    all
}

#[test]
fn every_pair_resumes_in_a_fresh_process_to_the_bit() {
    let directory = tempfile::tempdir().unwrap();
    let device = Device::flex().autodiff();
    for (case, dtype, file) in in_files(directory.path()) {
        half(&case, dtype, &file, false);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "optimizer_pairs::the_pairs_of_the_fresh_process",
            "--ignored",
        ])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    for (case, dtype, file) in in_files(directory.path()) {
        let text = std::fs::read_to_string(file.with_extension("json")).unwrap();
        let resumed: Vec<f64> = serde_json::from_str(&text).unwrap();
        let whole = run(&|| (case.make)(true), None, dtype, &device);
        assert_eq!(resumed, whole, "{} in {dtype:?}", case.name);
    }
}

/// Not a test: what the one above starts.
#[test]
#[ignore = "the other half of every_pair_resumes_in_a_fresh_process_to_the_bit"]
fn the_pairs_of_the_fresh_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    for (case, dtype, file) in in_files(Path::new(&directory)) {
        let numbers = serde_json::to_string(&half(&case, dtype, &file, true)).unwrap();
        std::fs::write(file.with_extension("json"), numbers).unwrap();
    }
}

const WIDE: StateField = StateField::optional("wide");
const LOST: StateField = StateField::optional("lost");

fn wide<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    tensor.cast(FloatDType::F32)
}

/// Master weights in plain tensor operations: an `f32` copy, unless other code has changed the weight.
#[derive(Debug, Clone)]
struct Copied;

impl Wrap for Copied {
    const STATE: &'static [StateField] = &[WIDE];

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let dtype = weight.dtype();
        let given = wide(weight.clone());
        let exact = match step.take(WIDE, &weight) {
            Some(copy) => {
                let is_ours = copy.clone().cast(dtype).equal(weight);
                given.mask_where(is_ours, copy)
            }
            None => given,
        };
        let new = step.inner(exact, wide(grad));
        step.put(WIDE, new.clone());
        new.cast(dtype)
    }
}

/// Kahan's form in plain tensor operations.
#[derive(Debug, Clone)]
struct Compensated;

impl Wrap for Compensated {
    const STATE: &'static [StateField] = &[LOST];

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let dtype = weight.dtype();
        let given = wide(weight.clone());
        let exact = match step.take_as_weight(LOST, &weight) {
            Some(lost) => {
                let sum = given.clone() + wide(lost);
                let is_ours = sum.clone().cast(dtype).equal(weight);
                given.mask_where(is_ours, sum)
            }
            None => given,
        };
        let mut new = step.inner(exact, wide(grad));
        let mut lost = new.clone();
        let mut rounded = new.clone().cast(dtype);
        for _ in 0..2 {
            rounded = new.clone().cast(dtype);
            lost = (new - wide(rounded.clone())).cast(dtype);
            new = wide(rounded.clone()) + wide(lost.clone());
        }
        step.put(LOST, lost);
        rounded
    }
}

/// Thirty steps of small tensors in `bf16`, after each of which the two have the same weights.
fn are_equal(one: impl Optimizer, other: impl Optimizer, device: &Device, name: &str) {
    let mut noise = Noise(5);
    let mut draw = || tensor::<1>(&noise.take(64), DType::BF16, device);
    let start = draw();
    let (mut first, mut second) = ((start.clone(), None), (start, None));
    for step in 0..30 {
        let grad = draw();
        first = one.step(1e-3, first.0, grad.clone(), first.1);
        second = other.step(1e-3, second.0, grad, second.1);
        let [a, b] = [&first.0, &second.0].map(|weight| values(weight.clone()));
        assert_eq!(a, b, "{name}, step {step}");
    }
}

/// Around every other wrapper, master weights in `bf16` are at every step what plain tensor operations make of them: the rounded
/// `f32` weights, or what Kahan's form keeps of them.
#[test]
fn master_weights_are_their_twin_at_every_step() {
    fn outside<X: Wraps>(device: &Device) {
        let inner = || X::wrap(adam().unwrap(), true);
        let name = format!("{} in master weights", X::NAME);
        are_equal(
            Master::wrap(inner(), true),
            MasterTwin::wrap(inner(), true),
            device,
            &name,
        );
        are_equal(
            Kahan::wrap(inner(), true),
            KahanTwin::wrap(inner(), true),
            device,
            &name,
        );
    }
    for (_, device) in training_devices() {
        let device = device.without_autodiff();
        if !dtypes(&device).contains(&DType::BF16) {
            continue;
        }
        outside::<Lookahead>(&device);
        outside::<Decay>(&device);
        outside::<Cautious>(&device);
        outside::<Ratio>(&device);
        outside::<Free>(&device);
        outside::<Timed>(&device);
    }
}
