//! The sign-flip permutation test of paired differences.
//!
//! If variant and baseline do not differ, the two runs of a pair are exchangeable, and a difference is
//! as likely to be `-d` as `d`, whatever its distribution. The p-value is the share of the 2ⁿ choices
//! of signs ε whose sum Σ ε·d is as far out as the observed one.
//!
//! Up to 40 differences it is exact: the sums of each half are listed in order, and the pairs of
//! sums that reach the bound are counted with two pointers. Above, 99,999 random choices of a fixed
//! seed stand for all, and the observed choice is counted with them: Phipson & Smyth, 2010,
//! Permutation P-values Should Never Be Zero, Stat. Appl. Genet. Mol. Biol. 9:39.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Up to this many differences that are not zero, every choice of signs is counted.
const EXACT: usize = 40;
/// The random choices of signs for more.
const DRAWS: u64 = 99_999;
/// The seed of these.
const SEED: u64 = 0x5167_F119;
/// Sums closer than this share of Σ|d| count as equal: far above the rounding of the sums, and far
/// below a difference of one sample.
const ROUNDING: f64 = 1e-12;

/// Two-sided: the share of the sign choices with |Σ ε·d| ≥ |Σ d|. It is 1 for no differences, and NaN
/// if one is not finite.
pub fn sign_flip_p(differences: &[f64]) -> f64 {
    let sum: f64 = differences.iter().sum();
    if sum.is_finite() && sum.abs() <= tolerance(differences) {
        return 1.0;
    }
    // The sums are symmetric about zero.
    match differences.len() {
        n if n > EXACT => one_sided(differences, sum.abs(), Tails::Both),
        _ => 2.0 * one_sided(differences, sum.abs(), Tails::Upper),
    }
}

/// One-sided: the share of the sign choices with Σ ε·d ≥ Σ d. It is 1 for no differences, and NaN if
/// one is not finite.
pub fn sign_flip_p_greater(differences: &[f64]) -> f64 {
    one_sided(differences, differences.iter().sum(), Tails::Upper)
}

#[derive(Clone, Copy, PartialEq)]
enum Tails {
    Upper,
    Both,
}

fn tolerance(differences: &[f64]) -> f64 {
    ROUNDING * differences.iter().map(|d| d.abs()).sum::<f64>()
}

/// The share of the sign choices whose sum is at least `observed`, or with both tails at least that
/// far from zero.
fn one_sided(differences: &[f64], observed: f64, tails: Tails) -> f64 {
    if !observed.is_finite() {
        return f64::NAN;
    }
    let bound = observed - tolerance(differences);
    // The sign of a zero changes nothing.
    let sizes = differences.iter().map(|d| d.abs()).filter(|d| *d > 0.0);
    let sizes: Vec<f64> = sizes.collect();
    if sizes.len() > EXACT {
        return drawn(&sizes, bound, tails);
    }
    let (first, second) = sizes.split_at(sizes.len() / 2);
    let count = pairs_reaching(&sorted_sums(first), &sorted_sums(second), bound);
    let both = match tails {
        Tails::Upper => count as f64,
        Tails::Both => 2.0 * count as f64,
    };
    both / 2.0_f64.powi(sizes.len() as i32)
}

/// The sums of all choices of signs, ascending. Each size doubles the list: all less it, merged with
/// all plus it.
fn sorted_sums(sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for size in sizes {
        let length = sums.len();
        let mut merged = Vec::with_capacity(2 * length);
        let (mut low, mut high) = (0, 0);
        // Without branches that depend on the sums, which no processor can predict. The largest sum plus
        // the size is above all others, so the list of those less it ends first.
        while low < length {
            let (below, above) = (sums[low] - size, sums[high] + size);
            let is_below = below <= above;
            merged.push(if is_below { below } else { above });
            low += usize::from(is_below);
            high += usize::from(!is_below);
        }
        merged.extend(sums[high..].iter().map(|sum| sum + size));
        sums = merged;
    }
    sums
}

/// The number of pairs, one of each ascending list, whose sum is at least `bound`.
fn pairs_reaching(first: &[f64], second: &[f64], bound: f64) -> u64 {
    let (mut at, mut start) = (0, second.len());
    let mut count = 0;
    while at < first.len() && start > 0 {
        let reaches = first[at] + second[start - 1] >= bound;
        // All from `start` on reach the bound with this one.
        count += u64::from(!reaches) * (second.len() - start) as u64;
        start -= usize::from(reaches);
        at += usize::from(!reaches);
    }
    // Those left reach it with all.
    count + ((first.len() - at) * second.len()) as u64
}

