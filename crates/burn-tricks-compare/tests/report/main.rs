//! What a comparison looks like. All numbers are made up.

use burn_tricks_compare::{
    Better, Comparison, Looks, Protocol, QualityMetric, Recipe, TrainingRun,
};

/// Four variants of two baselines: one faster and equal in quality, one that fails, one that nobody can
/// tell, one that never arrives.
fn comparison(seeds: u64) -> Comparison {
    let protocol = Protocol::classification()
        .with_target("90 %")
        .with_looks(Looks::at(vec![10, 17]).unwrap());
    let recipes = [
        Recipe::baseline("plain", ""),
        Recipe::variant("momentum", "plain", "a momentum of 0.9"),
        Recipe::variant("hot", "plain", "a rate of 9"),
        Recipe::variant("noise", "plain", "weights, shaken"),
        Recipe::baseline("deep", ""),
        Recipe::variant("deep|cut", "deep", ""),
    ];
    let noise =
        |seed: u64, of: u64| ((seed * 7 + of * 5 + seed * seed * of) % 11) as f64 / 5.0 - 1.0;
    let mut runs = Vec::new();
    for seed in 1..=seeds {
        for (at, recipe) in (0..).zip(&recipes) {
            let own = noise(seed, at + 1);
            let (shift, steps, time) = match &*recipe.name {
                "momentum" => (0.0002 * own, Some(320.0), 1.1),
                "hot" => (0.0, Some(900.0), 1.0),
                "noise" => (0.02 * own, Some(900.0 * (1.0 + 0.4 * own)), 1.0),
                "plain" => (0.0, Some(900.0), 1.0),
                _ => (0.0, None, 5.0),
            };
            let accuracy = 0.93 + 0.01 * noise(seed, 9) + shift;
            let steps = steps.map(|steps: f64| (steps * (1.0 + 0.05 * noise(seed, 3))) as u64);
            let run = TrainingRun::new(&recipe.name, seed)
                .with_metric_and_no_model("accuracy", accuracy, 0.1)
                .with_metric_and_no_model("loss", 0.25 * (1.0 + 3.0 * shift), 2.3)
                .with_arrival(steps, 3300)
                .with_seconds_per_step(0.01 * time * (1.0 + 0.01 * own))
                .with_peak_bytes(if recipe.name == "momentum" {
                    1300
                } else {
                    1000
                });
            runs.push(match (&*recipe.name, seed) {
                ("hot", seed) if seed != 6 => run.with_metric_and_no_model("loss", f64::NAN, 2.3),
                ("noise", 2) => TrainingRun::failed("noise", 2, "out of memory"),
                _ => run,
            });
        }
    }
    Comparison::init(&protocol, &recipes, &runs).unwrap()
}

#[test]
fn a_row_is_told_in_one_line() {
    let comparison = comparison(17);
    let line = |name: &str| comparison.row(name).unwrap().summary();
    assert_eq!(
        line("momentum"),
        "faster ×2.8 [2.8, 2.8], accuracy equal within ±0.50 points, loss equal within ×1.10, cost ×1.1, \
         memory ×1.3"
    );
    let hot = line("hot");
    assert!(hot.contains("worse accuracy −7"), "{hot}");
    assert!(hot.contains("9 of 10 runs fail instead of 0"), "{hot}");
    let noise = line("noise");
    assert!(
        noise.contains("speed undecided ×") && noise.contains("accuracy undecided"),
        "{noise}"
    );
    let deep = line("deep|cut");
    assert!(
        deep.starts_with("target not reached (0 of 10, 0 of 10), accuracy equal"),
        "{deep}"
    );
}

#[test]
fn the_table_has_every_row_and_how_it_was_decided() {
    let comparison = comparison(17);
    let table = comparison.table();
    for expected in [
        "speed to 90 %",
        "helps",
        "undecided",
        "vs deep",
        "target not reached",
        "Verdicts are read at 10 and 17 seeds.",
        "Holm's method over 4 rows",
        "Equivalent: accuracy within ±0.50 points, loss within ×1.10, steps to 90 % within ×1.25,",
        "at most ×0.31 [0.23, 0.42]",
        "1 run gave no result. Each counts as no model at all",
        "- noise, seed 2: out of memory",
        "no failure in 10,",
    ] {
        assert!(table.contains(expected), "{expected:?} in\n{table}");
    }
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(145), "{widest:?} in\n{table}");
}

#[test]
fn what_cannot_be_decided_is_said() {
    let comparison = comparison(3);
    assert!(comparison.table().contains("undecided"));
    let protocol = comparison
        .protocol
        .clone()
        .with_looks(Looks::once(7).unwrap());
    let few = Comparison::init(&protocol, &comparison.recipes, &comparison.runs).unwrap();
    let method = few.method();
    let expected =
        "No difference can be shown: 7 seeds cannot show a difference in any of 4 rows; 8 can.";
    assert!(method.contains(expected), "{method}");
}

#[test]
fn why_no_number_of_seeds_decides_a_row_is_said() {
    let protocol = Protocol::new([QualityMetric::plain("R²", Better::Higher, 0.01)])
        .with_looks(Looks::at(vec![8, 14]).unwrap());
    let recipes = [
        Recipe::baseline("plain", ""),
        Recipe::variant("clip", "plain", ""),
    ];
    let run = |name: &str, seed: u64| match (name, seed) {
        ("plain", 3) => TrainingRun::failed(name, seed, "killed"),
        ("plain", _) => TrainingRun::new(name, seed).with_metric("R²", 0.1),
        _ => TrainingRun::new(name, seed).with_metric("R²", 0.9),
    };
    let runs = |last: u64| {
        let of = move |name: &'static str| (1..=last).map(move |seed| run(name, seed));
        ["plain", "clip"].into_iter().flat_map(of)
    };
    let line = |last: u64| {
        let runs: Vec<TrainingRun> = runs(last).collect();
        let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
        comparison.rows[0].summary()
    };
    let told = "R² undecided +0.800 [+0.800, +0.800]";
    assert_eq!(line(2), told);
    let reason = format!("{told} (a failed run, and no `no_model`), ");
    assert!(line(8).starts_with(&reason), "{}", line(8));
}

#[test]
fn markdown_has_as_many_cells_in_every_line() {
    let comparison = comparison(17);
    let markdown = comparison.markdown();
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!(lines.len(), 2 + 4);
    for line in &lines {
        let cells = line.replace("\\|", "").matches('|').count();
        assert_eq!(cells, 8, "{line}");
    }
    assert!(
        lines[5].starts_with("| `deep\\|cut` vs `deep` |"),
        "{}",
        lines[5]
    );
    assert!(
        lines[2].contains("×2.8 [2.8, 2.8]; **helps**"),
        "{}",
        lines[2]
    );
    let two = comparison.markdown_of(comparison.rows.iter().take(2));
    assert_eq!(two.lines().count(), 4);
}

#[test]
fn csv_has_a_line_for_each_question() {
    let comparison = comparison(17);
    let csv = comparison.csv();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1 + 4 * 5);
    let fields = lines[0].split(',').count();
    for line in &lines {
        assert_eq!(line.split(',').count(), fields, "{line}");
    }
    assert!(
        lines[1].starts_with("momentum,plain,accuracy,equivalent"),
        "{}",
        lines[1]
    );
    let speed: Vec<&str> = lines[3].split(',').collect();
    assert_eq!(speed[2..6], ["speed", "helps", "10", "ratio"]);
    let ratio: f64 = speed[6].parse().unwrap();
    assert!((1.0 / ratio - 2.8).abs() < 0.05, "{ratio}");
}

mod page;
