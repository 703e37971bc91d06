//! The kernels of wrappers around optimizers, against their twins.

use crate::devices::devices;
use crate::models::{Noise, dtypes, tensor, values};
use crate::oracle::assert_close;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    cast, cast_into, cautious, cautious_twin, compensated, compensated_twin, split_compensation,
    split_compensation_twin, take_over, take_over_twin,
};

/// Sizes within a register, a block and a thread's part, and beyond.
const SIZES: [usize; 6] = [1, 7, 256, 1000, 70_000, 200_003];

fn bits(tensor: &Tensor<1>) -> Vec<u8> {
    tensor.to_data().as_bytes().to_vec()
}

/// New weights, old weights and a gradient; some steps are 0, and some gradients.
fn step(count: usize, dtype: DType, device: &Device) -> [Tensor<1>; 3] {
    let mut noise = Noise(count as u64);
    let old = noise.take(count);
    let mut grad = noise.take(count);
    let mut new: Vec<f64> = old.iter().map(|w| w + 0.1 * noise.next()).collect();
    for at in 0..count {
        match at % 11 {
            3 => new[at] = old[at],
            5 => grad[at] = 0.0,
            _ => {}
        }
    }
    [new, old, grad].map(|numbers| tensor(&numbers, dtype, device))
}

#[test]
fn cautious_steps_are_those_of_the_twin() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for count in SIZES {
                let [new, old, grad] = step(count, dtype, &device);
                let what = format!("{count} of {dtype:?} on {name}");
                let all = || (new.clone(), old.clone(), grad.clone());
                let (a, b, c) = all();
                let kernel = cautious(a, b, c, None);
                let (a, b, c) = all();
                assert_eq!(bits(&kernel), bits(&cautious_twin(a, b, c, None)), "{what}");
                let (a, b, c) = all();
                let kernel = cautious(a, b, c, Some(1e-3));
                let (a, b, c) = all();
                let twin = cautious_twin(a, b, c, Some(1e-3));
                assert_eq!(kernel.dtype(), dtype);
                let tolerance = match dtype {
                    DType::F64 => 1e-12,
                    DType::F32 => 1e-6,
                    DType::F16 => 1e-3,
                    _ => 8e-3,
                };
                assert_close(&values(kernel), &values(twin), tolerance, &what);
                // The new weights were shared, and are as they were.
                let [again, ..] = step(count, dtype, &device);
                assert_eq!(bits(&new), bits(&again), "{what}");
                // Those that nobody else holds are changed in place.
                for least in [None, Some(1e-3)] {
                    let shared = cautious(new.clone(), old.clone(), grad.clone(), least);
                    let [alone, ..] = step(count, dtype, &device);
                    let alone = cautious(alone, old.clone(), grad.clone(), least);
                    assert_eq!(bits(&alone), bits(&shared), "in place: {what}");
                }
            }
        }
    }
}

#[test]
fn a_cautious_step_shows_a_nan_of_the_weights_and_moves_nothing_uphill() {
    for (name, device) in devices() {
        let make = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let old = make(&[1.0; 7]);
        let new = make(&[0.5, 1.5, 0.5, 1.5, 1.0, f64::NAN, 0.5]);
        let grad = make(&[1.0, 1.0, -1.0, -1.0, 1.0, 1.0, f64::NAN]);
        let stepped = values(cautious(new, old, grad, Some(1e-3)));
        // Five of seven are not against their gradients, one of which is lost in rounding.
        let (far, near) = (1.0 - 0.5 * 7.0 / 5.0, 1.0 + 0.5 * 7.0 / 5.0);
        assert_close(&stepped[..5], &[far, 1.0, 1.0, near, 1.0], 1e-6, name);
        assert!(stepped[5].is_nan(), "{name}: {stepped:?}");
        assert_close(&stepped[6..], &[far], 1e-6, name);
    }
}

