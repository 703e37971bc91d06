//! The arithmetic of an element as a list of operations, from which a GPU's kernel is made at run time.

use crate::real::Real;
use crate::tensor_number::{SquareSum, TensorNumber};
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

impl Op {
    /// The operation on values at other places, with another constant.
    fn moved(self, place: impl Fn(usize) -> usize, constant: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Constant(number) => Self::Constant(constant(number)),
            Self::Add(a, b) => Self::Add(place(a), place(b)),
            Self::Sub(a, b) => Self::Sub(place(a), place(b)),
            Self::Mul(a, b) => Self::Mul(place(a), place(b)),
            Self::Div(a, b) => Self::Div(place(a), place(b)),
            Self::Neg(a) => Self::Neg(place(a)),
            Self::Sqrt(a) => Self::Sqrt(place(a)),
            Self::Abs(a) => Self::Abs(place(a)),
            Self::Max(a, b) => Self::Max(place(a), place(b)),
            Self::IfZero(a, b, c) => Self::IfZero(place(a), place(b), place(c)),
            Self::IfEqual(a, b, c, d) => Self::IfEqual(place(a), place(b), place(c), place(d)),
            Self::IfLess(a, b, c, d) => Self::IfLess(place(a), place(b), place(c), place(d)),
        }
    }
}

/// Operations without their constants: two steps with other constants are the same program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    /// How many values there are before the first operation. Of a step these are the tensors, the states, and a number of
    /// the whole tensor if the step needs one.
    pub(crate) inputs: usize,
    /// How many of them are tensors, for a step of the type of its weight.
    pub(crate) tensors: usize,
    /// The first values are the inputs, and each operation adds one.
    pub(crate) ops: Vec<Op>,
    /// The values that are the results.
    pub(crate) outputs: Vec<usize>,
}

impl Program {
    /// How many state tensors a step has.
    pub(crate) fn states(&self) -> usize {
        self.outputs.len() - 1
    }

    /// Whether a step needs a number of its whole tensor.
    pub(crate) fn needs_number(&self) -> bool {
        self.inputs > self.tensors + self.states()
    }
}

/// What the arithmetic of an element does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    pub(crate) program: Program,
    pub(crate) constants: Vec<f32>,
}

/// How a number of a whole tensor comes about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberTrace {
    /// What is squared and summed.
    pub(crate) terms: Trace,
    /// The number, from the root of each sum and the sum itself, and from how many elements there are.
    pub(crate) number: Trace,
}

impl NumberTrace {
    /// How many sums there are.
    pub(crate) fn sums(&self) -> usize {
        self.terms.program.outputs.len()
    }
}

/// What a [`TensorNumber`] does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// The number of the tensor, if there is anything to be summed.
    pub(crate) number: Option<NumberTrace>,
    /// The new element. The last input is the number.
    pub(crate) element: Trace,
}

impl Change {
    pub(crate) fn new<const K: usize, const R: usize>(change: impl TensorNumber<K, R>) -> Self {
        let elements = |values: &[Traced]| std::array::from_fn(|tensor| values[tensor]);
        let number = (R > 0).then(|| NumberTrace {
            terms: Trace::new(K, 0, |values| change.terms(elements(values)).into()),
            number: Trace::new(0, 2 * R + 1, |values| {
                let sums = std::array::from_fn(|sum| SquareSum {
                    root: values[2 * sum],
                    sum: values[2 * sum + 1],
                });
                vec![change.number(sums, values[2 * R])]
            }),
        });
        let element = Trace::new(K, usize::from(R > 0), |values| {
            let number = values.get(K).copied();
            let number = number.unwrap_or_else(|| Traced::constant(0.0));
            vec![change.element(elements(values), number)]
        });
        Self { number, element }
    }
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
    /// Of a function of the elements of so many tensors, and of some other numbers.
    pub(crate) fn new(
        tensors: usize,
        others: usize,
        function: impl FnOnce(&[Traced]) -> Vec<Traced>,
    ) -> Self {
        let inputs = tensors + others;
        let empty = Tape {
            values: inputs,
            ..Tape::default()
        };
        TAPE.set(empty);
        let places: Vec<_> = (0..inputs).map(Traced).collect();
        let outputs = function(&places).into_iter().map(|Traced(place)| place);
        let outputs = outputs.collect();
        let Tape { ops, constants, .. } = TAPE.take();
        Self {
            program: Program {
                inputs,
                tensors,
                ops,
                outputs,
            },
            constants,
        }
    }

    /// Of a function of a weight, a gradient and a state. The results are the weight and the state.
    pub(crate) fn of_step<const S: usize>(
        element: impl FnOnce(Traced, Traced, [Traced; S]) -> (Traced, [Traced; S]),
    ) -> Self {
        Self::new(2, S, |values| {
            let state = std::array::from_fn(|number| values[2 + number]);
            let (weight, state) = element(values[0], values[1], state);
            [weight].into_iter().chain(state).collect()
        })
    }

    /// A step with another gradient, that which `grad` makes of weight, gradient and a number: the number is the last
    /// input.
    pub(crate) fn with_gradient(self, grad: Self) -> Self {
        let Program {
            inputs,
            tensors,
            ops,
            outputs,
        } = self.program;
        let begin = inputs + 1;
        let of_grad = |place| match place {
            0 | 1 => place,
            2 => inputs,
            _ => begin + place - 3,
        };
        let new_grad = of_grad(grad.program.outputs[0]);
        let skipped = grad.program.ops.len();
        let of_step = |place| match place {
            1 => new_grad,
            _ if place < inputs => place,
            _ => begin + skipped + place - inputs,
        };
        let known = grad.constants.len();
        let first = grad.program.ops.into_iter();
        let first = first.map(|op| op.moved(of_grad, |constant| constant));
        let then = ops.into_iter();
        let then = then.map(|op| op.moved(of_step, |constant| known + constant));
        Self {
            program: Program {
                inputs: begin,
                tensors,
                ops: first.chain(then).collect(),
                outputs: outputs.into_iter().map(of_step).collect(),
            },
            constants: grad.constants.into_iter().chain(self.constants).collect(),
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
    fn a_step_with_another_gradient_calculates_that_first() {
        let step = Trace::of_step(|weight, grad, [state]| {
            let state = state * 0.5 + grad;
            (weight - state, [state])
        });
        let grad = Trace::new(2, 1, |values| {
            vec![(values[1] + values[0] * 0.25) * values[2]]
        });
        let trace = step.with_gradient(grad);
        // The weight, the old gradient, the state, and the number.
        let ops = [
            Op::Constant(0),
            Op::Mul(0, 4),
            Op::Add(1, 5),
            Op::Mul(6, 3),
            Op::Constant(1),
            Op::Mul(2, 8),
            Op::Add(9, 7),
            Op::Sub(0, 10),
        ];
        assert_eq!(trace.program.ops, ops);
        assert_eq!(trace.program.inputs, 4);
        assert_eq!(trace.program.outputs, [11, 10]);
        assert_eq!(trace.constants, [0.25, 0.5]);
    }

    #[test]
    fn a_step_begins_with_an_empty_list() {
        let of = |constant| Trace::of_step(|weight, _, []| (weight * constant, []));
        let (one, other) = (of(1.0), of(2.0));
        assert_eq!(one.program, other.program);
        assert_eq!(other.constants, [2.0]);
    }
}
