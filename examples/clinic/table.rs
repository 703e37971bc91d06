//! What is printed.

use burn_tricks_examples::clinic::{Case, Half, Origin, Share, Tally, Verdict, cases};
use std::collections::BTreeMap;

/// A case over its seeds.
pub(crate) fn row(case: &Case, verdicts: &[Verdict]) {
    let share = |is: fn(&Verdict) -> bool| {
        let count = verdicts.iter().filter(|verdict| is(verdict)).count();
        format!("{count}/{}", verdicts.len())
    };
    let shown = share(|verdict| verdict.shown);
    let accused = share(|verdict| verdict.accused);
    let (named, located) = if case.is_healthy() {
        ("-".to_owned(), "-".to_owned())
    } else {
        let located = if case.expect.paths.is_empty() {
            "-".to_owned()
        } else {
            share(|verdict| verdict.located == Some(true))
        };
        (share(|verdict| verdict.named), located)
    };
    let ruled_out = share(|verdict| !verdict.ruled_out.is_empty());
    let mut said: BTreeMap<_, usize> = BTreeMap::new();
    for kind in verdicts.iter().flat_map(|verdict| &verdict.said) {
        *said.entry(*kind).or_default() += 1;
    }
    let said: Vec<String> = said
        .iter()
        .map(|(kind, count)| {
            let mark = match () {
                () if case.expect.is_cause(*kind) => "",
                () if case.expect.allows(*kind) => "~",
                () => "!",
            };
            format!("{mark}{kind} {count}")
        })
        .collect();
    println!(
        "{:38} {:7} seen {shown} accused {accused} named {named} located {located} ruled out {ruled_out}  {}",
        case.name,
        if case.is_healthy() {
            "healthy"
        } else {
            "faulty"
        },
        said.join(", ")
    );
}

/// The counts of each half, of the published programs in it, and of all.
pub(crate) fn tallies(verdicts: &[Verdict]) {
    let of: BTreeMap<&str, &Case> = cases().map(|case| (case.name, case)).collect();
    println!(
        "\n{:22} {:20} {:20} {:20} {:20} {:20} ruled out",
        "", "sensitivity", "cause named", "layer right", "specificity", "precision"
    );
    let line_of = |title: &str, wanted: &dyn Fn(&Case, &Verdict) -> bool| {
        let chosen = verdicts
            .iter()
            .filter(|verdict| wanted(of[verdict.case.as_str()], verdict));
        let tally = Tally::of(chosen);
        if tally == Tally::default() {
            return;
        }
        let Tally {
            sensitivity,
            named,
            located,
            specificity,
            precision,
            ruled_out,
            ..
        } = tally;
        let shares = [
            sensitivity,
            named,
            located,
            specificity,
            precision,
            ruled_out,
        ];
        let shares = shares.map(|share: Share| format!("{share:20}"));
        println!("{title:22} {}", shares.join(" "));
    };
    let line = |title: &str, wanted: &dyn Fn(&Case) -> bool| {
        line_of(title, &|case, _| wanted(case));
    };
    for (title, half) in [("fitting", Half::Fitting), ("report", Half::Report)] {
        line(title, &|case| case.half() == half);
        line(&format!("  {title}, published"), &|case| {
            case.half() == half && case.origin == Origin::Published
        });
    }
    line("  report, late", &|case| case.origin == Origin::Late);
    line("  report, unseen", &|case| case.origin == Origin::Unseen);
    // A program that trains in spite of its fault is hard to call faulty.
    line_of("    that show a fault", &|case, verdict| {
        case.origin == Origin::Unseen && (verdict.healthy || verdict.shown)
    });
    line("all", &|_| true);
    line("  all, published", &|case| case.origin == Origin::Published);
}
