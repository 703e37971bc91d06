//! Which runs are wanted next.

use std::collections::BTreeSet;

use burn_tricks_compare::{Comparison, Looks, Plan, Recipe, Shard, TrainingRun};

use crate::{effect, protocol, recipes, run};

fn plan(runs: &[TrainingRun]) -> Plan {
    Plan::init(&protocol(), &recipes(), runs).unwrap()
}

fn make(plan: &Plan) -> Vec<TrainingRun> {
    let made = |wanted: &burn_tricks_compare::PlannedRun| {
        run(&wanted.variant, wanted.seed, effect(&wanted.variant))
    };
    plan.wanted.iter().map(made).collect()
}

/// The runs of a whole comparison, with the number of runs wanted at each look.
fn to_the_end() -> (Vec<TrainingRun>, Vec<usize>) {
    let (mut runs, mut wanted) = (Vec::new(), Vec::new());
    loop {
        let plan = plan(&runs);
        if plan.wanted.is_empty() {
            return (runs, wanted);
        }
        wanted.push(plan.wanted.len());
        runs.extend(make(&plan));
    }
}

#[test]
fn rows_stop_once_they_are_answered_and_their_baseline_goes_on_with_the_open_ones() {
    let first = plan(&[]);
    assert_eq!((first.look, first.wanted.len()), (10, 4 * 10));
    assert_eq!(first.open, ["better", "alike", "noisy"]);
    // Seed by seed, in the order of the recipes.
    let of_first_seeds: Vec<_> = first.wanted[..5]
        .iter()
        .map(|run| (&*run.variant, run.seed))
        .collect();
    let expected = [
        ("plain", 1),
        ("better", 1),
        ("alike", 1),
        ("noisy", 1),
        ("plain", 2),
    ];
    assert_eq!(of_first_seeds, expected);

    let runs = make(&first);
    let second = plan(&runs);
    assert_eq!(second.look, 17);
    assert!(
        !second.open.contains(&"better".to_owned()),
        "{:?}",
        second.open
    );
    assert!(second.open.contains(&"noisy".to_owned()));
    let wanted: BTreeSet<&str> = second.wanted.iter().map(|run| &*run.variant).collect();
    let mut expected: BTreeSet<&str> = second.open.iter().map(|name| &**name).collect();
    expected.insert("plain");
    assert_eq!(wanted, expected);
    assert!(
        second
            .wanted
            .iter()
            .all(|run| (11..=17).contains(&run.seed))
    );

    let (all, wanted) = to_the_end();
    assert_eq!(wanted.len(), 3);
    assert!(all.len() < 4 * 29);
    let comparison = Comparison::init(&protocol(), &recipes(), &all).unwrap();
    assert!(comparison.is_finished());
    assert_eq!(comparison.row("noisy").unwrap().looks, 3);
}

#[test]
fn what_is_wanted_follows_from_the_runs_that_are_there_whatever_their_order() {
    let (all, _) = to_the_end();
    let whole = Comparison::init(&protocol(), &recipes(), &all).unwrap();
    for stop in (0..all.len() / 3).step_by(2) {
        // Killed somewhere, with runs of several workers half done.
        let mut runs: Vec<TrainingRun> = all[..stop * 3].to_vec();
        if let Some(at) = runs.len().checked_sub(7) {
            runs.remove(at);
        }
        runs.rotate_left(stop % 5);
        let mut plan = plan(&runs);
        while !plan.wanted.is_empty() {
            runs.extend(make(&plan));
            plan = self::plan(&runs);
        }
        let again = Comparison::init(&protocol(), &recipes(), &runs).unwrap();
        assert!(again == whole, "killed after {} runs", stop * 3);
    }
}

