//! A case of the clinic: a training program, its story, and what a doctor should say of it.

use super::program::Program;
use super::run::Outcome;
use burn_tricks::diagnose::FindingKind;

/// Where a program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// People published it with its fault, or with the accusation that it has one.
    Published,
    /// A fault put into a program that works, or a program that works.
    Made,
    /// As [`Made`](Self::Made), and together with the rules of its kind: thresholds may be chosen by it.
    Fitted,
    /// As [`Made`](Self::Made), and after the rules of its time, which judged it once; rules that it has led to since then
    /// have seen it.
    Late,
    /// As [`Made`](Self::Made), and after the last change to a rule: no rule has seen it.
    Unseen,
}

/// What anybody sees of a program without a doctor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// The loss ends as what is not a number.
    NotANumber,
    /// The score on the training samples ends below this.
    Fails(f64),
    /// The training loss ends above this.
    LossAbove(f64),
    /// The score of the validation ends below this.
    ValidFails(f64),
    /// The loss of the validation ends above this, and above ten times that of the training.
    ValidLoss(f64),
    /// The score of the validation ends at this or above.
    Learns(f64),
}

impl Seen {
    /// Whether it is seen in `outcome`.
    pub fn is_in(self, outcome: &Outcome) -> bool {
        let last = outcome.result();
        match self {
            Self::NotANumber => !last.train_loss.is_finite(),
            Self::Fails(bound) => is_below(last.train_score, bound),
            Self::LossAbove(bound) => last.train_loss > bound,
            Self::ValidFails(bound) => is_below(last.valid_score, bound),
            Self::ValidLoss(bound) => last.valid_loss > bound.max(10.0 * last.train_loss),
            Self::Learns(bound) => last.valid_score >= bound,
        }
    }
}

/// Where a score that is not a number is below every bound.
fn is_below(score: f64, bound: f64) -> bool {
    score.is_nan() || score < bound
}

/// What a doctor should find.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// One of each of these sets must be named. Without a set the program is healthy.
    pub causes: &'static [&'static [FindingKind]],
    /// May be named besides.
    pub fair: &'static [FindingKind],
    /// What the evidence rules out.
    pub not: &'static [FindingKind],
    /// The layer at fault: paths may begin with any of these. Empty where the fault is in no layer.
    pub paths: &'static [&'static str],
}

impl Expect {
    /// Nothing wrong.
    pub const HEALTHY: Self = Self {
        causes: &[],
        fair: &[],
        not: &[],
        paths: &[],
    };
}

/// A program of the clinic.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// In kebab case.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub story: &'static str,
    /// Who reported it.
    pub source: &'static str,
    /// Where it comes from.
    pub origin: Origin,
    /// What is seen of it.
    pub seen: Seen,
    /// The program, with the data of this seed.
    pub program: fn(seed: u64) -> Program,
    /// What a doctor should find.
    pub expect: Expect,
    /// The same without the fault.
    pub twin: Option<fn(seed: u64) -> Program>,
}

/// A set of programs with one origin and one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    /// Who reported them.
    pub(super) source: &'static str,
    /// Where they come from.
    pub(super) origin: Origin,
}

impl Series {
    /// A program of the set, of which one of each of `causes` should be named.
    pub(super) const fn case(
        self,
        name: &'static str,
        story: &'static str,
        seen: Seen,
        causes: &'static [&'static [FindingKind]],
        fair: &'static [FindingKind],
        program: fn(seed: u64) -> Program,
    ) -> Case {
        Case {
            name,
            story,
            source: self.source,
            origin: self.origin,
            seen,
            program,
            expect: Expect {
                causes,
                fair,
                not: &[],
                paths: &[],
            },
            twin: None,
        }
    }
}

impl Case {
    /// With the same program without the fault.
    pub(super) const fn against(self, twin: fn(seed: u64) -> Program) -> Self {
        Self {
            twin: Some(twin),
            ..self
        }
    }
}

/// Which half of the clinic a case is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Thresholds may be chosen by it.
    Fitting,
    /// Only reported on.
    Report,
}

impl Case {
    /// Whether nothing is wrong with it.
    pub fn is_healthy(&self) -> bool {
        self.expect.causes.is_empty()
    }

    /// Its healthy twin, as a case.
    pub fn healed(&self) -> Option<Self> {
        self.twin.map(|program| Self {
            origin: Origin::Made,
            seen: Seen::Learns(f64::NEG_INFINITY),
            program,
            expect: Expect::HEALTHY,
            twin: None,
            ..*self
        })
    }

    /// By a hash of the name (FNV-1a), so that nobody chooses. Of the published programs a third, by the
    /// same hash, is kept for the report.
    pub fn half(&self) -> Half {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = self.name.bytes().fold(0x811c_9dc5, step);
        // The lowest bits of this hash mix badly.
        let hash = hash >> 8;
        let reported = match self.origin {
            Origin::Published => hash.is_multiple_of(3),
            Origin::Made => hash.is_multiple_of(2),
            Origin::Fitted => false,
            Origin::Late | Origin::Unseen => true,
        };
        if reported {
            Half::Report
        } else {
            Half::Fitting
        }
    }
}

impl Expect {
    /// Whether this names a cause.
    pub fn is_cause(&self, kind: FindingKind) -> bool {
        self.causes.iter().any(|set| set.contains(&kind))
    }

    /// Whether this is a cause, a fair warning, or a symptom that faulty programs show whatever their cause.
    pub fn allows(&self, kind: FindingKind) -> bool {
        let is_symptom = kind == FindingKind::ConstantOutput && !self.causes.is_empty();
        self.is_cause(kind) || self.fair.contains(&kind) || is_symptom
    }
}
