//! A pass that changes each number with the coefficients of its unit.

use super::element_type::Stored;
use super::vector::Wide;
use pulp::NullaryFnOnce;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// A number from a number of one tensor, the number at the same place of another, and `K` coefficients of their unit.
pub(super) trait Combine<const K: usize>: Copy + Send + Sync {
    fn of<T: Wide>(self, a: T, b: T, coefs: [T; K]) -> T;
}

/// A part of the tensor: whole rows of single numbers, or whole runs, the first of which is that of the unit `first`.
pub(super) struct MapPart<'a, E: Stored, F, const K: usize> {
    pub(super) combine: F,
    pub(super) run: usize,
    pub(super) first: usize,
    pub(super) out: &'a mut [E],
    /// `None`: `out` holds them.
    pub(super) a: Option<&'a [E]>,
    pub(super) b: &'a [E],
    pub(super) coefs: &'a [Vec<E::Wide>; K],
}

impl<E: Stored, F: Combine<K>, const K: usize> NullaryFnOnce for MapPart<'_, E, F, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let count = self.coefs[0].len();
        let piece = if self.run == 1 { count } else { self.run }.max(1);
        let mut unit = self.first;
        let mut start = 0;
        for out in self.out.chunks_mut(piece) {
            let range = start..start + out.len();
            start = range.end;
            let (a, b) = (self.a.map(|a| &a[range.clone()]), &self.b[range]);
            if self.run == 1 {
                let coefs = self.coefs.each_ref().map(|coefs| &coefs[..out.len()]);
                in_blocks(out, a, b, |at, out, a, b| {
                    let coefs = coefs.map(|coefs| &coefs[at..at + out.len()]);
                    each(self.combine, out, a, b, |i| coefs.map(|coefs| coefs[i]));
                });
            } else {
                let coefs = self.coefs.each_ref().map(|coefs| coefs[unit]);
                in_blocks(out, a, b, |_, out, a, b| {
                    each(self.combine, out, a, b, |_| coefs);
                });
                unit = (unit + 1) % count;
            }
        }
    }
}

/// The numbers widened a block at a time, or all at once if they are as wide already; with where the block begins.
#[inline(always)]
fn in_blocks<E: Stored>(
    out: &mut [E],
    a: Option<&[E]>,
    b: &[E],
    mut change: impl FnMut(usize, &mut [E::Wide], Option<&[E::Wide]>, &[E::Wide]),
) {
    if let Some(b) = E::as_wide(b)
        && let Some(out) = E::as_wide_mut(out)
    {
        return change(0, out, a.and_then(E::as_wide), b);
    }
    let mut blocks = [[E::Wide::ZERO; BLOCK]; 2];
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let range = block * BLOCK..block * BLOCK + out.len();
        let [wide, wide_b] = blocks.each_mut().map(|block| &mut block[..out.len()]);
        match a {
            Some(a) => E::load(&a[range.clone()], wide),
            None => E::load(out, wide),
        }
        E::load(&b[range.clone()], wide_b);
        change(range.start, wide, None, wide_b);
        E::store(wide, out);
    }
}

#[inline(always)]
fn each<T: Wide, F: Combine<K>, const K: usize>(
    combine: F,
    out: &mut [T],
    a: Option<&[T]>,
    b: &[T],
    coefs: impl Fn(usize) -> [T; K],
) {
    let b = &b[..out.len()];
    match a {
        Some(a) => {
            let a = &a[..out.len()];
            for i in 0..out.len() {
                out[i] = combine.of(a[i], b[i], coefs(i));
            }
        }
        None => {
            for i in 0..out.len() {
                out[i] = combine.of(out[i], b[i], coefs(i));
            }
        }
    }
}
