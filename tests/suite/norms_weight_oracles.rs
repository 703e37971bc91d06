//! Weight norm, spectral norm and weight standardisation as in PyTorch, timm and Composer.

use crate::devices::training_devices;
use crate::models::values;
use crate::norms::{assert_near, cast, grid, precise};
use crate::norms_weight::Layer;
use crate::oracle::{case, numbers, read};
use burn::module::{Initializer, Module, Param, Reparameterization};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    Deviation, SpectralNorm, SpectralNormConfig, WeightNorm, WeightNormConfig,
    WeightStandardizationConfig,
};
use serde_json::Value;

macro_rules! layer {
    ($layer:ty, $rank:literal, $shape:expr, $make:expr, $to_torch:expr) => {
        impl Layer for $layer {
            fn with_grid(device: &Device, dtype: DType) -> Self {
                let make: fn(&Device) -> $layer = $make;
                let turn: fn(Tensor<$rank>) -> Tensor<$rank> = $to_torch;
                let mut layer = cast(make(device), dtype);
                let weight = turn(grid($shape, 0.7, 2.0, (device, dtype)));
                layer.weight = layer.weight.map(|_| {
                    if weight.is_autodiff() {
                        weight.detach().require_grad()
                    } else {
                        weight
                    }
                });
                layer
            }
            fn weight(&self) -> Vec<f64> {
                let turn: fn(Tensor<$rank>) -> Tensor<$rank> = $to_torch;
                values(turn(self.weight.val()))
            }
            fn stored(&self) -> Vec<f64> {
                let turn: fn(Tensor<$rank>) -> Tensor<$rank> = $to_torch;
                values(turn(self.weight.base()))
            }
            fn gradient(
                &self,
                device: &Device,
                dtype: DType,
            ) -> (burn::tensor::Gradients, Vec<f64>) {
                let turn: fn(Tensor<$rank>) -> Tensor<$rank> = $to_torch;
                let k = turn(grid($shape, 0.9, 2.0, (device, dtype)));
                let grads = (self.weight.val() * k).sum().backward();
                let gradient = values(turn(self.weight.base().grad(&grads).unwrap()));
                (grads, gradient)
            }
            fn attached<R: Reparameterization>(&self) -> &R {
                self.weight.reparameterization().expect("attached")
            }
        }
    };
}

layer!(
    Linear,
    2,
    [4, 3],
    |device| LinearConfig::new(3, 4)
        .with_initializer(Initializer::Zeros) // nothing is drawn
        .init(device),
    |w| w.transpose()
);
layer!(
    Conv2d,
    4,
    [4, 2, 3, 3],
    |device| Conv2dConfig::new([2, 4], [3, 3])
        .with_initializer(Initializer::Zeros)
        .init(device),
    |w| w
);
layer!(
    ConvTranspose2d,
    4,
    [2, 4, 3, 3],
    |device| ConvTranspose2dConfig::new([2, 4], [3, 3])
        .with_initializer(Initializer::Zeros)
        .init(device),
    |w| w
);

fn near(case: &Value, field: &str, actual: Vec<f64>, tolerance: f64, name: &str) {
    let expected = numbers(&case["values"][field]);
    assert_near(&actual, &expected, tolerance, &format!("{name}: {field}"));
}

fn weight_norm_is_pytorchs<L: Layer>(name: &str, device: &Device, which: &str) {
    let (dtype, tolerance) = precise(device);
    let case = case("weight_norm", which);
    let model = L::with_grid(device, dtype);
    let model = WeightNormConfig::new().attach(model).unwrap();
    let near =
        |field: &str, actual| near(case, field, actual, tolerance, &format!("{name} {which}"));
    // The lengths times the oracle's grid, written where an optimizer would write them.
    let g = model.attached::<WeightNorm>().g.val();
    let factor = grid(g.dims(), 1.1, 0.5, (device, dtype)) + 1.5;
    let changed = values(g * factor);
    let model = set_g(model, changed.clone());
    near("g", changed);
    near("v", model.stored());
    near("weight", model.weight());
    let (grads, v_gradient) = model.gradient(device, dtype);
    near("v_gradient", v_gradient);
    let g = model.attached::<WeightNorm>().g.val();
    near("g_gradient", values(g.grad(&grads).unwrap()));
}

