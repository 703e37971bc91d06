//! Why does it not learn? Nine hidden layers of sigmoids on the digits, examined by a doctor in the loop: the lines that
//! end in a number are all that it needs. Then a network with two of its prescriptions: ReLU, and fewer layers.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid};
use burn_tricks::diagnose::{DoctorConfig, FindingKind, Probe};
use burn_tricks::force_init;
use burn_tricks_examples::data::Source;

#[derive(Module, Debug)]
struct Tower {
    layers: Vec<Linear>,
    probe: Probe,
    #[module(skip)]
    is_sigmoid: bool,
}

impl Tower {
    fn new(widths: &[usize], is_sigmoid: bool, device: &Device) -> Self {
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        Self {
            layers: widths.windows(2).map(layer).collect(),
            probe: Probe::new(),
            is_sigmoid,
        }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a tower has layers");
        let mut signal = images;
        for (at, layer) in hidden.iter().enumerate() {
            signal = layer.forward(signal);
            signal = if self.is_sigmoid {
                sigmoid(signal)
            } else {
                relu(signal)
            };
            signal = self.probe.record(&format!("hidden {at}"), signal);
        }
        last.forward(signal)
    }
}

fn train(name: &str, widths: &[usize], is_sigmoid: bool) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = Tower::new(widths, is_sigmoid, &device);
    force_init(&model);
    let mut optim = AdamConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);

    let mut doctor = DoctorConfig::new().init(&model)?; // 1
    doctor.attach(&model.probe); // if the model has a probe
    for epoch in 1..=5 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.forward(images), labels);
            doctor.observe_loss(&loss); // 2
            let grads = model.probe.backward(&loss); // or `loss.backward()`
            let grads = GradientsParams::from_grads(grads, &model);
            doctor.before_step(&model, &grads, 1e-3); // 3
            model = optim.step(1e-3, model, grads);
            doctor.after_step(&model); // 4
        }
    }
    let diagnosis = doctor.diagnose(&model); // 5

    println!("\n{name}\n{diagnosis}");
    let probes = &diagnosis.history.probes;
    if let [first, .., last] = &probes[..] {
        // Each sigmoid multiplies the gradient by at most 0.25.
        let at_first = |probe: &burn_tricks::diagnose::ProbeHistory| probe.steps.first()?.gradient;
        if let (Some(first), Some(last)) = (at_first(first), at_first(last)) {
            let layers = (probes.len() - 1) as i32;
            println!(
                "gradient of the first hidden layer over that of the last, at step 1: {:.1e}; 0.25^{layers} is {:.1e}",
                first / last,
                0.25f64.powi(layers),
            );
        }
    }
    let vanishes = diagnosis.accuses(FindingKind::VanishingGradient);
    let verdict = if vanishes {
        "vanishes"
    } else {
        "does not vanish"
    };
    println!("in {name} the gradient {verdict}");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut widths = vec![64];
    widths.extend([32; 9]);
    widths.push(10);
    train("nine hidden layers of sigmoids", &widths, true)?;
    train("two hidden layers of ReLU", &[64, 32, 32, 10], false)
}
