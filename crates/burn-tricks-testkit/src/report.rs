//! The result of checking a set of laws.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// The law, as a sentence about the subject: "resumes after every step".
    pub law: &'static str,
    /// What was observed instead.
    pub seen: String,
}

/// Which laws were checked, and which of them do not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a report that nobody reads proves nothing: call `assert`"]
pub struct Report {
    subject: String,
    checked: Vec<&'static str>,
    broken: Vec<Broken>,
}

impl Report {
    pub(crate) fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            checked: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Checks one law. A panic is a law that does not hold.
    pub(crate) fn check(&mut self, law: &'static str, check: impl FnOnce() -> Result<(), String>) {
        let outcome = catch_unwind(AssertUnwindSafe(check));
        let outcome =
            outcome.unwrap_or_else(|panic| Err(format!("it panicked: {}", said(&*panic))));
        self.checked.push(law);
        if let Err(seen) = outcome {
            self.broken.push(Broken { law, seen });
        }
    }

    /// The name of the checked object.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The laws that were checked, in their order.
    pub fn checked(&self) -> &[&'static str] {
        &self.checked
    }

    /// The laws that do not hold.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// Panics if a law does not hold. The message lists each broken law and what was observed instead.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.broken.is_empty(), "{self}");
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            subject,
            checked,
            broken,
        } = self;
        if broken.is_empty() {
            return write!(f, "{subject}: all {} laws hold", checked.len());
        }
        write!(
            f,
            "{subject}: {} of {} laws do not hold",
            broken.len(),
            checked.len()
        )?;
        for Broken { law, seen } in broken {
            write!(f, "\n- {subject} {law}: no, {seen}")?;
        }
        Ok(())
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

/// Whether two runs gave the same numbers, to the last bit.
pub(crate) fn same(what: &str, got: &[f64], expected: &[f64]) -> Result<(), String> {
    let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    if bits(got) == bits(expected) {
        Ok(())
    } else {
        Err(format!("{what}: {got:?} instead of {expected:?}"))
    }
}