/// Where there is no gradient no step goes down, whether the weight moves or not.
#[test]
fn a_cautious_step_is_left_out_where_the_gradient_is_zero() {
    for (name, device) in devices() {
        let make = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let (old, new) = (make(&[1.0; 4]), make(&[0.5, 0.5, 1.5, 1.0]));
        let grad = make(&[1.0, 0.0, 0.0, 0.0]);
        let stepped = cautious(new.clone(), old.clone(), grad.clone(), Some(1e-3));
        assert_close(&values(stepped), &[-1.0, 1.0, 1.0, 1.0], 1e-6, name);
        let stepped = cautious(new, old, grad, None);
        assert_eq!(values(stepped), [0.5, 1.0, 1.0, 1.0], "{name}");
    }
}

#[test]
fn a_step_that_goes_down_everywhere_stays_to_the_bit() {
    for dtype in dtypes(&Device::flex()) {
        let [new, old, _] = step(1000, dtype, &Device::flex());
        // Where the weight does not move, the gradient has no direction that it could go up.
        let grad = old.clone() - new.clone();
        let moved = new.clone().not_equal(old.clone());
        let [new, old, grad] = [new, old, grad].map(|all| {
            let rows: Vec<f64> = values(all);
            let moved: Vec<bool> = moved.clone().into_data().iter::<bool>().collect();
            let kept = rows.into_iter().zip(moved).filter(|(_, moved)| *moved);
            let kept: Vec<f64> = kept.map(|(number, _)| number).collect();
            tensor::<1>(&kept, dtype, &Device::flex())
        });
        let stepped = cautious(new.clone(), old, grad, Some(1e-3));
        assert_eq!(bits(&stepped), bits(&new), "{dtype:?}");
    }
}

/// The same numbers as a tensor of rows, and as views of other buffers: a turned one, and a part of a larger one.
fn layouts(numbers: &[f64], dtype: DType, device: &Device) -> [Tensor<2>; 3] {
    let flat = |numbers: &[f64]| tensor::<1>(numbers, dtype, device);
    let plain = flat(numbers).reshape([12, 5]);
    let columns: Vec<f64> = (0..60).map(|at| numbers[at % 12 * 5 + at / 12]).collect();
    let turned = flat(&columns).reshape([5, 12]).transpose();
    let mut more = vec![9.0; 100];
    more[20..80].copy_from_slice(numbers);
    let part = flat(&more).reshape([20, 5]).narrow(0, 4, 12);
    [plain, turned, part]
}

