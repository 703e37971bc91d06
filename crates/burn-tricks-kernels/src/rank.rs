//! Turns a rank known at run time into a rank known at compile time.

/// `with_rank!(rank, D => body)`: the body with `const D: usize`, for Burn's ranks.
macro_rules! with_rank {
    ($rank:expr, $d:ident => $body:block) => {
        with_rank!(@ $rank, $d, $body, 0 1 2 3 4 5 6 7 8)
    };
    (@ $rank:expr, $d:ident, $body:block, $($n:literal)*) => {
        match $rank {
            $($n => {
                const $d: usize = $n;
                $body
            })*
            rank => panic!("Burn has no tensors of rank {rank}"),
        }
    };
}
pub(crate) use with_rank;
