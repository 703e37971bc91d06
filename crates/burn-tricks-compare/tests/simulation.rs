//! The verdicts over a few simulated families; `examples/aa` runs many.

#[path = "../examples/aa/simulation.rs"]
#[expect(dead_code, reason = "the example uses all of it")]
mod simulation;

use simulation::{Shape, Simulation, Truth};

/// 5 %, and two standard errors of it.
fn most(families: u32) -> f64 {
    0.05 + 2.0 * (0.05 * 0.95 / f64::from(families)).sqrt()
}

#[test]
fn false_verdicts_are_rare_in_families_where_nothing_differs() {
    for shape in [
        Shape::Normal,
        Shape::Skewed,
        Shape::Tied,
        Shape::RareJumps,
        Shape::Epochs,
    ] {
        let truth = Truth::Null;
        let rate = Simulation { shape, truth }.false_verdicts(100);
        assert!(rate <= most(100), "{shape:?}: {rate}");
    }
    // The simulation sees what is wrong: no test of a mean holds here.
    let (shape, truth) = (Shape::OneSided, Truth::Null);
    let rate = Simulation { shape, truth }.false_verdicts(100);
    assert!(rate > most(100), "{rate}");
}

#[test]
fn false_verdicts_are_rare_among_rows_that_differ_and_at_the_margin() {
    for truth in [Truth::HalfNull, Truth::AtTheMargin] {
        let shape = Shape::Normal;
        let rate = Simulation { shape, truth }.false_verdicts(100);
        assert!(rate <= most(100), "{truth:?}: {rate}");
    }
}

#[test]
fn what_is_there_is_found() {
    let [first, second, third] = simulation::differences_found(1.0, 6);
    assert!(first > 0.1 && first < 0.5, "{first}");
    assert!(second > 0.6 && second < third, "{second}");
    assert!(third > 0.9, "{third}");
    let [_, _, third] = simulation::equivalences_found(1.0, 1);
    assert!(third > 0.9, "{third}");
}
