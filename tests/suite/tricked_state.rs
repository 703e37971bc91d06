//! The state of tricks: saved, loaded, refused.

use crate::models::{Net, alone};
use crate::tricked::{Own, clip, ema};
use burn::module::Module;
use burn::tensor::Device;
use burn_tricks::average::{Ema, EmaSet, LawaConfig};
use burn_tricks::prelude::*;
use burn_tricks::train::{GradNorm, StateError, StepContext, Trick, UpdateRatio};

/// A trick of one's own: counts steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) u64);

impl<M: Module> Trick<M> for Counts {
    fn after(&mut self, model: M, _: &StepContext) -> M {
        self.0 += 1;
        model
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.0.to_le_bytes().to_vec())
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let bytes = state.try_into().map_err(|_| "eight bytes were expected")?;
        self.0 = u64::from_le_bytes(bytes);
        Ok(())
    }
}

pub(crate) type Tricks = Box<dyn Trick<Own>>;

type MakeTricks = fn() -> Tricks;

/// Every trick with a state, and tuples of all lengths.
fn with_state() -> Vec<(&'static str, MakeTricks)> {
    fn warm() -> Ema<Own> {
        let config = EmaConfig::new(0.5).with_update_every(2).with_start_after(1);
        config.init(&Own::new()).unwrap()
    }
    vec![
        ("Ema", || Box::new(warm())),
        ("Swa", || {
            Box::new(SwaConfig::new(2).init(&Own::new()).unwrap())
        }),
        ("Lawa", || {
            Box::new(LawaConfig::new(2, 2).init(&Own::new()).unwrap())
        }),
        ("EmaSet", || {
            let configs = [EmaConfig::new(0.5), EmaConfig::new(0.9)];
            Box::new(EmaSet::init(&configs, &Own::new()).unwrap())
        }),
        ("own", || Box::new(Counts(0))),
        ("1", || Box::new((warm(),))),
        ("2", || Box::new((clip(), warm()))),
        ("3", || Box::new((warm(), clip(), Counts(0)))),
        ("4", || Box::new(((), warm(), clip(), Counts(0)))),
        ("5", || Box::new(((), warm(), clip(), Counts(0), warm()))),
        ("6", || {
            let (norm, ratio) = (GradNorm::new(), UpdateRatio::new());
            Box::new((norm, warm(), clip(), Counts(0), (ratio, warm()), ()))
        }),
    ]
}

fn take_steps(tricks: &mut Tricks, steps: std::ops::Range<usize>) {
    for step in steps {
        let value = (step as f64 * 1.7).sin();
        tricks.after(Own::new().plus(value), &StepContext::new(1, 0.1));
    }
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_been() {
    for (name, make) in with_state() {
        let mut whole = make();
        take_steps(&mut whole, 0..7);
        let expected = whole.state().unwrap();
        let value = |tricks: &Tricks| tricks.validated(&Own::new()).map(|own| own.value());
        for at in 0..7 {
            let mut saved = make();
            take_steps(&mut saved, 0..at);
            let mut loaded = make();
            take_steps(&mut loaded, 3..4); // what it was does not matter
            loaded.load_state(&saved.state().unwrap()).unwrap();
            assert_eq!(value(&loaded), value(&saved), "{name} at {at}");
            take_steps(&mut loaded, at..7);
            assert_eq!(value(&loaded), value(&whole), "{name} at {at}");
            // Records name parameters, which differ from run to run, so the numbers are compared.
            assert_eq!(loaded.state().unwrap().len(), expected.len(), "{name}");
        }
    }
}

#[test]
fn a_state_of_other_tricks_is_refused() {
    let _alone = alone();
    let refused = |mut tricks: Tricks, state: Tricks, text: &str| {
        let state = state.state().unwrap_or_default();
        let error = tricks.load_state(&state).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    let average = || ema(0.9, &Own::new());
    let clips = || Box::new((clip(), clip(), clip()));
    refused(
        Box::new((clip(), average())),
        clips(),
        "the state is that of 3 tricks, and there are 2",
    );
    refused(
        Box::new((clip(), clip(), clip(), clip())),
        clips(),
        "the state is that of 3 tricks, and there are 4",
    );
    refused(Box::new(clip()), Box::new(average()), "has no state");
    refused(Box::new((clip(),)), Box::new((average(),)), "has no state");
    // Saved without an average, and resumed with one: it would begin again silently.
    refused(
        Box::new((clip(), average())),
        Box::new((clip(), clip())),
        "no state was saved for this trick",
    );
    let swa = SwaConfig::new(2).init(&Own::new()).unwrap();
    refused(Box::new(swa), Box::new(average()), "not the state of `Swa`");
    let set = |count| {
        let configs = vec![EmaConfig::new(0.5); count];
        Box::new(EmaSet::init(&configs, &Own::new()).unwrap())
    };
    refused(set(2), set(3), "3 tricks, and there are 2");
    refused(Box::new(Counts(0)), Box::new(average()), "eight bytes");
    let garbage = |mut tricks: Tricks| tricks.load_state(b"garbage").unwrap_err();
    assert!(matches!(
        garbage(Box::new((clip(),))),
        StateError::Unreadable(_)
    ));
    let other = ema(0.9, &Net::new(0.0, &Device::flex()));
    let mut average = average();
    let state = Trick::<Net>::state(&other).unwrap();
    assert!(matches!(
        average.load_state(&state),
        Err(StateError::Record(_))
    ));
}
