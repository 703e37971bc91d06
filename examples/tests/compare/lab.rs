//! Ablations, interactions, tuned rates, and the sentences of a teaching text.

use crate::{compare, text};
use burn_tricks::compare::Comparison;

/// Runs the program with short trainings, and returns what it printed and found.
fn run(options: &str) -> (String, Comparison) {
    let (printed, json) = run_to_json(options);
    (printed, serde_json::from_str(&json).unwrap())
}

/// The same, with what it found as the text of its file.
fn run_to_json(options: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("all.json");
    let mut arguments: Vec<&str> = options.split(' ').collect();
    arguments.extend([
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--json",
        json.to_str().unwrap(),
    ]);
    let output = compare(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json = std::fs::read_to_string(&json).unwrap();
    (text(&output.stdout), json)
}

fn error(options: &str) -> String {
    let arguments: Vec<&str> = options.split(' ').collect();
    let output = compare(&arguments);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn an_ablation_leaves_out_each_change_in_turn() {
    let (_, found) = run("--ablate momentum,dropout");
    let names: Vec<&str> = found.rows.iter().map(|row| &*row.name).collect();
    assert_eq!(
        names,
        [
            "full without momentum",
            "full without dropout",
            "full without any"
        ]
    );
    let setting = |name: &str, field: &str| {
        let recipe = found
            .recipes
            .iter()
            .find(|recipe| recipe.name == name)
            .unwrap();
        recipe.settings[field].to_string()
    };
    assert_eq!(setting("full", "optimizer"), r#"{"momentum":0.9}"#);
    assert_eq!(setting("full without momentum", "optimizer"), r#""sgd""#);
    assert_eq!(setting("full without momentum", "dropout"), "0.2");
    assert_eq!(setting("full without any", "dropout"), "0.0");
    // The runs are of these settings.
    let loss = |name: &str| {
        found
            .runs
            .iter()
            .find(|run| run.variant == name)
            .unwrap()
            .quality["loss"]
            .value
    };
    assert!(
        loss("full") != loss("full without momentum")
            && loss("full") != loss("full without dropout")
    );

    let clash = error("--ablate momentum,weight-decay");
    assert!(clash.contains("both set `optimizer"), "{clash}");
    assert!(error("--ablate momentum,clop").contains("there is no recipe `clop`"));
}

#[test]
fn interactions_are_told_behind_the_table() {
    let (printed, json) = run_to_json("--interactions clip,dropout");
    let found: Comparison = serde_json::from_str(&json).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let pair = &json["interactions"]["pairs"][0];
    assert_eq!(pair["first"], "clip");
    assert_eq!(pair["seeds"], 2);
    assert_eq!(json["conditions"][0][0], "a seed redraws");
    let names: Vec<&str> = found.recipes.iter().map(|recipe| &*recipe.name).collect();
    assert_eq!(names, ["unstable", "clip", "dropout", "clip + dropout"]);
    assert!(
        printed.contains("clip × dropout, 2 seeds\n  accuracy: "),
        "{printed}"
    );
    // By hand, of the first seed and the second.
    let accuracy = |name: &str, seed: u64| {
        let run = found
            .runs
            .iter()
            .find(|run| run.variant == name && run.seed == seed)
            .unwrap();
        run.quality["accuracy"].value
    };
    let failed = found.arms.iter().any(|arm| arm.failed > 0);
    let interaction = |seed| {
        let joint = accuracy("clip + dropout", seed) - accuracy("clip", seed);
        joint - accuracy("dropout", seed) + accuracy("unstable", seed)
    };
    if !failed {
        let mean = 50.0 * (interaction(1) + interaction(2));
        let told = format!(
            "accuracy: {}{:.2} ",
            if mean < 0.0 { "−" } else { "+" },
            mean.abs()
        );
        assert!(printed.contains(&told), "{told} in {printed}");
    }
}

#[test]
fn a_tuned_recipe_is_compared_at_its_best_rate() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    let options = format!(
        "--tune --split-seed 1 --only momentum --store {}",
        store.display()
    );
    let (printed, found) = run(&options);
    for recipe in &found.recipes {
        let rate = recipe.settings["learning_rate"].as_f64().unwrap();
        let power = (rate / 0.1).log2();
        assert!(
            (power - power.round()).abs() < 1e-9 && (-3.0..=4.0).contains(&power),
            "{rate}"
        );
    }
    // After one epoch a larger rate than 0.1 is better for plain SGD.
    assert!(found.recipes[0].settings["learning_rate"].as_f64().unwrap() > 0.1);
    assert!(
        printed.contains("learning rates: Each recipe at its own best `learning_rate`"),
        "{printed}"
    );
    assert!(
        printed.contains("a seed redraws: the training; the split is that of seed 1"),
        "{printed}"
    );
    // 32 runs of each recipe to tune it, and the compared ones, of other seeds.
    let stored = std::fs::read_to_string(&store).unwrap();
    assert_eq!(stored.lines().count(), 2 * 32 + 4);
    let seeds: Vec<u64> = found.runs.iter().map(|run| run.seed).collect();
    assert_eq!(seeds, [1, 2, 1, 2]);
    let (_, again) = run(&options);
    assert_eq!(again.recipes, found.recipes);
    assert_eq!(
        std::fs::read_to_string(&store).unwrap().lines().count(),
        stored.lines().count()
    );

    let refused = error("--tune --only momentum");
    assert!(
        refused.contains("`--tune` needs one split for all seeds, such as `--split-seed 1`"),
        "{refused}"
    );
    let (untuned, _) = run("--only momentum");
    assert!(
        untuned.contains("learning rates: each recipe at its own `learning_rate`"),
        "{untuned}"
    );
    assert!(
        untuned.contains("a seed redraws: the training and the split, test part included"),
        "{untuned}"
    );
}

#[test]
fn the_sentences_of_a_teaching_text_are_held_against_measurements() {
    let output = compare(&[
        "--lesson", "--task", "tabular", "--seeds", "2", "--epochs", "1",
    ]);
    let page = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for expected in [
        "It is √n",
        "| **corrected** |",
        "“we are likely to see higher final accuracy”",
        "tabular, `batch-norm`, RMSE: ×",
        "undecided: tabular",
        "epochs; baselines: `baseline` (two hidden layers of 64",
        "Where neither network learns",
        "`cargo run --release --example compare -- --lesson --seeds 2 --epochs 1 --task tabular`",
    ] {
        assert!(page.contains(expected), "{expected:?} in {page}");
    }
    let unknown = error("--lesson --task tables");
    assert!(
        unknown.contains("no sentence is about a task `tables`; there are: mlp"),
        "{unknown}"
    );
}
