//! Learning rates of groups of parameters, the preview of schedules, and REX.

use crate::models::alone;
use crate::norms::{assert_json, assert_refused};
use crate::oracle::{assert_close, case, numbers, read};
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::Device;
use burn_tricks::schedule::{
    CosineConfig, GroupLrConfig, LayerWiseLrConfig, LinearRampConfig, LrGroup, LrPreview,
    LrSchedulerExt, MultiStepConfig, OneCycleConfig, RexConfig, SkipCount,
};

#[derive(Module, Debug)]
struct Net {
    body: Vec<Linear>,
    head: Linear,
}

fn net() -> Net {
    let layer = || LinearConfig::new(2, 2).init(&Device::flex());
    Net {
        body: vec![layer(), layer()],
        head: layer(),
    }
}

fn rates(schedule: &ModuleLrScheduler, net: &Net, path: &str, steps: usize) -> Vec<f64> {
    let preview = LrPreview::new(steps).parameter(path, schedule, net);
    preview.unwrap().rates(path).unwrap().to_vec()
}

#[test]
fn rex_is_the_formula_of_the_paper() {
    let case = case("schedules", "rex");
    let steps: usize = read(&case["settings"]["steps"]);
    let config = RexConfig::new(0.3, steps).with_final_lr(0.01);
    let mut schedule = config.init().unwrap();
    let expected = numbers(&case["values"]);
    let got: Vec<f64> = expected.iter().map(|_| schedule.step()).collect();
    assert_close(&got, &expected, 1e-12, "rex");
    let line = RexConfig::new(0.3, 9).with_beta(1.0).init().unwrap();
    let ramp = LinearRampConfig::new(0.3, 0.0, 9).init().unwrap();
    for step in 0..12 {
        assert_close(&[line.at(step)], &[ramp.at(step)], 1e-12, "a line");
    }
    assert_json(&config);
    assert_refused(RexConfig::new(0.0, 9).init(), "initial_lr", "0.0");
    assert_refused(RexConfig::new(0.3, 0).init(), "steps", "0");
    let beta = RexConfig::new(0.3, 9).with_beta(0.0);
    assert_refused(beta.init(), "beta", "0.0");
    let last = RexConfig::new(0.3, 9).with_final_lr(0.4);
    assert_refused(last.init(), "final_lr", "0.4");
}

#[test]
fn a_group_has_its_factor_and_its_warm_up() {
    let _alone = alone();
    let net = net();
    let cosine = CosineConfig::new(0.1, 20).init().unwrap();
    let body = LrGroup::new(["body"], 1.0)
        .with_warmup(4)
        .with_warmup_after(3)
        .with_warmup_start(0.1);
    let groups = GroupLrConfig::of([
        LrGroup::new(["head"], 10.0),
        body,
        LrGroup::new(["body.1.bias"], 0.0),
    ]);
    let schedule = groups.init(&net, cosine.clone()).unwrap();
    let base: Vec<f64> = (0..12).map(|step| cosine.at(step)).collect();
    let head: Vec<f64> = base.iter().map(|rate| 10.0 * rate).collect();
    assert_close(
        &rates(&schedule, &net, "head.weight", 12),
        &head,
        1e-12,
        "head",
    );
    let shares = [
        0.1, 0.1, 0.1, 0.1, 0.325, 0.55, 0.775, 1.0, 1.0, 1.0, 1.0, 1.0,
    ];
    let body: Vec<f64> = base
        .iter()
        .zip(shares)
        .map(|(rate, share)| rate * share)
        .collect();
    for path in ["body.0.weight", "body.0.bias", "body.1.weight"] {
        assert_close(&rates(&schedule, &net, path, 12), &body, 1e-12, path);
    }
    // The later of two groups counts.
    assert_eq!(rates(&schedule, &net, "body.1.bias", 12), [0.0; 12]);
    // What the preview stepped was a copy, and the rates without a group are the schedule's.
    let mut schedule = schedule;
    assert_eq!(schedule.step().base(), 0.1);
}

#[test]
fn a_resumed_schedule_of_groups_goes_on() {
    let _alone = alone();
    let net = net();
    let groups = GroupLrConfig::of([LrGroup::new(["body"], 2.0).with_warmup(6)]);
    let make = || {
        let inner = MultiStepConfig::new(0.1, vec![3, 5]).init().unwrap();
        groups.init(&net, inner.with_warmup(2).unwrap()).unwrap()
    };
    let mut whole = make();
    let whole: Vec<f64> = (0..10)
        .map(|_| {
            whole
                .step()
                .lr_from_param(net.head.weight.id, Some("body.0.weight"))
        })
        .collect();
    for stop in 0..10 {
        let mut first = make();
        for _ in 0..stop {
            first.step();
        }
        let mut resumed = make().load_record(first.to_record());
        let rest: Vec<f64> = (stop..10)
            .map(|_| {
                resumed
                    .step()
                    .lr_from_param(net.head.weight.id, Some("body.0.weight"))
            })
            .collect();
        assert_eq!(rest, whole[stop..], "from step {stop}");
    }
}

