//! Programs that were written after the rules of their time, and judged once by them; rules that came later may have
//! seen them. Their faults are the mutation operators that Humbatova et al. took from real faults (DeepCrime, ISSTA
//! 2021), and what Ivanov ("37 reasons why your neural network is not working", 2017), Karpathy ("A recipe for training
//! neural networks", 2019) and Holden ("My neural network isn't working! What should I do?", 2017) list as common
//! mistakes.

mod data;
mod healthy;
mod mistakes;
mod mutants;

use super::{Case, Origin, Series};

const MUTANTS: Series = Series {
    source: "made, after the operators of DeepCrime (Humbatova et al., ISSTA 2021)",
    origin: Origin::Late,
};

const MISTAKES: Series = Series {
    source: "made, after the lists of Ivanov (2017), Holden (2017) and Karpathy (2019)",
    origin: Origin::Late,
};

const SOUND: Series = Series {
    source: "made",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 3] = [mutants::CASES, mistakes::CASES, healthy::CASES];
