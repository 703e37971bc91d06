//! The arithmetic of an element as a list of operations, from which a GPU's kernel is made at run time.

use crate::real::Real;
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// An operation on earlier values, which are named by their places in the list of all values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// The constant with this number.
    Constant(usize),
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    Div(usize, usize),
    Neg(usize),
    Sqrt(usize),
    Abs(usize),
    /// The larger of both, and the first if the second is NaN.
    Max(usize, usize),
    /// The second if the first is 0, else the third.
    IfZero(usize, usize, usize),
    /// The third if the first two are equal, else the fourth.
    IfEqual(usize, usize, usize, usize),
    /// The third if the first is less than the second, else the fourth.
    IfLess(usize, usize, usize, usize),
}

/// Operations without their constants: two steps with other constants are the same program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    /// The first values are the inputs, and each operation adds one.
    pub(crate) ops: Vec<Op>,
    /// The values that are the results: the first input's, and those of the inputs from the third on.
    pub(crate) outputs: Vec<usize>,
}

/// What the arithmetic of an element does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    pub(crate) program: Program,
    pub(crate) constants: Vec<f32>,
}

#[derive(Debug, Default)]
struct Tape {
    values: usize,
    ops: Vec<Op>,
    constants: Vec<f32>,
}

thread_local! {
    static TAPE: RefCell<Tape> = RefCell::default();
}

/// A number whose value is known when the kernel runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traced(usize);

impl Traced {
    fn of_op(op: Op) -> Self {
        TAPE.with_borrow_mut(|tape| {
            tape.ops.push(op);
            tape.values += 1;
            Self(tape.values - 1)
        })
    }

    fn constant(value: f64) -> Self {
        let value = value as f32;
        let number = TAPE.with_borrow_mut(|tape| {
            tape.constants.push(value);
            tape.constants.len() - 1
        });
        Self::of_op(Op::Constant(number))
    }
}

impl Trace {
    /// Of a function of a weight, a gradient and a state.
    pub(crate) fn of_step<const S: usize>(
        element: impl FnOnce(Traced, Traced, [Traced; S]) -> (Traced, [Traced; S]),
    ) -> Self {
        let empty = Tape {
            values: 2 + S,
            ..Tape::default()
        };
        TAPE.set(empty);
        let (weight, state) = element(
            Traced(0),
            Traced(1),
            std::array::from_fn(|number| Traced(2 + number)),
        );
        let Tape { ops, constants, .. } = TAPE.take();
        let outputs = [weight].into_iter().chain(state);
        Self {
            program: Program {
                ops,
                outputs: outputs.map(|Traced(place)| place).collect(),
            },
            constants,
        }
    }
}

macro_rules! operators {
    ($($name:ident::$method:ident),*) => {$(
        impl $name for Traced {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                Self::of_op(Op::$name(self.0, other.0))
            }
        }
    )*};
}
operators!(Add::add, Sub::sub, Mul::mul, Div::div);

macro_rules! operators_with_constants {
    ($($name:ident::$method:ident),*) => {$(
        impl $name<f64> for Traced {
            type Output = Self;

            fn $method(self, constant: f64) -> Self {
                let constant = Self::constant(constant);
                $name::$method(self, constant)
            }
        }
    )*};
}
operators_with_constants!(Add::add, Mul::mul, Div::div);

impl Neg for Traced {
    type Output = Self;

    fn neg(self) -> Self {
        Self::of_op(Op::Neg(self.0))
    }
}

impl Real for Traced {
    fn of(self, constant: f64) -> Self {
        Self::constant(constant)
    }

    fn sqrt(self) -> Self {
        Self::of_op(Op::Sqrt(self.0))
    }

    fn abs(self) -> Self {
        Self::of_op(Op::Abs(self.0))
    }

    fn max(self, other: Self) -> Self {
        Self::of_op(Op::Max(self.0, other.0))
    }

    fn if_zero(self, then: Self, otherwise: Self) -> Self {
        Self::of_op(Op::IfZero(self.0, then.0, otherwise.0))
    }

    fn if_equal(self, other: Self, then: Self, otherwise: Self) -> Self {
        Self::of_op(Op::IfEqual(self.0, other.0, then.0, otherwise.0))
    }

    fn if_negative(self, then: Self, otherwise: Self) -> Self {
        let zero = Self::constant(0.0);
        Self::of_op(Op::IfLess(self.0, zero.0, then.0, otherwise.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_listed_in_their_order_and_constants_apart() {
        let trace = Trace::of_step(|weight, grad, [state]| {
            let state = state * 0.5 + grad;
            (weight - state.sqrt(), [state])
        });
        let ops = [
            Op::Constant(0),
            Op::Mul(2, 3),
            Op::Add(4, 1),
            Op::Sqrt(5),
            Op::Sub(0, 6),
        ];
        assert_eq!(trace.program.ops, ops);
        assert_eq!(trace.program.outputs, [7, 5]);
        assert_eq!(trace.constants, [0.5]);
    }

    #[test]
    fn a_step_begins_with_an_empty_list() {
        let of = |constant| Trace::of_step(|weight, _, []| (weight * constant, []));
        let (one, other) = (of(1.0), of(2.0));
        assert_eq!(one.program, other.program);
        assert_eq!(other.constants, [2.0]);
    }
}