#[test]
fn groups_that_are_none_are_refused() {
    let _alone = alone();
    let net = net();
    let refuse = |group: LrGroup, field: &str, got: &str| {
        let init = GroupLrConfig::of([group]).init(&net, 0.1);
        assert_refused(init.map(drop), field, got);
    };
    refuse(LrGroup::new(["head"], -1.0), "factor", "-1.0");
    refuse(
        LrGroup::new(["head"], 1.0).with_warmup_start(1.5),
        "warmup_start",
        "1.5",
    );
    // Settings of a warm-up that has no length.
    let after = LrGroup::new(["head"], 1.0).with_warmup_after(3);
    refuse(after, "warmup_steps", "0");
    let start = LrGroup::new(["head"], 1.0).with_warmup_start(0.1);
    refuse(start, "warmup_steps", "0");
    refuse(LrGroup::new(Vec::<String>::new(), 1.0), "paths", "[]");
    let unknown = GroupLrConfig::of([LrGroup::new(["haed"], 1.0)]).init(&net, 0.1);
    let error = unknown.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("\"haed\"") && error.contains("head"),
        "{error}"
    );
    assert_json(&GroupLrConfig::of([
        LrGroup::new(["head"], 0.5).with_warmup(3)
    ]));
    let bare: GroupLrConfig =
        serde_json::from_str(r#"{"groups":[{"paths":["head"],"factor":0.5}]}"#).unwrap();
    assert_eq!(bare, GroupLrConfig::of([LrGroup::new(["head"], 0.5)]));
    let preview = LrPreview::new(3).parameter("head.wieght", &ModuleLrScheduler::new(0.1), &net);
    let error = preview.unwrap_err().to_string();
    assert!(
        error.contains("`head.weight`") && error.ends_with("got \"head.wieght\""),
        "{error}"
    );
}

/// As the documentation of `LrPreview` has it.
#[test]
fn two_schedules_are_printed_as_in_the_documentation() {
    let cosine = CosineConfig::new(0.1, 900).init().unwrap();
    let cosine = cosine.with_warmup(100).unwrap();
    let cycle = OneCycleConfig::torch(0.4, 1_000).init().unwrap();
    let preview = LrPreview::new(1_000);
    let preview = preview.curve("cosine", &cosine).curve("one cycle", &cycle);
    let expected = [
        "cosine     ▁▃▅▇████████▇▇▇▇▆▆▆▅▅▅▄▄▄▃▃▃▂▂▂▂▁▁▁▁▁▁▁▁  0 to 0.1",
        "one cycle  ▁▁▂▂▃▄▅▆▇█████████▇▇▇▆▆▆▅▅▄▄▃▃▃▂▂▂▁▁▁▁▁▁  1.6e-6 to 0.4",
    ];
    assert_eq!(preview.to_string(), expected.join("\n"));
}

#[test]
fn a_preview_shows_what_the_schedule_gives() {
    let ramp = LinearRampConfig::new(0.0, 0.7, 7).init().unwrap();
    let flat = 0.5_f64;
    let preview = LrPreview::new(8).curve("ramp", &ramp).curve("flat", &flat);
    let expected: Vec<f64> = (0..8).map(|step| ramp.at(step)).collect();
    assert_eq!(preview.rates("ramp").unwrap(), expected);
    assert_eq!(preview.rates("other"), None);
    assert_eq!(preview.sparkline("ramp", 8), "▁▂▃▄▅▆▇█");
    // The means of two steps each: 0.05, 0.25, 0.45, 0.65 of 0.7.
    assert_eq!(preview.sparkline("ramp", 4), "▁▃▆█");
    assert_eq!(preview.sparkline("ramp", 100), "▁▂▃▄▅▆▇█");
    assert_eq!(preview.sparkline("flat", 3), "███");
    assert_eq!(preview.sparkline("other", 3), "");
    let text = preview.to_string();
    assert_eq!(text, "ramp  ▁▂▃▄▅▆▇█  0 to 0.7\nflat  ████████  0.5 to 0.5");
    let csv = preview.to_csv();
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!((rows[0], rows.len()), ("step,ramp,flat", 9));
    assert_eq!(rows[1], "0,0,0.5");
    let svg = preview.to_svg("Two <schedules>");
    assert!(svg.contains("Two &lt;schedules&gt;"), "{svg}");
    assert!(svg.contains("ramp") && svg.contains("flat"), "{svg}");
    assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
    let panels = preview.to_svg_panels(2);
    assert_eq!(panels.matches("<polyline").count(), 2, "{panels}");
    assert!(panels.contains("width=\"1280\""), "{panels}");
    // Rates from elsewhere: too many, and too few.
    let given = LrPreview::new(3)
        .with_rates("many", [0.1, 0.2, 0.3, 0.4])
        .with_rates("few", [0.1]);
    assert_eq!(given.rates("many"), Some(&[0.1, 0.2, 0.3][..]));
    assert_eq!(given.sparkline("few", 3), "█??");
    assert_eq!(given.to_csv().lines().last(), Some("2,0.3,NaN"));
    // Without steps or without a rate above 0 there is still a chart.
    let zero = LrPreview::new(4).curve("zero", &0.0);
    assert_eq!(zero.sparkline("zero", 4), "▁▁▁▁");
    for preview in [LrPreview::new(0).curve("none", &0.1), zero] {
        assert!(preview.to_svg("").ends_with("</svg>\n"));
        let _ = preview.to_string();
    }
    let infinite = LrPreview::new(2).curve("inf", &f64::INFINITY);
    assert_eq!(infinite.sparkline("inf", 2), "??");
}

