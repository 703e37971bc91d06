use burn_tricks_compare::{
    Comparison, Looks, Protocol, QualityMetric, Recipe, TrainingRun, Verdict, ablation, combine,
    factorial,
};
use serde_json::{Value, json};

use crate::noise;

fn base() -> Recipe {
    Recipe::baseline("sgd", "plain SGD").with_settings(json!({
        "optimizer": "sgd", "rate": {"first": 0.1}, "clip": null, "dropout": 0.0
    }))
}

fn part(name: &str, change: impl Fn(&mut Value)) -> Recipe {
    let mut settings = base().settings;
    change(&mut settings);
    Recipe::variant(name, "sgd", name).with_settings(settings)
}

fn parts() -> [Recipe; 3] {
    [
        part("momentum", |settings| {
            settings["optimizer"] = json!({"momentum": 0.9})
        }),
        part("warm-up", |settings| settings["rate"]["warm-up"] = json!(5)),
        part("clip", |settings| settings["clip"] = json!(1.0)),
    ]
}

/// What each setting does to the accuracy: momentum 3 points, warm-up nothing, clipping harms by 2.
fn run(recipe: &Recipe, seed: u64) -> TrainingRun {
    let settings = &recipe.settings;
    let mut accuracy = 0.9 + 0.01 * noise(seed, 0) + 0.001 * noise(seed, recipe.name.len() as u64);
    accuracy += if settings["optimizer"].is_object() {
        0.03
    } else {
        0.0
    };
    accuracy -= if settings["clip"].is_number() {
        0.02
    } else {
        0.0
    };
    TrainingRun::new(&recipe.name, seed).with_metric("accuracy", accuracy)
}

#[test]
fn leaving_out_what_helps_hurts() {
    let (base, parts) = (base(), parts());
    let with_baselines: Vec<(&Recipe, &Recipe)> = parts.iter().map(|part| (part, &base)).collect();
    let recipes = ablation(&base, &with_baselines).unwrap();
    let full = &recipes[0].settings;
    let expected = json!({
        "optimizer": {"momentum": 0.9}, "rate": {"first": 0.1, "warm-up": 5}, "clip": 1.0, "dropout": 0.0
    });
    assert_eq!(full, &expected);
    assert_eq!(recipes[4].settings, base.settings);

    let protocol =
        Protocol::new([QualityMetric::share("accuracy")]).with_looks(Looks::once(14).unwrap());
    let runs = recipes
        .iter()
        .flat_map(|recipe| (1..=14).map(move |seed| run(recipe, seed)));
    let comparison = Comparison::init(&protocol, &recipes, &runs.collect::<Vec<_>>()).unwrap();
    let verdict = |name: &str| comparison.row(name).unwrap().quality[0].verdict.unwrap();
    assert_eq!(verdict("full without momentum"), Verdict::Hurts);
    assert!(verdict("full without warm-up").is_equivalent());
    assert_eq!(verdict("full without clip"), Verdict::Helps);
    assert_eq!(verdict("full without any"), Verdict::Hurts);
    assert_eq!(comparison.rows.len(), 4);
}

#[test]
fn a_change_is_what_differs_from_its_own_baseline() {
    let hot = part("hot", |settings| settings["rate"]["first"] = json!(1.0));
    let clipped = Recipe::variant("clip", "hot", "").with_settings({
        let mut settings = hot.settings.clone();
        settings["clip"] = json!(1.0);
        settings.as_object_mut().unwrap().remove("dropout");
        settings
    });
    let settings = combine(&base(), &[(&clipped, &hot)]).unwrap();
    assert_eq!(
        settings,
        json!({"optimizer": "sgd", "rate": {"first": 0.1}, "clip": 1.0})
    );
}

#[test]
fn changes_that_cannot_be_combined_are_refused() {
    let base = base();
    let [momentum, warm_up, _] = parts();
    let refused = |parts: &[&Recipe]| {
        let parts: Vec<(&Recipe, &Recipe)> = parts.iter().map(|part| (*part, &base)).collect();
        ablation(&base, &parts).unwrap_err().to_string()
    };
    let l2 = part("l2", |settings| settings["optimizer"] = json!({"l2": 0.1}));
    let expected = "\"momentum\" and \"l2\" both set `optimizer`, and cannot be combined";
    assert_eq!(refused(&[&momentum, &warm_up, &l2]), expected);
    // One inside the other.
    let fixed = part("fixed", |settings| settings["rate"] = json!(0.5));
    assert!(refused(&[&fixed, &warm_up]).contains("both set `rate.warm-up`"));
    assert_eq!(
        refused(&[&momentum]),
        "at least two changes are needed, got 1"
    );
    assert_eq!(
        refused(&[&momentum, &momentum]),
        "\"momentum\" is named twice"
    );
    let nothing = part("nothing", |_| {});
    assert!(
        refused(&[&momentum, &nothing]).starts_with("\"nothing\" has the settings of its baseline")
    );
}

/// Else the change would be called equivalent, whatever it does.
#[test]
fn a_change_that_is_there_already_is_refused() {
    let base = base();
    let [momentum, warm_up, _] = parts();
    let lookahead = Recipe::variant("lookahead", "momentum", "").with_settings({
        let mut settings = momentum.settings.clone();
        settings["lookahead"] = json!(5);
        settings
    });
    let told = |of: &str, whole: &str| {
        format!(
            "{of:?} changes nothing of {whole}, which has its settings already. Make the changes to another recipe \
             (`--onto`), or leave it out"
        )
    };
    let parts = [(&lookahead, &momentum), (&momentum, &base)];
    let refused = ablation(&momentum, &parts).unwrap_err().to_string();
    assert_eq!(refused, told("momentum", "momentum with lookahead"));
    let refused = factorial(&momentum, &parts).unwrap_err().to_string();
    assert_eq!(refused, told("momentum", "momentum"));
    assert!(ablation(&base, &parts).is_ok() && factorial(&base, &parts).is_ok());
    // Or another change holds it.
    let slow = part("slow", |settings| {
        settings["rate"] = json!({"first": 0.2, "warm-up": 5});
    });
    let parts = [(&warm_up, &base), (&slow, &base)];
    let refused = ablation(&base, &parts).unwrap_err().to_string();
    assert_eq!(refused, told("warm-up", "sgd with slow"));
    for parts in [parts, [parts[1], parts[0]]] {
        let refused = factorial(&base, &parts).unwrap_err().to_string();
        assert_eq!(refused, told("warm-up", "sgd with slow"));
    }
}