fn set_g<M: Module>(model: M, values: Vec<f64>) -> M {
    struct Set(Vec<f64>, Vec<String>);
    impl burn::module::ModuleMapper for Set {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.1.last().map(String::as_str) != Some("g") {
                return param;
            }
            param.map(|old| {
                let options = (&old.device(), old.dtype());
                Tensor::<1>::from_data(self.0.as_slice(), options)
                    .reshape(old.shape())
                    .require_grad()
            })
        }
        fn enter_module(&mut self, name: &str, _: &str) {
            self.1.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.1.pop();
        }
    }
    model.map(&mut Set(values, Vec::new()))
}

#[test]
fn weight_norm_is_pytorchs_on_the_units_of_each_layer() {
    for (name, device) in training_devices() {
        weight_norm_is_pytorchs::<Linear>(name, &device, "linear");
        weight_norm_is_pytorchs::<Conv2d>(name, &device, "convolution");
        weight_norm_is_pytorchs::<ConvTranspose2d>(name, &device, "transposed");
    }
}

pub(crate) fn start_at_cosines(norm: &SpectralNorm) {
    for state in [&norm.u, &norm.v] {
        let old = state.value();
        let values: Vec<f64> = (1..=old.dims()[0]).map(|i| (i as f64).cos()).collect();
        let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        let values: Vec<f64> = values.iter().map(|x| x / norm).collect();
        state.set(Tensor::from_data(
            values.as_slice(),
            (&old.device(), old.dtype()),
        ));
    }
}

fn spectral_norm_is_pytorchs<L: Layer>(name: &str, device: &Device, which: &str) {
    let (dtype, tolerance) = precise(device);
    let case = case("spectral_norm", which);
    let config = SpectralNormConfig::new().with_iterations(read(&case["settings"]["iterations"]));
    let model = config.attach(L::with_grid(device, dtype)).unwrap();
    let near =
        |field: &str, actual| near(case, field, actual, tolerance, &format!("{name} {which}"));
    let norm = model.attached::<SpectralNorm>();
    start_at_cosines(norm);
    let (mut us, mut vs, mut weights, mut gradient) = (vec![], vec![], vec![], vec![]);
    for _ in 0..3 {
        weights.extend(model.weight());
        us.extend(values(norm.u.value()));
        vs.extend(values(norm.v.value()));
    }
    near("u", us);
    near("v", vs);
    near("weights", weights);
    start_at_cosines(norm);
    for _ in 0..3 {
        gradient = model.gradient(device, dtype).1;
    }
    near("gradient", gradient);

    // In the long run the largest singular value, whatever the start.
    for _ in 0..100 {
        model.weight();
    }
    let sigma = numbers(&case["values"]["sigma"])[0];
    let expected: Vec<f64> = model.stored().iter().map(|w| w / sigma).collect();
    assert_near(&model.weight(), &expected, tolerance.max(1e-6), name);
}

#[test]
fn spectral_norm_is_pytorchs_use_by_use() {
    for (name, device) in training_devices() {
        spectral_norm_is_pytorchs::<Linear>(name, &device, "linear");
        spectral_norm_is_pytorchs::<Conv2d>(name, &device, "convolution");
        spectral_norm_is_pytorchs::<ConvTranspose2d>(name, &device, "transposed");
    }
}

#[test]
fn weight_standardization_is_that_of_timm_composer_and_the_paper() {
    for (name, device) in training_devices() {
        let (dtype, tolerance) = precise(&device);
        let tolerance = tolerance.max(1e-8); // in `f64` on flex a gradient is 1.5e-9 off
        for (which, deviation) in [
            ("population", Deviation::Population),
            ("population_plus", Deviation::PopulationPlus),
            ("sample_plus", Deviation::SamplePlus),
        ] {
            let case = case("weight_standardization", which);
            let config = WeightStandardizationConfig::new()
                .with_deviation(deviation)
                .with_epsilon(read(&case["settings"]["epsilon"]));
            let model = config.attach(Conv2d::with_grid(&device, dtype)).unwrap();
            let what = format!("{name} {which}");
            near(case, "weight", model.weight(), tolerance, &what);
            let (_, gradient) = model.gradient(&device, dtype);
            near(case, "gradient", gradient, tolerance, &what);
        }
    }
}