#[test]
fn a_verdict_is_never_taken_back() {
    // Every row at every look, whether or not it would have stopped.
    let (all, _) = to_the_end();
    let mut shown: Vec<Vec<bool>> = Vec::new();
    for runs in (0..=all.len())
        .rev()
        .step_by(3)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let comparison = Comparison::init(&protocol(), &recipes(), &all[..runs]).unwrap();
        let decided: Vec<bool> = comparison
            .rows
            .iter()
            .flat_map(|row| {
                row.quality
                    .iter()
                    .chain(row.speed.iter().map(|s| &s.answer))
            })
            .map(|answer| answer.verdict.is_some_and(|verdict| verdict.is_decided()))
            .collect();
        if let Some(before) = shown.last() {
            for (before, now) in before.iter().zip(&decided) {
                assert!(!before || *now, "after {runs} runs");
            }
        }
        shown.push(decided);
    }
    assert!(shown.last().unwrap().iter().filter(|shown| **shown).count() >= 6);
}

#[test]
fn a_failed_run_is_not_made_again_and_a_recipe_alone_runs_for_the_first_look() {
    let mut runs = make(&plan(&[]));
    runs[6] = TrainingRun::failed("alike", 2, "killed");
    assert!(plan(&runs).wanted.iter().all(|run| run.seed > 10));

    let alone = [Recipe::baseline("plain", "")];
    let looks = Looks::at(vec![3, 5]).unwrap();
    let plan = Plan::init(&protocol().with_looks(looks), &alone, &[]).unwrap();
    assert_eq!(plan.wanted.len(), 3);
    let runs: Vec<TrainingRun> = (1..=3)
        .map(|seed| run("plain", seed, crate::NONE))
        .collect();
    let looks = Looks::at(vec![3, 5]).unwrap();
    let plan = Plan::init(&protocol().with_looks(looks), &alone, &runs).unwrap();
    assert_eq!(plan.wanted, []);
}

#[test]
fn a_short_budget_goes_to_the_rows_that_need_least() {
    // At five seeds nothing can be decided.
    let protocol = protocol().with_looks(Looks::at(vec![5, 20]).unwrap());
    let plan = |runs: &[TrainingRun]| Plan::init(&protocol, &recipes(), runs).unwrap();
    let runs = make(&plan(&[]));
    let comparison = Comparison::init(&protocol, &recipes(), &runs).unwrap();
    let whole = plan(&runs);
    assert_eq!(whole.open, ["better", "alike", "noisy"]);
    let short = whole.clone().within(35, &comparison);
    assert_eq!(short.open.len(), 1);
    assert_eq!(
        short.wanted.len(),
        30,
        "15 seeds of the row and of its baseline"
    );
    let need = |name: &str| {
        let row = comparison.row(name).unwrap();
        let answers = row
            .quality
            .iter()
            .chain(row.speed.iter().map(|speed| &speed.answer));
        answers
            .filter_map(|answer| answer.need)
            .min()
            .unwrap_or(usize::MAX)
    };
    for other in &whole.open {
        assert!(need(&short.open[0]) <= need(other), "{other}");
    }
    assert_eq!(whole.clone().within(1000, &comparison), whole);
}

#[test]
fn shards_share_the_runs_of_a_look_and_know_their_own_when_started_again() {
    let whole = plan(&[]);
    let shard = |index| Shard::init(index, 3).unwrap();
    let of = |plan: &Plan, index| -> Vec<_> {
        let held = plan.wanted.iter().filter(|run| shard(index).holds(run));
        held.cloned().collect()
    };
    let parts: Vec<_> = (1..=3).map(|index| of(&whole, index)).collect();
    assert_eq!(parts.concat(), whole.wanted);
    assert!(parts.iter().all(|part| (13..=14).contains(&part.len())));
    // The second shard is killed with five runs done.
    let done: Vec<TrainingRun> = make(&whole)[14..19].to_vec();
    let rest = of(&plan(&done), 2);
    assert_eq!(rest, parts[1][5..]);
    // After the merge, the next look is shared in the same way.
    let next = plan(&make(&whole));
    let parts: Vec<_> = (1..=3).map(|index| of(&next, index)).collect();
    assert_eq!(parts.concat(), next.wanted);
}
