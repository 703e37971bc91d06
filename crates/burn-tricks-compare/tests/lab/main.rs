//! Tuning, ablation, interactions and claims, on made-up trainings whose truth is known.

mod ablation;
mod claims;
mod interactions;
mod tuning;

/// Numbers that look random, from −1 to 1.
fn noise(seed: u64, of: u64) -> f64 {
    let mut bits =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ of.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for shift in [30, 27, 31] {
        bits ^= bits >> shift;
        bits = bits.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}
