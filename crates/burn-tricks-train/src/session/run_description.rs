//! The configuration of a run, recorded with each checkpoint and compared when the run is resumed.

use crate::session::session_error::SessionError;
use burn_tricks_checkpoint::Change;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the optimizer keeps: compared, not recorded here.
pub(crate) const OPTIMIZER_STATE: &str = "optimizer state";

/// Where the schedule is: compared, not recorded here.
pub(crate) const SCHEDULE_POSITION: &str = "schedule position";

/// The kind of the parts that are tricks.
pub(crate) const TRICK: &str = "trick";

/// Whether this is the name of a trick, as [`Setup::number`] makes it.
pub(crate) fn is_trick(name: &str) -> bool {
    let number = name
        .strip_prefix(TRICK)
        .and_then(|rest| rest.strip_prefix(' '));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

/// The parts of a run by their names. The text of a part differs if the part differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup(BTreeMap<String, String>);

impl Setup {
    /// Adds a part, in the place of one of the same name.
    pub(crate) fn set(&mut self, name: impl Into<String>, part: String) {
        self.0.insert(name.into(), part);
    }

    /// Adds several parts of one kind, numbered from 1.
    pub(crate) fn number(&mut self, kind: &str, parts: impl IntoIterator<Item = String>) {
        for (at, part) in parts.into_iter().enumerate() {
            self.set(format!("{kind} {}", at + 1), part);
        }
    }

    /// Adds all parts of another.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (name, part) in &other.0 {
            self.set(name, part.clone());
        }
    }

    /// That what is declared has no name under which the session records something of its own.
    pub(crate) fn apart_from(&self, seen: &Self) -> Result<(), SessionError> {
        let compared = [OPTIMIZER_STATE, SCHEDULE_POSITION];
        let taken =
            |name: &&String| seen.0.contains_key(*name) || compared.contains(&name.as_str());
        match self.0.keys().find(taken) {
            None => Ok(()),
            Some(name) => Err(SessionError::DeclaredNameTaken { name: name.clone() }),
        }
    }

    /// In what `present` differs from this one, which was recorded.
    pub(crate) fn changes_to(&self, present: &Self) -> Vec<Change> {
        let mut both = self.clone();
        both.extend(present);
        let change = |name: &String| {
            let (recorded, present) = (self.0.get(name), present.0.get(name));
            (recorded != present).then(|| Change::new(name, recorded.cloned(), present.cloned()))
        };
        both.0.keys().filter_map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(parts: &[(&str, &str)]) -> Setup {
        let mut setup = Setup::default();
        for (name, part) in parts {
            setup.set(*name, (*part).to_owned());
        }
        setup
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let recorded = setup(&[
            ("loader", r#"{"batch_size":32,"seed":1}"#),
            ("optimizer", "Adam"),
            ("same", "1.5"),
            ("gone", "x"),
        ]);
        let present = setup(&[
            ("loader", r#"{"batch_size":64,"seed":1,"drop_last":true}"#),
            ("optimizer", "Sgd"),
            ("same", "1.5"),
            ("new", "y"),
        ]);
        assert_eq!(recorded.changes_to(&recorded), []);
        let changes = recorded.changes_to(&present);
        let texts: Vec<_> = changes.iter().map(Change::to_string).collect();
        assert_eq!(
            texts,
            [
                "gone: recorded x, now absent",
                "loader: `batch_size` recorded 32, now 64, `drop_last` recorded absent, now true",
                "new: not recorded, now y",
                "optimizer: recorded Adam, now Sgd",
            ]
        );
    }
}