/// As the share of all choices, from random ones.
fn drawn(sizes: &[f64], bound: f64, tails: Tails) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut count = 0;
    for _ in 0..DRAWS {
        let mut sum = 0.0;
        for chunk in sizes.chunks(64) {
            let mut signs = random.next_u64();
            for size in chunk {
                sum += if signs & 1 == 0 { *size } else { -size };
                signs >>= 1;
            }
        }
        let reach = match tails {
            Tails::Upper => sum,
            Tails::Both => f64::abs(sum),
        };
        count += u64::from(reach >= bound);
    }
    (1 + count) as f64 / (1 + DRAWS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By trying every choice, one by one.
    fn tried(differences: &[f64]) -> (f64, f64) {
        let sum: f64 = differences.iter().sum();
        let rounding = tolerance(differences);
        let (mut two_sided, mut greater) = (0, 0);
        for choice in 0..1_u32 << differences.len() {
            let of = |(at, d): (usize, &f64)| if choice >> at & 1 == 0 { *d } else { -d };
            let flipped: f64 = differences.iter().enumerate().map(of).sum();
            two_sided += u32::from(flipped.abs() >= sum.abs() - rounding);
            greater += u32::from(flipped >= sum - rounding);
        }
        let all = f64::from(1_u32 << differences.len());
        (f64::from(two_sided) / all, f64::from(greater) / all)
    }

    #[test]
    fn it_is_the_count_over_every_choice() {
        let cases: [&[f64]; 6] = [
            &[0.3],
            &[0.1, -0.1],
            &[0.5, 0.25, -0.125, 0.0, 1.0, 2.0, -0.75],
            &[0.01, 0.01, 0.01, -0.01],
            &[-3.0, -2.0, -2.0, 1.0, -4.0, -1.0, -1.0, -2.5],
            &[0.1, 0.2, 0.30000000000000004, -0.1, 0.1, 0.1, 0.7],
        ];
        for case in cases {
            let (two_sided, greater) = tried(case);
            assert_eq!(sign_flip_p(case), two_sided, "{case:?}");
            assert_eq!(sign_flip_p_greater(case), greater, "{case:?}");
        }
        assert_eq!(sign_flip_p(&[]), 1.0);
        assert_eq!(sign_flip_p_greater(&[]), 1.0);
        assert!(sign_flip_p(&[f64::NAN, 1.0]).is_nan());
        assert!(sign_flip_p_greater(&[1.0, f64::INFINITY]).is_nan());
    }

    #[test]
    fn smallest_p_is_two_in_all_choices() {
        for n in 3..=40 {
            let differences: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(sign_flip_p(&differences), 2.0_f64.powi(1 - n), "{n}");
        }
    }

    #[test]
    fn zeros_change_nothing() {
        let with = [2.0, 0.0, 1.0, 0.0, 4.0, -1.0, 0.0];
        assert_eq!(sign_flip_p(&with), sign_flip_p(&[2.0, 1.0, 4.0, -1.0]));
        let many: Vec<f64> = with.iter().copied().chain([0.0; 60]).collect();
        assert_eq!(sign_flip_p_greater(&many), sign_flip_p_greater(&with));
    }

    #[test]
    fn above_forty_the_draws_are_near_the_normal_tail_and_never_zero() {
        // 29 of +1 and 13 of -1: the exact two-sided tail of Bin(42, 1/2), scipy.stats.binomtest.
        let ones: Vec<f64> = (0..42).map(|at| if at < 29 { 1.0 } else { -1.0 }).collect();
        let p = sign_flip_p(&ones);
        assert!((p - 0.019_520_472_8).abs() < 0.002, "{p}");
        let greater = sign_flip_p_greater(&ones);
        assert!((greater - 0.009_760_236_4).abs() < 0.001, "{greater}");
        assert_eq!(sign_flip_p(&[1.0; 41]), 1.0 / 100_000.0);
        assert_eq!(p, sign_flip_p(&ones), "the draws are the same again");
    }
}
