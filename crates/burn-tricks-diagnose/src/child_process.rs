//! Work in a child process, which leaves the random stream of this process alone.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// The variable that tells a child which work is wanted, and the one that tells it where to write the result.
const WORK: &str = "BURN_TRICKS_CHILD_WORK";
const RESULT: &str = "BURN_TRICKS_CHILD_RESULT";

/// How much of what a child wrote on its standard error an error quotes.
const QUOTED: usize = 2000;

/// Does `work` in a child process and returns its result. The random streams of this process's devices are not touched.
///
/// The random stream of a device can be neither read nor put back in Burn 0.22, and it is one for the whole process. A
/// learning-rate range test, a noise scale or a capacity test that runs in this process therefore changes the random
/// numbers of the training after it. In a child process it does not.
///
/// The child is this program with the same arguments, started anew: it runs from the beginning of `main` to the call with the same
/// `name`, does `work` there, and ends. So make the call early, before anything expensive; what `work` needs of
/// the present state, such as trained weights, is saved before the call and loaded within it. [`in_child_process_of`] takes
/// another command. A child that comes to a call with another name before does that work itself.
///
/// # Example
///
/// ```no_run
/// use burn::nn::LinearConfig;
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burn_tricks_diagnose::{LrRange, LrRangeTestConfig, in_child_process};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let device = Device::flex().autodiff();
///     device.seed(42);
///     let range: LrRange = in_child_process("lr range", || {
///         let model = LinearConfig::new(4, 1).init(&device);
///         let inputs = Tensor::<2>::random([64, 4], Distribution::Normal(0.0, 1.0), &device);
///         let targets = inputs.clone().sum_dim(1);
///         let test = LrRangeTestConfig::new().init().expect("the defaults are valid");
///         test.run(&model, &SgdConfig::new().init(), &device, |model, _seed, _step| {
///             (model.forward(inputs.clone()) - targets.clone()).square().mean()
///         })
///     })?;
///     println!("{:?}", range.valley());
///     // Here the device draws what it would have drawn without the test.
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// If the child cannot be started, if it ends without having come to the call (the error quotes its last lines on
/// standard error), or if the result cannot be written or read.
pub fn in_child_process<T: Serialize + DeserializeOwned>(
    name: &str,
    work: impl FnOnce() -> T,
) -> Result<T, ChildProcessError> {
    let failed = |error| ChildProcessError::Io {
        name: name.to_owned(),
        error,
    };
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    command.args(env::args_os().skip(1));
    in_child_process_of(command, name, work)
}

/// As [`in_child_process`], with the command that starts the child: a program that comes to the same call.
///
/// # Errors
///
/// As [`in_child_process`].
pub fn in_child_process_of<T: Serialize + DeserializeOwned>(
    mut command: Command,
    name: &str,
    work: impl FnOnce() -> T,
) -> Result<T, ChildProcessError> {
    let failed = |error| ChildProcessError::Io {
        name: name.to_owned(),
        error,
    };
    if let (Some(wanted), Some(path)) = (env::var_os(WORK), env::var_os(RESULT)) {
        let result = work();
        if wanted != name {
            // A child on its way to its own call.
            return Ok(result);
        }
        let result = serde_json::to_vec(&result).map_err(io::Error::from);
        result
            .and_then(|result| fs::write(path, result))
            .map_err(failed)?;
        std::process::exit(0);
    }
    let file = tempfile::NamedTempFile::new().map_err(failed)?;
    let output = command
        .env(WORK, name)
        .env(RESULT, file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(failed)?;
    let result = fs::read(file.path()).map_err(failed)?;
    if !output.status.success() || result.is_empty() {
        let text = String::from_utf8_lossy(&output.stderr);
        let start = text
            .char_indices()
            .rev()
            .nth(QUOTED - 1)
            .map_or(0, |(at, _)| at);
        return Err(ChildProcessError::NoResult {
            name: name.to_owned(),
            status: output.status.to_string(),
            stderr: text[start..].trim().to_owned(),
        });
    }
    serde_json::from_slice(&result).map_err(|error| failed(error.into()))
}

/// Why a child process gave no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChildProcessError {
    /// The child could not be started, or the result not be written or read.
    Io {
        /// The name of the work.
        name: String,
        /// What failed.
        error: io::Error,
    },
    /// The child ended without a result.
    NoResult {
        /// The name of the work.
        name: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote on standard error.
        stderr: String,
    },
}

impl Display for ChildProcessError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { name, error } => write!(f, "the child process for `{name}`: {error}"),
            Self::NoResult {
                name,
                status,
                stderr,
            } => write!(
                f,
                "the child process for `{name}` ended ({status}) without a result: it did not come to the call; its standard error ends with: {stderr}"
            ),
        }
    }
}

impl std::error::Error for ChildProcessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
