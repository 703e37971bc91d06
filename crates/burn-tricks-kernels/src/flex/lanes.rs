//! Registers that a loop works on together.
//!
//! The processor looks ahead by a number of instructions. A loop over several registers has fewer branches and jumps for each
//! number, so that the processor finds more of the numbers that it can load before they are needed.

use super::pair::Pair;
use super::vector::Wide;
use crate::real::Real;
use pulp::Simd;

/// `N` registers.
pub(super) trait Lanes<const N: usize> {
    /// The registers to compute with.
    type Vectors<T: Wide, V: Simd>: Real;

    fn load<T: Wide, V: Simd>(simd: V, group: [T::Raw<V>; N]) -> Self::Vectors<T, V>;

    fn store<T: Wide, V: Simd>(vectors: Self::Vectors<T, V>) -> [T::Raw<V>; N];
}

/// Two registers: a cache line, if a register has 32 bytes.
pub(super) struct Two;

/// Four registers.
pub(super) struct Four;

impl Lanes<2> for Two {
    type Vectors<T: Wide, V: Simd> = Pair<T::Vector<V>>;

    #[inline(always)]
    fn load<T: Wide, V: Simd>(simd: V, [a, b]: [T::Raw<V>; 2]) -> Self::Vectors<T, V> {
        Pair(T::load(simd, a), T::load(simd, b))
    }

    #[inline(always)]
    fn store<T: Wide, V: Simd>(Pair(a, b): Self::Vectors<T, V>) -> [T::Raw<V>; 2] {
        [T::store(a), T::store(b)]
    }
}

impl Lanes<4> for Four {
    type Vectors<T: Wide, V: Simd> = Pair<Pair<T::Vector<V>>>;

    #[inline(always)]
    fn load<T: Wide, V: Simd>(simd: V, [a, b, c, d]: [T::Raw<V>; 4]) -> Self::Vectors<T, V> {
        Pair(
            Two::load::<T, V>(simd, [a, b]),
            Two::load::<T, V>(simd, [c, d]),
        )
    }

    #[inline(always)]
    fn store<T: Wide, V: Simd>(Pair(first, second): Self::Vectors<T, V>) -> [T::Raw<V>; 4] {
        let [a, b] = Two::store::<T, V>(first);
        let [c, d] = Two::store::<T, V>(second);
        [a, b, c, d]
    }
}

/// As many full groups of `N` registers as possible, as stored in memory.
#[inline(always)]
pub(super) fn groups<T: Wide, V: Simd, const N: usize>(numbers: &[T]) -> &[[T::Raw<V>; N]] {
    T::vectors::<V>(numbers).0.as_chunks().0
}

/// Like [`groups`], mutably.
#[inline(always)]
pub(super) fn groups_mut<T: Wide, V: Simd, const N: usize>(
    numbers: &mut [T],
) -> &mut [[T::Raw<V>; N]] {
    T::vectors_mut::<V>(numbers).0.as_chunks_mut().0
}

/// How many groups of so many registers before their use the processor is asked to load them: 4,096 bytes, if a register
/// has 32.
pub(super) const fn ahead(registers: usize) -> usize {
    128 / registers
}
