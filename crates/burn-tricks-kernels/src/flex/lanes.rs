//! Registers that a loop works on together.
//!
//! The processor looks ahead by a number of instructions. A loop over several registers has fewer branches and jumps for each
//! number, so that the processor finds more of the numbers that it can load before they are needed.

use super::pair::Pair;
use super::vector::Wide;
use crate::real::Real;
use pulp::Simd;

/// A number of registers.
pub(super) trait Lanes {
    /// So many registers, as stored in memory.
    type Group<T: Wide, V: Simd>: Copy;
    /// So many registers to compute with.
    type Vectors<T: Wide, V: Simd>: Real;

    /// How many groups before their use the processor is asked to load them: 4,096 bytes, if a register has 32.
    const AHEAD: usize;

    /// As many full groups as possible.
    fn groups<T: Wide, V: Simd>(numbers: &[T]) -> &[Self::Group<T, V>];

    /// Like [`groups`](Self::groups), mutably.
    fn groups_mut<T: Wide, V: Simd>(numbers: &mut [T]) -> &mut [Self::Group<T, V>];

    fn load<T: Wide, V: Simd>(simd: V, group: Self::Group<T, V>) -> Self::Vectors<T, V>;

    fn store<T: Wide, V: Simd>(vectors: Self::Vectors<T, V>) -> Self::Group<T, V>;
}

/// Two registers: a cache line, if a register has 32 bytes.
pub(super) struct Two;

/// Four registers.
pub(super) struct Four;

impl Lanes for Two {
    type Group<T: Wide, V: Simd> = [T::Raw<V>; 2];
    type Vectors<T: Wide, V: Simd> = Pair<T::Vector<V>>;

    const AHEAD: usize = 64;

    #[inline(always)]
    fn groups<T: Wide, V: Simd>(numbers: &[T]) -> &[Self::Group<T, V>] {
        T::vectors::<V>(numbers).0.as_chunks().0
    }

    #[inline(always)]
    fn groups_mut<T: Wide, V: Simd>(numbers: &mut [T]) -> &mut [Self::Group<T, V>] {
        T::vectors_mut::<V>(numbers).0.as_chunks_mut().0
    }

    #[inline(always)]
    fn load<T: Wide, V: Simd>(simd: V, [a, b]: Self::Group<T, V>) -> Self::Vectors<T, V> {
        Pair(T::load(simd, a), T::load(simd, b))
    }

    #[inline(always)]
    fn store<T: Wide, V: Simd>(Pair(a, b): Self::Vectors<T, V>) -> Self::Group<T, V> {
        [T::store(a), T::store(b)]
    }
}

impl Lanes for Four {
    type Group<T: Wide, V: Simd> = [T::Raw<V>; 4];
    type Vectors<T: Wide, V: Simd> = Pair<Pair<T::Vector<V>>>;

    const AHEAD: usize = 32;

    #[inline(always)]
    fn groups<T: Wide, V: Simd>(numbers: &[T]) -> &[Self::Group<T, V>] {
        T::vectors::<V>(numbers).0.as_chunks().0
    }

    #[inline(always)]
    fn groups_mut<T: Wide, V: Simd>(numbers: &mut [T]) -> &mut [Self::Group<T, V>] {
        T::vectors_mut::<V>(numbers).0.as_chunks_mut().0
    }

    #[inline(always)]
    fn load<T: Wide, V: Simd>(simd: V, [a, b, c, d]: Self::Group<T, V>) -> Self::Vectors<T, V> {
        Pair(
            Two::load::<T, V>(simd, [a, b]),
            Two::load::<T, V>(simd, [c, d]),
        )
    }

    #[inline(always)]
    fn store<T: Wide, V: Simd>(Pair(first, second): Self::Vectors<T, V>) -> Self::Group<T, V> {
        let [a, b] = Two::store::<T, V>(first);
        let [c, d] = Two::store::<T, V>(second);
        [a, b, c, d]
    }
}
