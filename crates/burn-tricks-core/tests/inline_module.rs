//! `derive(InlineModule)` makes what Burn's `derive(Module)` makes.

use burn::module::{
    Content, DisplaySettings, Flag, Module, ModuleDisplay, ModuleMapper, ModuleVisitor, Param,
    RunningState,
};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// The same modules with one derive and with the other.
macro_rules! modules {
    ($name:ident, $derive:path) => {
        mod $name {
            use super::*;

            #[derive($derive, Debug)]
            pub(super) struct Inner<M: Module + ModuleDisplay> {
                pub(super) branch: M,
                #[module(skip)]
                pub(super) rate: f64,
            }

            #[derive($derive, Debug)]
            #[module(custom_display)]
            pub(super) struct Short {
                pub(super) weight: Param<Tensor<1>>,
                pub(super) training: Param<Flag>,
            }

            impl ModuleDisplay for Short {
                fn custom_settings(&self) -> Option<DisplaySettings> {
                    let settings = DisplaySettings::new();
                    settings.with_new_line_after_attribute(false).optional()
                }

                fn custom_content(&self, content: Content) -> Option<Content> {
                    content.add("weights", &self.weight.dims()[0]).optional()
                }
            }

            /// No module among the fields.
            #[derive($derive, Debug)]
            pub(super) struct Plain {
                #[module(skip)]
                pub(super) sizes: Option<[f64; 2]>,
            }

            #[derive($derive, Debug)]
            pub(super) struct Outer {
                pub(super) first: Linear,
                #[module(skip)]
                pub(super) depth: usize,
                pub(super) norm: Option<BatchNorm>,
                pub(super) none: Option<Linear>,
                pub(super) blocks: Vec<Inner<Linear>>,
                pub(super) short: Short,
                pub(super) plain: Plain,
                pub(super) state: RunningState<Tensor<1>>,
                #[module(skip)]
                pub(super) note: &'static str,
            }

            pub(super) fn outer(device: &Device) -> Outer {
                let linear = || LinearConfig::new(3, 2).init(device);
                let inner = |rate| Inner {
                    branch: linear(),
                    rate,
                };
                Outer {
                    first: linear(),
                    depth: 3,
                    norm: Some(BatchNormConfig::new(4).init(device)),
                    none: None,
                    blocks: vec![inner(1.0), inner(0.25)],
                    short: Short {
                        weight: Param::from_tensor(Tensor::ones([5], device)),
                        training: Param::from_bool(true),
                    },
                    plain: Plain {
                        sizes: Some([1.0, 2.5]),
                    },
                    state: RunningState::new(Tensor::zeros([6], device)),
                    note: "note",
                }
            }
        }
    };
}

modules!(ours, burn_tricks_core::InlineModule);
modules!(burns, burn::module::Module);

/// Where a walk has been.
#[derive(Default)]
struct Walk(Vec<String>);

impl ModuleVisitor for Walk {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        self.0.push(format!(
            "{:?}, a gradient: {}, autodiff: {}",
            value.dims(),
            value.is_require_grad(),
            value.is_autodiff()
        ));
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.push(format!("flag {}", flag.is_enabled()));
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.0.push(format!("> {name} of {container_type}"));
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.0.push(format!("< {name} of {container_type}"));
    }
}

/// Adds 1.
impl ModuleMapper for Walk {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0.push(format!("{:?}", param.dims()));
        param.map(|value| value + 1.0)
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.0.push(format!("> {name} of {container_type}"));
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.0.push(format!("< {name} of {container_type}"));
    }
}

fn visited(module: &impl Module) -> String {
    let mut walk = Walk::default();
    module.visit(&mut walk);
    format!("{:#?}", walk.0)
}

/// What can be seen of a module, without the numbers that it was initialised with.
fn seen<M: Module + ModuleDisplay>(module: M) -> Vec<(&'static str, String)> {
    let usual = DisplaySettings::new();
    let all = DisplaySettings::new().with_show_all_attributes(true);
    let wide = DisplaySettings::new().with_indentation_size(4);
    let device = Device::flex();
    let mut walk = Walk::default();
    let mapped = module.clone().map(&mut walk);
    vec![
        ("text", module.format(usual.clone())),
        ("text with all attributes", module.format(all)),
        ("text with wide indentation", module.format(wide)),
        ("text of a copy", module.clone().format(usual)),
        (
            "number of parameters",
            Module::num_params(&module).to_string(),
        ),
        ("devices", format!("{:?}", module.devices())),
        ("walk", visited(&module)),
        ("mapping", format!("{:#?}", walk.0)),
        ("mapped", visited(&mapped)),
        ("for validation", visited(&module.valid())),
        ("for training again", visited(&module.valid().train())),
        ("moved", visited(&module.clone().to_device(&device))),
        ("forked", visited(&module.clone().fork(&device))),
        ("materialised", visited(&module.materialize())),
    ]
}

#[test]
fn it_makes_what_burns_derive_makes() {
    let device = Device::flex().autodiff();
    let (ours, burns) = (ours::outer(&device), burns::outer(&device));
    assert_eq!(ours.to_string(), burns.to_string());
    for ((what, ours), (_, burns)) in seen(ours).into_iter().zip(seen(burns)) {
        assert_eq!(ours, burns, "{what}");
    }
}

#[test]
fn fields_that_are_no_modules_come_through() {
    let device = Device::flex().autodiff();
    let module = ours::outer(&device);
    let modules = [
        module.valid(),
        module.clone().train(),
        module.clone().materialize(),
        module.clone().fork(&device),
        module.clone().map(&mut Walk::default()),
        module.to_device(&device),
    ];
    for module in modules {
        assert_eq!((module.depth, module.note), (3, "note"));
        assert_eq!(module.blocks[1].rate, 0.25);
        assert_eq!(module.plain.sizes, Some([1.0, 2.5]));
    }
}

#[test]
fn a_record_of_one_loads_into_the_other() {
    let device = Device::flex();
    let (ours, burns) = (ours::outer(&device), burns::outer(&device));
    let loaded = ours.clone().load_record(burns.clone().into_record());
    let back = burns::outer(&device).load_record(ours.clone().into_record());
    let weight = |linear: &Linear| linear.weight.val().into_data();
    let (ours, burns) = (&ours.blocks[1].branch, &burns.blocks[1].branch);
    assert_ne!(weight(ours), weight(burns));
    assert_eq!(weight(&loaded.blocks[1].branch), weight(burns));
    assert_eq!(weight(&back.blocks[1].branch), weight(ours));
}
