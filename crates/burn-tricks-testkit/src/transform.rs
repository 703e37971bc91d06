//! The laws of transforms of gradients: properties that every transform should have.

use crate::report::{Report, same};
use crate::weights::{Weights, dtypes, read};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use std::cell::OnceCell;
use std::fmt::Debug;

/// Steps of a run that is saved and resumed at each of them.
const STEPS: u64 = 6;

/// The laws of a transform of gradients. It is applied to a model that is a list of [`Weights`]:
///
/// - two runs with the same inputs give the same numbers, to the last bit;
/// - it neither adds nor removes a gradient, but for those that it is declared to remove ([`removes`](Self::removes));
/// - each gradient keeps its shape, element type and device;
/// - gradients of parameters that the model does not have stay as they are, to the last bit;
/// - a tied parameter's gradient is changed once, as if the parameter had only its first place;
/// - it can be saved and resumed after every step, to the last bit, if [`saved`](Self::saved) says how: the gradients are
///   compared, and at the end of the run the state that is saved and the one that [`goes_back`](Self::goes_back) keeps, which
///   the gradients may not show;
/// - it goes back with the weights, to the last bit, if [`goes_back`](Self::goes_back) says how: after a few steps with other
///   gradients, which change the state that goes back, it continues as if they had not been;
/// - it changes nothing, to the last bit, if it is declared as [`neutral`](Self::neutral).
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::tensor::Device;
/// use burn_tricks_testkit::{TransformLaws, Weights};
///
/// let apply = |_: &mut (), _: &Vec<Weights>, grads: GradientsParams| grads;
/// TransformLaws::new("nothing", || (), apply, &Device::flex()).neutral().check().assert();
/// ```
pub struct TransformLaws<T> {
    name: String,
    init: Box<dyn Fn() -> T>,
    apply: Apply<T>,
    saved: Option<Saved<T>>,
    goes_back: Option<GoesBack<T>>,
    is_neutral: bool,
    removes: usize,
    device: Device,
}

type Apply<T> = Box<dyn Fn(&mut T, &Vec<Weights>, GradientsParams) -> GradientsParams>;

/// Takes the state that is saved, or that a roll-back puts back.
type Keep<T> = dyn Fn(&T) -> Option<Vec<u8>>;
/// Puts it back.
type PutBack<T> = dyn Fn(&mut T, &[u8]);

/// A state, if there is one.
type State = Option<Vec<u8>>;

/// How the state is saved, and how it is loaded into a new transform.
struct Saved<T> {
    save: Box<Keep<T>>,
    load: Box<PutBack<T>>,
}

/// How the state is kept that goes back with the weights, and how it is put back.
struct GoesBack<T> {
    keep: Box<Keep<T>>,
    put_back: Box<PutBack<T>>,
    /// Whether the state of a run before this step, counted from 0, is one that two more steps leave as it is.
    rests: fn(u64) -> bool,
}

