//! The keys of normally distributed noise.

pub(crate) const ROUNDS: usize = 8;
pub(crate) const FACTOR: i32 = 31_765;
pub(crate) const SHIFT: i32 = 9;
pub(crate) const HIGH: f32 = 1.0 / 65_536.0;
pub(crate) const LOW: f32 = HIGH * HIGH;

/// A key of 16 bits for each round of the two networks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) radius: [i32; ROUNDS],
    pub(crate) angle: [i32; ROUNDS],
}

impl Keys {
    pub(crate) fn new(key: u64) -> Self {
        let mut state = key;
        let mut next = || {
            state = split_mix(state);
            i32::from((state >> 48) as u16)
        };
        Self {
            radius: std::array::from_fn(|_| next()),
            angle: std::array::from_fn(|_| next()),
        }
    }
}

/// One step of Steele, Lea and Flood's SplitMix64.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A key that depends on every one of `parts` and on their order.
///
/// ```
/// use burn_tricks_kernels::key_of;
///
/// assert_ne!(key_of(&[1, 2]), key_of(&[2, 1]));
/// ```
pub fn key_of(parts: &[u64]) -> u64 {
    parts
        .iter()
        .fold(0, |key, part| split_mix(key ^ split_mix(*part)))
}