#[test]
fn a_warm_up_of_a_group_is_repeated_after_a_skipped_step() {
    let _alone = alone();
    let net = net();
    let skips = SkipCount::new();
    let groups = GroupLrConfig::of([LrGroup::new(["body"], 2.0).with_warmup(4)]);
    let line = || LinearRampConfig::new(1.0, 0.0, 10).init().unwrap();
    let mut schedule = groups.init_repeating_skipped(&net, line(), &skips).unwrap();
    let mut whole = groups.init(&net, line()).unwrap();
    let both = |schedule: &mut ModuleLrScheduler| {
        let rates = schedule.step();
        let rate = |path| rates.lr_from_param(net.head.weight.id, Some(path));
        [rate("head.weight"), rate("body.0.weight")]
    };
    for step in 0..6 {
        let expected = both(&mut whole);
        assert_eq!(both(&mut schedule), expected, "step {step}");
        if step % 2 == 1 {
            skips.add();
            assert_eq!(both(&mut schedule), expected, "step {step}, again");
        }
    }
    let groups = [LrGroup::new(["head"], 1.0), LrGroup::new(["body"], -1.0)];
    let error = GroupLrConfig::of(groups).init(&net, 0.1).map(drop);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`factor` must be a finite number of at least 0 in `groups[1]`, got -1.0"
    );
}

/// How far a step of plain gradient descent moves the weights, with gradients of ones.
fn moved(model: Vec<Linear>, schedule: &mut ModuleLrScheduler) -> Vec<f64> {
    let mut grads = GradientsParams::new();
    for layer in &model {
        let weight = layer.weight.val().inner();
        grads.register(layer.weight.id, weight.ones_like());
    }
    let number = |layer: &Linear| {
        let weight = layer.weight.val().into_data().iter::<f64>().next();
        weight.expect("a number")
    };
    let before: Vec<f64> = model.iter().map(number).collect();
    let model = SgdConfig::new().init().step(schedule.step(), model, grads);
    let after = model.iter().map(number);
    before.into_iter().zip(after).map(|(a, b)| a - b).collect()
}

/// Optimizers step the first place of a tied parameter, with the path of that place.
#[test]
fn a_group_may_name_any_place_of_a_tied_parameter() {
    let _alone = alone();
    let config = LinearConfig::new(1, 1).with_bias(false);
    let layer = || config.init(&Device::flex().autodiff());
    let model = || {
        let tied = layer();
        vec![tied.clone(), layer(), tied.clone(), tied]
    };
    let preview = |schedule: &ModuleLrScheduler, model: &Vec<Linear>| {
        [0, 2, 3].map(|place| {
            let path = format!("{place}.weight");
            let preview = LrPreview::new(1).parameter(&path, schedule, model);
            preview.unwrap().rates(&path).unwrap()[0]
        })
    };
    let check = |schedule: &mut ModuleLrScheduler, model: Vec<Linear>, [tied, other]: [f64; 2]| {
        assert_close(&preview(schedule, &model), &[tied; 3], 1e-12, "the preview");
        let moved = moved(model, schedule);
        assert_close(&moved[..2], &[tied, other], 1e-5, "the step");
    };
    let of = |groups: Vec<LrGroup>, model: &Vec<Linear>| {
        GroupLrConfig::of(groups).init(model, 0.1).unwrap()
    };
    let tied = model();
    let mut schedule = of(vec![LrGroup::new(["2"], 10.0)], &tied);
    check(&mut schedule, tied, [1.0, 0.1]);
    // The later group counts, whichever places the groups name.
    let tied = model();
    let groups = vec![LrGroup::new(["3"], 10.0), LrGroup::new(["0", "1"], 5.0)];
    check(&mut of(groups, &tied), tied, [0.5, 0.5]);
    let tied = model();
    let groups = vec![LrGroup::new(["0", "1"], 5.0), LrGroup::new(["3"], 10.0)];
    check(&mut of(groups, &tied), tied, [1.0, 0.5]);
    // Layer by layer: the last place is in the last layer.
    let tied = model();
    let layers = LayerWiseLrConfig::over(0.5, ["*"]);
    assert_eq!(layers.rates(&tied).unwrap().len(), 4);
    let mut schedule = layers.init(&tied, 0.1).unwrap();
    check(&mut schedule, tied, [0.1, 0.025]);
    // A group of Burn's own that names a later place has no effect, and the preview says so.
    let tied = model();
    let later = ParamGroup::from_paths(vec!["2.weight".to_owned()]);
    let mut schedule = ModuleLrScheduler::new(0.1).with_group(later, 1.0);
    check(&mut schedule, tied, [0.1, 0.1]);
}
