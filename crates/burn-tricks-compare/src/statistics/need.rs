//! How many seeds an undecided row would need.

use crate::statistics::student::normal_upper_quantile;

/// Above this many seeds, the number is not worth telling.
const MANY: f64 = 1000.0;

/// The seeds with which a difference would be shown in four of five comparisons, if the true mean and
/// spread are those seen, at the two-sided level `level`. `None` above 1,000.
///
/// The usual normal formula, with Guenther's correction z² / 2 for Student's t.
pub(crate) fn for_a_difference(mean: f64, sd: f64, level: f64) -> Option<usize> {
    let z = normal_upper_quantile(level / 2.0);
    seeds(z + normal_upper_quantile(0.2), sd / mean.abs(), z * z / 2.0)
}

/// The seeds with which the two would be shown to be equivalent within `margin` in four of five
/// comparisons, at the level `level` of each side. `None` above 1,000 or if the mean seen is
/// not within the margin.
pub(crate) fn for_equivalence(mean: f64, sd: f64, margin: f64, level: f64) -> Option<usize> {
    let room = margin - mean.abs();
    if room <= 0.0 {
        return None;
    }
    let z = normal_upper_quantile(level);
    seeds(z + normal_upper_quantile(0.1), sd / room, z * z / 2.0)
}

fn seeds(quantiles: f64, sd_per_effect: f64, correction: f64) -> Option<usize> {
    let seeds = ((quantiles * sd_per_effect).powi(2) + correction).ceil();
    // False for NaN, as from a mean and a spread of zero.
    (seeds <= MANY).then_some(seeds as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_those_of_the_formula_computed_by_scipy() {
        // 40 rows of which 25 are rejected, three looks.
        let level = 0.05 / (15.0 * 3.0);
        for (mean, sd, difference, equivalence) in [
            (0.0023, 0.0062, Some(128), Some(105)),
            (-0.0036, 0.0086, Some(102), Some(716)),
            (0.0135, 0.0076, Some(11), None),
            (0.0001, 0.0076, None, Some(50)),
        ] {
            assert_eq!(for_a_difference(mean, sd, level), difference, "{mean}");
            let seeds = for_equivalence(mean, sd, 0.005, level);
            assert_eq!(seeds, equivalence, "{mean}");
        }
        assert_eq!(for_a_difference(0.0, 0.0, level), None);
        assert_eq!(for_a_difference(0.0, 0.1, level), None);
        assert_eq!(for_equivalence(0.005, 0.1, 0.005, level), None);
    }
}
