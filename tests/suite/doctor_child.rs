//! Work in a child process.

use crate::models::alone;
use burn::nn::LinearConfig;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::diagnose::{ChildProcessError, LrRange, LrRangeTestConfig, in_child_process_of};
use burn_tricks::force_init;
use std::process::Command;

/// This test program, running one test.
fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let (_, module) = module_path!().split_once("::").unwrap();
    command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]);
    command
}

fn draw(device: &Device) -> Vec<f32> {
    let drawn = Tensor::<1>::random([4], Distribution::Default, device);
    drawn.into_data().iter().collect()
}

fn range(device: &Device) -> LrRange {
    let model = LinearConfig::new(4, 1).init(device);
    force_init(&model);
    let inputs = Tensor::<2>::random([16, 4], Distribution::Normal(0.0, 1.0), device);
    let targets = inputs.clone().sum_dim(1);
    let test = LrRangeTestConfig::new().with_steps(12).init().unwrap();
    test.run(&model, &SgdConfig::new().init(), device, |model, _, _| {
        (model.forward(inputs.clone()) - targets.clone())
            .square()
            .mean()
    })
}

#[test]
fn a_range_test_in_a_child_process_leaves_the_random_stream_alone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(11);
    let command = this_test("a_range_test_in_a_child_process_leaves_the_random_stream_alone");
    let of_child: LrRange = in_child_process_of(command, "range", || range(&device)).unwrap();
    let after = draw(&device);
    device.seed(11);
    assert_eq!(
        after,
        draw(&device),
        "the stream goes on as if there had been no test"
    );
    // The child came to the same point, so the test is the same; in this process it changes the stream.
    device.seed(11);
    assert_eq!(of_child, range(&device));
    assert_ne!(after, draw(&device));
    assert_eq!(of_child.curves.len(), 3);
}

#[test]
fn a_child_that_does_not_come_to_the_call_is_an_error_that_quotes_it() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo lost the way >&2; exit 3"]);
    let error = in_child_process_of(command, "range", || 1).unwrap_err();
    assert!(matches!(error, ChildProcessError::NoResult { .. }));
    let text = error.to_string();
    assert!(
        text.contains("`range`") && text.contains("exit status: 3"),
        "{text}"
    );
    assert!(text.ends_with("lost the way"), "{text}");
    // A child that ends well without a result is none either.
    let error = in_child_process_of(Command::new("true"), "range", || 1).unwrap_err();
    assert!(
        matches!(error, ChildProcessError::NoResult { .. }),
        "{error}"
    );
    let missing = Command::new("/no/such/program");
    let error = in_child_process_of(missing, "range", || 1).unwrap_err();
    assert!(matches!(error, ChildProcessError::Io { .. }), "{error}");
}

#[test]
fn a_child_does_the_work_of_an_earlier_call_itself() {
    let _alone = alone();
    let name = "a_child_does_the_work_of_an_earlier_call_itself";
    let first: u32 = in_child_process_of(this_test(name), "first", std::process::id).unwrap();
    let second = in_child_process_of(this_test(name), "second", || (first, std::process::id()));
    let (first_of_second, second): (u32, u32) = second.unwrap();
    assert_eq!(first_of_second, second, "the second child did both");
    assert!(first != std::process::id() && second != std::process::id() && first != second);
}
