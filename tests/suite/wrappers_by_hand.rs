//! Wrappers around Adam in plain `f64` loops, written from the formulas of their documentation.

use crate::models::values;
use burn_tricks_testkit::Weights;

/// A step of one tensor: the new numbers, from the learning rate, the numbers, and their gradient.
type Step = Box<dyn FnMut(f64, &[f64], &[f64]) -> Vec<f64>>;

fn adam() -> Step {
    const BETA_1: f64 = 0.9;
    const BETA_2: f64 = 0.999;
    let (mut m, mut v, mut t) = (Vec::new(), Vec::new(), 0);
    Box::new(move |lr, w, g| {
        m.resize(w.len(), 0.0);
        v.resize(w.len(), 0.0);
        t += 1;
        let step = |i: usize| {
            m[i] = BETA_1 * m[i] + (1.0 - BETA_1) * g[i];
            v[i] = BETA_2 * v[i] + (1.0 - BETA_2) * g[i] * g[i];
            let mean: f64 = m[i] / (1.0 - BETA_1.powi(t));
            let square: f64 = v[i] / (1.0 - BETA_2.powi(t));
            w[i] - lr * mean / (square.sqrt() + 1e-8)
        };
        (0..w.len()).map(step).collect()
    })
}

fn both(a: &[f64], b: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| with(*a, *b)).collect()
}

fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Every second step, half of the way from the slow weights.
fn lookahead(mut inner: Step) -> Step {
    let (mut slow, mut t) = (None, 0);
    Box::new(move |lr, w, g| {
        let slow = slow.get_or_insert_with(|| w.to_vec());
        let fast = inner(lr, w, g);
        t += 1;
        if t % 2 != 0 {
            return fast;
        }
        *slow = both(slow, &fast, |slow, fast| slow + 0.5 * (fast - slow));
        slow.clone()
    })
}

/// Decoupled, with a factor of each step.
fn decay(mut inner: Step, factor: fn(f64) -> f64) -> Step {
    let mut t = 0.0;
    Box::new(move |lr, w, g| {
        t += 1.0;
        both(&inner(lr, w, g), w, |new, w| new - lr * factor(t) * w)
    })
}

fn cautious(mut inner: Step) -> Step {
    Box::new(move |lr, w, g| {
        let new = inner(lr, w, g);
        // A number whose step is 0 does not go up.
        let goes = |i: usize| g[i] != 0.0 && (new[i] - w[i]) * g[i] <= 0.0;
        let mask: Vec<f64> = (0..w.len()).map(|i| f64::from(u8::from(goes(i)))).collect();
        let mean = mask.iter().sum::<f64>() / mask.len() as f64;
        let step = |i: usize| w[i] + (new[i] - w[i]) * mask[i] / mean.max(1e-3);
        (0..w.len()).map(step).collect()
    })
}

fn trust_ratio(mut inner: Step) -> Step {
    Box::new(move |lr, w, g| {
        let update = both(w, &inner(lr, w, g), |w, new| (w - new) / lr);
        let (of_weight, of_update) = (norm(w), norm(&update));
        let ratio = if of_weight == 0.0 || of_update == 0.0 {
            1.0
        } else {
            of_weight / of_update
        };
        both(w, &update, |w, u| w - lr * ratio * u)
    })
}

/// With β = 0.9 and weights of the average in proportion to the square of the largest rate.
fn schedule_free(mut inner: Step) -> Step {
    const BETA: f64 = 0.9;
    let (mut z, mut largest, mut sum) = (None, 0.0_f64, 0.0);
    Box::new(move |lr, y, g| {
        let z = z.get_or_insert_with(|| y.to_vec());
        let x = both(y, z, |y, z| (y - (1.0 - BETA) * z) / BETA);
        *z = inner(lr, z, g);
        largest = largest.max(lr);
        sum += largest * largest;
        let share = largest * largest / sum;
        let x = both(&x, z, |x, z| x + share * (z - x));
        both(&x, z, |x, z| BETA * x + (1.0 - BETA) * z)
    })
}

/// Adam in the wrappers of these names, from the inside out.
fn wrapped(names: &[&str]) -> Step {
    names.iter().fold(adam(), |inner, name| match *name {
        "Lookahead" => lookahead(inner),
        "Decay" => decay(inner, |_| 0.1),
        "Timed" => decay(inner, |t| 0.3 / t),
        "Cautious" => cautious(inner),
        "Ratio" => trust_ratio(inner),
        "Free" => schedule_free(inner),
        // Of weights in full precision they are none.
        "Master" | "Kahan" => inner,
        name => panic!("`{name}` is not written by hand"),
    })
}

/// The numbers of the weights after so many steps.
pub(crate) fn by_hand(names: &[&str], weights: &Weights, lr: f64, steps: u64) -> Vec<f64> {
    let mut all = weights.numbers();
    let [mut vector, mut matrix] = [wrapped(names), wrapped(names)];
    let size = weights.vector.val().dims()[0];
    let end = size + weights.matrix.val().shape().num_elements();
    for step in 0..steps {
        let grads = weights.grads(step);
        let of_vector = grads.get::<1>(weights.vector.id).map(values);
        let of_matrix = grads.get::<2>(weights.matrix.id).map(values);
        let new = vector(lr, &all[..size], &of_vector.expect("it has one"));
        all[..size].copy_from_slice(&new);
        let new = matrix(lr, &all[size..end], &of_matrix.expect("it has one"));
        all[size..end].copy_from_slice(&new);
    }
    all
}
