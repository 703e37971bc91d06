//! Which program made a run.

use std::{
    env,
    fs::File,
    io::{self, Read},
};

/// A hash of the file of the running program, as hex digits: another one whenever the program's code, that of
/// its dependencies, the compiler or its flags change it. For the context of a [`Store`](crate::Store), so
/// that runs of another program are other runs.
///
/// It finds changes, and is no protection against forgery. A program of 60 MB takes some hundredths of a
/// second, without optimisation some tenths.
///
/// # Errors
///
/// If the program's file cannot be read.
pub fn program_hash() -> io::Result<String> {
    hash(File::open(env::current_exe()?)?)
}

/// Two lanes of 64 bits, each a word at a time: `h ← rotate((h ⊕ word) · odd)`, from different starts.
fn hash(mut from: impl Read) -> io::Result<String> {
    const ODD: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F];
    let mut lanes = [0x243F_6A88_85A3_08D3_u64, 0x1319_8A2E_0370_7344];
    let mut step = |word: u64| {
        for (lane, odd) in lanes.iter_mut().zip(ODD) {
            *lane = (*lane ^ word).wrapping_mul(odd).rotate_left(29);
        }
    };
    let mut length = 0;
    let mut block = Vec::with_capacity(1 << 20);
    loop {
        block.clear();
        // Whole blocks but for the last, so that words do not depend on how much a read returns.
        let read = from.by_ref().take(1 << 20).read_to_end(&mut block)?;
        if read == 0 {
            break;
        }
        length += read as u64;
        for bytes in block.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            step(u64::from_le_bytes(word));
        }
    }
    step(length);
    step(0);
    Ok(format!("{:016x}{:016x}", lanes[0], lanes[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        let bytes: Vec<u8> = (0..3_000_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8)
            .collect();
        let known = hash(&bytes[..]).unwrap();
        assert_eq!(known.len(), 32);
        assert_eq!(hash(&bytes[..]).unwrap(), known);
        for at in [0, 7, 8, 1 << 20, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(hash(&other[..]).unwrap(), known, "byte {at}");
        }
        assert_ne!(hash(&[][..]).unwrap(), hash(&[0][..]).unwrap());
        assert_ne!(hash(&[0; 8][..]).unwrap(), hash(&[0; 16][..]).unwrap());
        // A word in another place.
        let mut moved = bytes.clone();
        moved.swap(100, 908);
        assert_ne!(moved, bytes);
        assert_ne!(hash(&moved[..]).unwrap(), known);
    }

    #[test]
    fn a_program_has_one_hash() {
        assert_eq!(program_hash().unwrap(), program_hash().unwrap());
    }
}
