//! How many programs train as their healthy twins after a prescription.

use super::treatment::CarriedOut;
use super::verdict::{Share, Tally};

/// Counts programs that were trained again after a prescription. What a program counts as is said by most of its seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreatmentCounts {
    /// Programs that train as their twins in most seeds.
    pub with_twins: Share,
    /// Programs that do in most seeds after a prescription that was carried out without training the twin.
    pub cured: Share,
    /// Runs of which nothing was prescribed, or nothing that could be carried out.
    pub not_carried_out: Share,
    programs: [Share; 4],
    runs: [Share; 4],
}

impl TreatmentCounts {
    /// Counts a program: for each seed, how its prescription was carried out and whether it then trains as the twin, or `None`
    /// if it was not carried out. Returns the number of seeds that train as the twin.
    pub fn count(&mut self, seeds: &[Option<(CarriedOut, bool)>]) -> usize {
        let number = |is: &dyn Fn(CarriedOut, bool) -> bool| {
            let runs = seeds.iter().flatten();
            runs.filter(|(how, helps)| is(*how, *helps)).count()
        };
        let are_most = |number: usize| 2 * number > seeds.len();
        let helped = number(&|_, helps| helps);
        let without_twin = number(&|how, helps| helps && how != CarriedOut::ByHand);
        self.with_twins.count(are_most(helped));
        self.cured.count(are_most(without_twin));
        for way in CarriedOut::ALL {
            // A program is counted where most of its seeds are.
            if are_most(number(&|how, _| how == way)) {
                let helped = number(&|how, helps| helps && how == way);
                self.programs[way as usize].count(are_most(helped));
            }
        }
        for seed in seeds {
            match seed {
                Some((how, helps)) => self.runs[*how as usize].count(*helps),
                None => self.not_carried_out.count(false),
            }
        }
        helped
    }

    /// The programs whose prescription was carried out in this way in most seeds, and those of them that train as their twins
    /// in most seeds by it.
    pub fn programs(&self, way: CarriedOut) -> Share {
        self.programs[way as usize]
    }

    /// The runs whose prescription was carried out in this way, and those of them that train as their twins.
    pub fn runs(&self, way: CarriedOut) -> Share {
        self.runs[way as usize]
    }

    /// The measures that have floors. A text helps nobody by itself: runs after one count neither for nor against it.
    pub fn tally(&self) -> Tally {
        let [configured, rebuilt] =
            [CarriedOut::Configured, CarriedOut::Rebuilt].map(|way| self.runs(way));
        Tally {
            helped: self.not_carried_out + configured + rebuilt,
            cured: self.cured,
            ..Tally::default()
        }
    }
}