impl<T> Debug for TransformLaws<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransformLaws")
            .field("name", &self.name)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl<T> TransformLaws<T> {
    /// The laws of a transform that `init` makes, and whose `apply` changes the gradients of a model. They are
    /// checked on `device`, which is given without autodiff.
    pub fn new(
        name: impl Into<String>,
        init: impl Fn() -> T + 'static,
        apply: impl Fn(&mut T, &Vec<Weights>, GradientsParams) -> GradientsParams + 'static,
        device: &Device,
    ) -> Self {
        Self {
            name: name.into(),
            init: Box::new(init),
            apply: Box::new(apply),
            saved: None,
            goes_back: None,
            is_neutral: false,
            removes: 0,
            device: device.clone().without_autodiff(),
        }
    }

    /// `save` returns the state of the transform that a resumed run needs, if there is one, and `load` loads it into a new
    /// transform.
    pub fn saved(
        mut self,
        save: impl Fn(&T) -> Option<Vec<u8>> + 'static,
        load: impl Fn(&mut T, &[u8]) + 'static,
    ) -> Self {
        self.saved = Some(Saved {
            save: Box::new(save),
            load: Box::new(load),
        });
        self
    }

    /// `keep` returns the state of the transform that goes back with the weights when a training that has diverged returns
    /// to earlier weights, if there is one, and `put_back` returns the transform to it. A state that two steps leave as it
    /// is breaks the law, since it could not be seen whether it is put back, unless the steps at which it is so are
    /// [declared](Self::goes_back_but_rests).
    pub fn goes_back(
        self,
        keep: impl Fn(&T) -> Option<Vec<u8>> + 'static,
        put_back: impl Fn(&mut T, &[u8]) + 'static,
    ) -> Self {
        self.goes_back_but_rests(keep, put_back, |_| false)
    }

    /// [`goes_back`](Self::goes_back) of a transform whose state two steps do not always change, such as a count that has reached
    /// its limit. `rests` says of each of the six steps of a run, counted from 0, whether two more steps leave the state before
    /// it as it is. That is checked as well: a state that rests where this is not declared breaks the law, and so does one
    /// that does not rest where it is, and one that is declared to rest at all steps.
    pub fn goes_back_but_rests(
        mut self,
        keep: impl Fn(&T) -> Option<Vec<u8>> + 'static,
        put_back: impl Fn(&mut T, &[u8]) + 'static,
        rests: fn(u64) -> bool,
    ) -> Self {
        self.goes_back = Some(GoesBack {
            keep: Box::new(keep),
            put_back: Box::new(put_back),
            rests,
        });
        self
    }

    /// Declares that the transform is configured to change nothing.
    pub fn neutral(mut self) -> Self {
        self.is_neutral = true;
        self
    }

    /// Declares that the transform removes exactly `count` of the two gradients of the first [`Weights`], as one that
    /// freezes a part of the model does. Default: 0.
    pub fn removes(mut self, count: usize) -> Self {
        self.removes = count;
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        let whole = OnceCell::new();
        // The run without an interruption, with which three laws compare others.
        let whole = || whole.get_or_init(|| self.run_to_the_end(None));
        report.check("repeats itself", || {
            let (first, _) = whole();
            same("a second run", &self.run_to_the_end(None).0, first)
        });
        report.check("neither adds nor loses a gradient", || {
            self.each_type(|before, after, count| {
                if after.len() + self.removes == before.len() && count == after.len() {
                    Ok(())
                } else {
                    Err(format!(
                        "of the gradients of {before:?} it makes {count}, with those of {after:?}"
                    ))
                }
            })
        });
        report.check("keeps shape, element type and device", || {
            self.each_type(|before, after, _| {
                let kept = after.iter().all(|kind| before.contains(kind));
                if kept {
                    Ok(())
                } else {
                    Err(format!("{before:?} became {after:?}"))
                }
            })
        });
        report.check("leaves the gradients of other modules", || self.others());
        report.check("changes a tied parameter's gradient once", || self.tied());
        if self.saved.is_some() {
            report.check("resumes after every step", || {
                let (whole, states) = whole();
                (0..STEPS).try_for_each(|at| {
                    let (resumed, states_then) = self.run_to_the_end(Some(at));
                    same(&format!("resumed after {at} steps"), &resumed, whole)?;
                    if states_then == *states {
                        Ok(())
                    } else {
                        Err(format!(
                            "resumed after {at} steps, it ends in another state"
                        ))
                    }
                })
            });
        }
        if let Some(how) = &self.goes_back {
            report.check("goes back with the weights", || {
                if (0..STEPS).all(how.rests) {
                    return Err("its state is declared to rest at all steps".to_owned());
                }
                let (whole, [_, state]) = whole();
                (0..STEPS).try_for_each(|at| {
                    let (gone_back, state_then) = self.run_back(how, at)?;
                    same(&format!("gone back to step {at}"), &gone_back, whole)?;
                    if state_then == *state {
                        Ok(())
                    } else {
                        Err(format!("gone back to step {at}, it ends in another state"))
                    }
                })
            });
        }
        if self.is_neutral {
            report.check("changes nothing", || {
                let model = self.weights(1, DType::F32);
                let given = (0..STEPS).flat_map(|at| numbers(&model, &model.grads(at)));
                same("gradients", &whole().0, &given.collect::<Vec<_>>())
            });
        }
        report
    }

    fn weights(&self, seed: u64, dtype: DType) -> Weights {
        Weights::new(seed, dtype, &self.device.clone().autodiff())
    }

    /// All gradients that the transform returns in a run, and its states at the end: the one that is saved, and the one that goes
    /// back.
    fn run_to_the_end(&self, reloaded_at: Option<u64>) -> (Vec<f64>, [State; 2]) {
        let (mut transform, mut model) = ((self.init)(), vec![self.weights(1, DType::F32)]);
        let mut all = Vec::new();
        for at in 0..STEPS {
            if let (Some(how), true) = (&self.saved, reloaded_at == Some(at)) {
                let state = (how.save)(&transform);
                transform = (self.init)();
                if let Some(state) = state {
                    (how.load)(&mut transform, &state);
                }
            }
            let grads = model[0].grads(at);
            let grads = (self.apply)(&mut transform, &model, grads);
            all.extend(numbers(&model[0], &grads));
            model = model
                .into_iter()
                .map(|weights| weights.shifted(0.125))
                .collect();
        }
        let saved = self.saved.as_ref().map(|how| &how.save);
        let kept = self.goes_back.as_ref().map(|how| &how.keep);
        let states = [saved, kept].map(|keep| keep.and_then(|keep| keep(&transform)));
        (all, states)
    }

    /// All gradients, and the state at the end, of a run that goes astray for two steps before step `at`, and then goes back.
    fn run_back(&self, how: &GoesBack<T>, at: u64) -> Result<(Vec<f64>, State), String> {
        let (mut transform, mut model) = ((self.init)(), vec![self.weights(1, DType::F32)]);
        let mut all = Vec::new();
        for step in 0..STEPS {
            if at == step {
                let kept = (how.keep)(&transform);
                for astray in 0..2 {
                    let grads = model[0].grads(100 + astray);
                    let _ = (self.apply)(&mut transform, &model, grads);
                }
                if let Some(kept) = &kept {
                    match (
                        (how.keep)(&transform).as_ref() == Some(kept),
                        (how.rests)(step),
                    ) {
                        (true, false) => {
                            return Err(format!(
                                "two steps leave the state of step {step} as it is"
                            ));
                        }
                        (false, true) => {
                            return Err(format!(
                                "the state of step {step} is declared to rest, and two steps change it"
                            ));
                        }
                        _ => {}
                    }
                    (how.put_back)(&mut transform, kept);
                }
                if (how.keep)(&transform) != kept {
                    return Err(format!(
                        "the state of step {step} is another one when it is back"
                    ));
                }
            }
            let grads = (self.apply)(&mut transform, &model, model[0].grads(step));
            all.extend(numbers(&model[0], &grads));
            model = model
                .into_iter()
                .map(|weights| weights.shifted(0.125))
                .collect();
        }
        Ok((all, (how.keep)(&transform)))
    }

    /// Checks the gradients of three steps of one transform, in each element type in which the device computes: the two that it
    /// gets, those of them that it returns, and how many it returns in all.
    fn each_type(
        &self,
        check: impl Fn(&[String], &[String], usize) -> Result<(), String>,
    ) -> Result<(), String> {
        for dtype in dtypes(&self.device) {
            let (mut transform, model) = ((self.init)(), vec![self.weights(1, dtype)]);
            for at in 0..3 {
                let grads = model[0].grads(at);
                let before = kinds(&model[0], &grads);
                let grads = (self.apply)(&mut transform, &model, grads);
                check(&before, &kinds(&model[0], &grads), grads.len())?;
            }
        }
        Ok(())
    }

    fn others(&self) -> Result<(), String> {
        let (model, other) = (
            vec![self.weights(1, DType::F32)],
            self.weights(2, DType::F32),
        );
        let given = numbers(&other, &other.grads(5));
        let mut grads = model[0].grads(0);
        let mut others = other.grads(5);
        let moved = others.remove::<1>(other.vector.id);
        grads.register(other.vector.id, moved.expect("it is there"));
        let moved = others.remove::<2>(other.matrix.id);
        grads.register(other.matrix.id, moved.expect("it is there"));
        let grads = (self.apply)(&mut (self.init)(), &model, grads);
        same("those of the other", &numbers(&other, &grads), &given)
    }

    fn tied(&self) -> Result<(), String> {
        let weights = self.weights(1, DType::F32);
        let (mut once, mut twice) = ((self.init)(), (self.init)());
        let at_one = vec![weights.clone()];
        let at_two = vec![weights.clone(), weights.clone()];
        (0..3).try_for_each(|seed| {
            let expected = (self.apply)(&mut once, &at_one, weights.grads(seed));
            let got = (self.apply)(&mut twice, &at_two, weights.grads(seed));
            let (got, expected) = (numbers(&weights, &got), numbers(&weights, &expected));
            same("tied at two places", &got, &expected)
        })
    }
}

fn numbers(weights: &Weights, grads: &GradientsParams) -> Vec<f64> {
    let vector = grads.get::<1>(weights.vector.id).map(read);
    let matrix = grads.get::<2>(weights.matrix.id).map(read);
    [vector, matrix].into_iter().flatten().flatten().collect()
}

/// What is not to change of each gradient that is there, with the name of its parameter.
fn kinds(weights: &Weights, grads: &GradientsParams) -> Vec<String> {
    fn kind<const D: usize>(name: &str, grad: Tensor<D>) -> String {
        let (shape, dtype, device) = (grad.dims(), grad.dtype(), grad.device());
        format!("{name} {shape:?} {dtype:?} {device:?}")
    }
    let vector = grads.get::<1>(weights.vector.id);
    let matrix = grads.get::<2>(weights.matrix.id);
    let vector = vector.map(|grad| kind("vector", grad));
    let matrix = matrix.map(|grad| kind("matrix", grad));
    [vector, matrix].into_iter().flatten().collect()
}
