//! Sound programs at random.

use crate::{Options, demand};
use burn_tricks::diagnose::{Diagnosis, Finding, History, Severity};
use burn_tricks_examples::clinic::{Judged, RandomProgram, Share, Tally, examine};
use std::collections::BTreeMap;
use std::path::Path;

/// Examines those that are sound of `count` programs, and prints the accused ones and the counts.
pub(crate) fn examine_all(count: u64, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let (mut accused, mut sound) = (0, 0);
    let mut by_kind: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seed in options.seeds_from..options.seeds_from + count {
        let random = RandomProgram::new(seed);
        let (judged, diagnosis) = examined(&random, seed, options.store.as_deref())?;
        let serious = |finding: &&Finding| finding.severity >= Severity::Warning;
        let said: Vec<&Finding> = diagnosis.findings.iter().filter(serious).collect();
        let verdict = match (judged.is_sound(), said.is_empty()) {
            (false, _) => "not as good as it can be",
            (true, true) => "sound",
            (true, false) => "sound, accused",
        };
        let Judged {
            score, reference, ..
        } = judged;
        let best = random
            .best
            .map_or_else(String::new, |best| format!(", rule {best:.3}"));
        println!(
            "{seed:6} {verdict}: score {score:.3}, reference {reference:.3}{best}; {}",
            random.text
        );
        if options.show {
            println!("{diagnosis}");
        }
        if !judged.is_sound() {
            continue;
        }
        sound += 1;
        accused += usize::from(!said.is_empty());
        for finding in said {
            println!(
                "       {:?}, {}: {}",
                finding.severity, finding.kind, finding.text
            );
            by_kind
                .entry(finding.kind.to_string())
                .or_default()
                .push(seed);
        }
    }
    println!("\n{count} programs, {sound} of them sound, {accused} of these accused");
    for (kind, seeds) in by_kind {
        println!("{kind}: seeds {seeds:?}");
    }
    let specificity = Share {
        of: sound - accused,
        all: sound,
    };
    demand(
        &options.require,
        &Tally {
            specificity,
            ..Tally::default()
        },
    )
}

/// What a program has reached, and the diagnosis of its training: stored in `store`, or new.
fn examined(
    random: &RandomProgram,
    seed: u64,
    store: Option<&Path>,
) -> Result<(Judged, Diagnosis), Box<dyn std::error::Error>> {
    let path = store.map(|store| store.join(format!("random-{seed}.json")));
    if let Some(path) = path.as_ref().filter(|path| path.exists()) {
        let (score, reference, history): (f64, f64, History) =
            serde_json::from_slice(&std::fs::read(path)?)?;
        return Ok((
            Judged {
                score,
                reference,
                constant: random.constant(),
            },
            Diagnosis::from_history(history),
        ));
    }
    let examined = examine(&random.program, seed);
    let judged = random.judge(&examined.outcome, seed);
    if let Some(path) = path {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let Judged {
            score, reference, ..
        } = judged;
        std::fs::write(
            path,
            serde_json::to_vec(&(score, reference, &examined.diagnosis.history))?,
        )?;
    }
    Ok((judged, examined.diagnosis))
}