#[test]
fn weights_and_gradients_of_any_layout_are_kept_and_taken_over() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let all = step(60, dtype, &device).map(values);
            let [new, old, grad] = all.each_ref().map(|all| layouts(all, dtype, &device));
            for least in [None, Some(1e-3)] {
                let plain = |of: &[Tensor<2>; 3]| of[0].clone();
                let expected = values(cautious(plain(&new), plain(&old), plain(&grad), least));
                for at in 0..27 {
                    let (a, b, c) = (at / 9, at / 3 % 3, at % 3);
                    // Fresh ones, which nobody else holds.
                    let alone = layouts(&all[0], dtype, &device).into_iter().nth(a).unwrap();
                    let what = format!("layouts {a}, {b}, {c} of {dtype:?} on {name}");
                    for new in [new[a].clone(), alone] {
                        let got = cautious(new, old[b].clone(), grad[c].clone(), least);
                        assert_eq!(values(got), expected, "{what}");
                    }
                }
            }
            if [DType::F16, DType::BF16].contains(&dtype) {
                let mut changed = all[1].clone();
                changed[31] = 7.0;
                let expected = [&all[1][..31], &[7.0], &all[1][32..]].concat();
                let weight = layouts(&changed, dtype, &device);
                for master in layouts(&all[1], DType::F32, &device) {
                    for weight in weight.clone() {
                        let got = values(take_over(master.clone(), weight));
                        assert_eq!(got, expected, "{dtype:?} on {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_cast_is_burns() {
    for (name, device) in devices() {
        let types = dtypes(&device);
        for from in &types {
            for to in &types {
                for count in SIZES {
                    let numbers = Noise(3).take(count);
                    let tensor: Tensor<1> = tensor(&numbers, *from, &device);
                    let got = cast(tensor.clone(), *to);
                    let burns = tensor.cast(*to);
                    assert_eq!(got.dtype(), *to);
                    assert_eq!(
                        bits(&got),
                        bits(&burns),
                        "{count} of {from:?} to {to:?} on {name}"
                    );
                }
            }
        }
    }
    // A tensor that is not contiguous, and one without elements.
    let numbers = Noise(4).take(60);
    let numbers: Tensor<1> = tensor(&numbers, DType::F32, &Device::flex());
    let turned = numbers.reshape([5, 12]).transpose();
    let got = cast(turned.clone(), DType::BF16);
    assert_eq!(got.dims(), [12, 5]);
    let burns = turned.cast(DType::BF16);
    assert_eq!(bits(&got.flatten(0, 1)), bits(&burns.flatten(0, 1)));
    let none = Tensor::<1>::zeros([0], &Device::flex());
    assert_eq!(cast(none, DType::F16).dims(), [0]);
}

#[test]
fn bf16_numbers_are_rounded_and_widened_as_burns_are() {
    // Around each number, and around the middle between it and the next; also infinities and NaNs.
    let lows = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
    let numbers: Vec<f32> = (0..=u32::from(u16::MAX))
        .flat_map(|high| lows.map(|low| f32::from_bits((high << 16) | low)))
        .collect();
    let numbers = Tensor::<1>::from_data(numbers.as_slice(), (&Device::flex(), DType::F32));
    let rounded = cast(numbers.clone(), DType::BF16);
    let burns = numbers.clone().cast(DType::BF16);
    let same = |ours: Tensor<1>, burns: Tensor<1>| {
        for (ours, burns) in values(ours).into_iter().zip(values(burns)) {
            let is_same = ours.to_bits() == burns.to_bits();
            assert!(
                is_same || (ours.is_nan() && burns.is_nan()),
                "{ours:e}, {burns:e}"
            );
        }
    };
    same(rounded.clone(), burns.clone());
    same(cast(burns.clone(), DType::F32), burns.cast(DType::F32));
    let into = numbers.zeros_like().cast(DType::BF16);
    same(cast_into(&numbers, into), rounded);
}

#[test]
fn a_number_is_split_and_put_together_as_by_the_twins() {
    for (name, device) in devices() {
        for dtype in [DType::F16, DType::BF16] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            for count in SIZES {
                let what = format!("{count} of {dtype:?} on {name}");
                let numbers = Noise(count as u64).take(count);
                let exact: Tensor<1> = tensor(&numbers, DType::F32, &device);
                let into = || [(); 2].map(|()| exact.zeros_like().cast(dtype));
                let split = split_compensation(exact.clone(), into());
                let twins = split_compensation_twin(exact.clone(), into());
                assert_eq!(
                    split.each_ref().map(bits),
                    twins.each_ref().map(bits),
                    "{what}"
                );
                let [weight, error] = split;
                assert_eq!(weight.dtype(), dtype);
                assert!(values(error.clone()).iter().any(|error| *error != 0.0) || count < 256);
                let sum = compensated(&weight, &error);
                let twin = compensated_twin(&weight, &error);
                assert_eq!(bits(&sum), bits(&twin), "{what}");
                assert_close(&values(sum.clone()), &numbers, 1e-4, &what);
                // Nothing is lost from then on.
                let [again, lacks] = split_compensation(sum, into());
                assert_eq!(
                    [&again, &lacks].map(bits),
                    [&weight, &error].map(bits),
                    "{what}"
                );
                // Into buffers that somebody else holds, which stay as they are.
                let [held, other] = into();
                let [again, _] = split_compensation(exact.clone(), [held.clone(), other.clone()]);
                assert_eq!(
                    bits(&cast_into(&exact, held.clone())),
                    bits(&exact.clone().cast(dtype))
                );
                assert_eq!(bits(&again), bits(&weight), "{what}");
                assert!(
                    values(held)
                        .into_iter()
                        .chain(values(other))
                        .all(|x| x == 0.0),
                    "{what}"
                );
                // A changed weight is taken over.
                let mut changed = values(weight);
                changed[count / 2] = 0.0;
                let changed = tensor(&changed, dtype, &device);
                let sum = values(compensated(&changed, &error));
                assert_eq!(sum[count / 2], 0.0, "{what}");
            }
        }
    }
    // Tensors that are not contiguous.
    let numbers = Noise(5).take(60);
    let numbers: Tensor<1> = tensor(&numbers, DType::F32, &Device::flex());
    let turned = || numbers.clone().reshape([5, 12]).transpose();
    let into = || [(); 2].map(|()| turned().cast(DType::BF16));
    let split = split_compensation(turned(), into());
    let twins = split_compensation_twin(turned(), into());
    let flat = |tensor: &Tensor<2>| bits(&tensor.clone().flatten(0, 1));
    assert_eq!(split.each_ref().map(flat), twins.each_ref().map(flat));
    assert_eq!(
        flat(&cast_into(&turned(), split[1].clone())),
        flat(&turned().cast(DType::BF16))
    );
    let [weight, error] = &split;
    let (sum, twin) = (compensated(weight, error), compensated_twin(weight, error));
    assert_eq!(flat(&sum), flat(&twin));
}

/// The largest numbers are 65,504 and 0x7f7f. A number just below the middle between them and the next power of two is rounded
/// to them at first, and together with what it lacks, which is rounded too, to infinity.
#[test]
fn a_number_beyond_half_precision_is_infinite_and_lacks_nothing() {
    let device = Device::flex();
    let largest = f32::from_bits(0x7f7f_0000);
    let below = f32::from_bits(0x7f7f_7fff);
    for (dtype, beyond, below, largest) in [
        (DType::F16, 70_000.0, 65_520.0 - 1.0 / 256.0, 65_504.0),
        (DType::BF16, f32::MAX, below, largest),
    ] {
        let numbers = [beyond, -beyond, f32::NAN, f32::INFINITY, below, 1.0];
        let exact = || Tensor::<1>::from_floats(numbers, &device);
        let into = || [(); 2].map(|()| exact().zeros_like().cast(dtype));
        for [weight, lacks] in [
            split_compensation(exact(), into()),
            split_compensation_twin(exact(), into()),
        ] {
            assert_eq!(values(lacks.clone()), [0.0; 6], "{dtype:?}");
            for got in [compensated(&weight, &lacks), weight] {
                let mut got = values(got);
                assert!(got.remove(2).is_nan(), "{dtype:?}");
                let (infinity, largest) = (f64::INFINITY, f64::from(largest));
                let expected = [infinity, -infinity, infinity, largest, 1.0];
                assert_eq!(got, expected, "{dtype:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "the shapes of numbers in half precision and of the exact ones")]
fn numbers_are_cast_into_a_tensor_of_their_shape() {
    let ones = |count| Tensor::<1>::ones([count], &Device::flex());
    let _ = cast_into(&ones(2), ones(3).cast(DType::BF16));
}

#[test]
fn master_weights_take_over_as_the_twin_does() {
    for (name, device) in devices() {
        for dtype in [DType::F16, DType::BF16] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            for count in SIZES {
                let mut noise = Noise(count as u64);
                let numbers = noise.take(count);
                let master: Tensor<1> = tensor(&numbers, DType::F32, &device);
                let mut weight = values(master.clone().cast(dtype));
                let what = format!("{count} of {dtype:?} on {name}");
                let unchanged = tensor(&weight, dtype, &device);
                let same = take_over(master.clone(), unchanged);
                assert_eq!(bits(&same), bits(&master), "{what}");
                for at in (0..count).step_by(300) {
                    weight[at] = if at == 600 { f64::NAN } else { 7.0 };
                }
                let changed: Tensor<1> = tensor(&weight, dtype, &device);
                let kernel = take_over(master.clone(), changed.clone());
                let twin = take_over_twin(master.clone(), changed);
                assert_eq!(bits(&kernel), bits(&twin), "{what}");
                assert_eq!(values(kernel)[0], 7.0, "{what}");
                let again: Tensor<1> = tensor(&numbers, DType::F32, &device);
                assert_eq!(bits(&master), bits(&again), "shared: {what}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "have the shapes [[2], [3], [2]]")]
fn three_tensors_of_a_cautious_step_have_one_shape() {
    let ones = |count| Tensor::<1>::ones([count], &Device::flex());
    let _ = cautious(ones(2), ones(3), ones(2), None);
}

#[test]
#[should_panic(expected = "the shapes of master weight and weight")]
fn a_master_weight_has_the_shape_of_its_weight() {
    let ones = |count| Tensor::<1>::ones([count], &Device::flex());
    let _ = take_over(ones(2), ones(3).cast(DType::BF16));
}
