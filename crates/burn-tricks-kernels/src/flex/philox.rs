//! The counter-based generator Philox4x32-10 of Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3*,
//! 2011.
//!
//! It is written here because the crates that have it (`philox`, `urng`, `ferray-random`) give a generator with a state, one
//! block after the other. Here many blocks are computed side by side in vector registers, from any counter. Left out is all
//! that the kernels do not need: a generator with a state, Rust's traits of generators, and the upper half of the counter of
//! 128 bits, which is always 0.

/// How many blocks are computed side by side, in vector registers.
const LANES: usize = 32;
/// Blocks that are computed together.
const BLOCKS: usize = GROUP / 4;
/// Numbers that are computed together.
pub(super) const GROUP: usize = 256;

const ROUNDS: usize = 10;
const FACTORS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// What the two words of the key grow by from round to round.
const STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The numbers `256 group`, ..., `256 group + 255` of the stream of this key.
///
/// A block has four numbers. In a group the first 64 numbers are the first ones of its 64 blocks, the next 64 the second
/// ones, and so on: in this order nothing has to be moved between registers.
#[inline(always)]
pub(super) fn fill(key: u64, group: u64, numbers: &mut [u32; GROUP]) {
    let first = group * BLOCKS as u64;
    for start in (0..BLOCKS).step_by(LANES) {
        let counter = |lane: usize| first + (start + lane) as u64;
        let low = std::array::from_fn(counter);
        let high = std::array::from_fn(|lane| counter(lane) >> 32);
        let counters = [low, high, [0; LANES], [0; LANES]];
        let words = blocks([key as u32, (key >> 32) as u32], counters);
        for (word, words) in words.iter().enumerate() {
            let at = word * BLOCKS + start;
            for (number, word) in numbers[at..at + LANES].iter_mut().zip(words) {
                *number = *word as u32;
            }
        }
    }
}

/// Some blocks: the words of the counters in, four numbers of each out, in the lower halves of 64 bits. What is in the upper
/// halves does not count. So both halves of a product stay where they are, and no register has to be split or joined.
#[inline(always)]
fn blocks<const L: usize>(
    mut key: [u32; 2],
    [mut a, mut b, mut c, mut d]: [[u64; L]; 4],
) -> [[u64; L]; 4] {
    const LOWER: u64 = 0xffff_ffff;
    let [one, other] = FACTORS.map(u64::from);
    for _ in 0..ROUNDS {
        for lane in 0..L {
            let first = (a[lane] & LOWER) * one;
            let second = (c[lane] & LOWER) * other;
            a[lane] = (second >> 32) ^ b[lane] ^ u64::from(key[0]);
            b[lane] = second;
            c[lane] = (first >> 32) ^ d[lane] ^ u64::from(key[1]);
            d[lane] = first;
        }
        key = [0, 1].map(|word| key[word].wrapping_add(STEPS[word]));
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_numbers() {
        // `kat_vectors` of the authors' Random123, philox4x32 10.
        let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            let words = blocks(key, counter.map(|word| [u64::from(word)]));
            assert_eq!(words.map(|[word]| word as u32), expected);
        }
    }

    #[test]
    fn a_group_is_the_blocks_of_its_counters() {
        let mut numbers = [0; GROUP];
        let (key, group) = (0x1234_5678_9abc_def0, 1 << 30);
        fill(key, group, &mut numbers);
        for block in [0, 17, 63] {
            let counter = group * 64 + block as u64;
            let counter = [[counter], [counter >> 32], [0], [0]];
            let words = blocks([key as u32, (key >> 32) as u32], counter);
            for (word, [expected]) in words.into_iter().enumerate() {
                assert_eq!(numbers[word * 64 + block], expected as u32);
            }
        }
    }
}
