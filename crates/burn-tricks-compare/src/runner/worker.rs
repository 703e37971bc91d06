//! One worker process, from its start to its end.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How long to wait for output before looking at the worker again.
const TICK: Duration = Duration::from_millis(20);

/// How long to wait for output after the worker has ended. Its output ends with it, unless a process
/// that it started holds it open.
const GRACE: Duration = Duration::from_secs(2);

/// How much of standard error is kept: that many of the last lines, and of each that many
/// characters.
const STDERR_LINES: usize = 20;
const STDERR_COLUMNS: usize = 500;

/// A worker process, which is killed and waited for when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    output: Receiver<Output>,
    stderr: VecDeque<String>,
    /// Whether the message of a panic has ended: what follows is its backtrace.
    is_past_panic: bool,
    /// How it has ended, and how long its output has been waited for since.
    ended: Option<(ExitStatus, Duration)>,
}

/// What happened to a worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// It printed a line on standard output.
    Line(String),
    /// It has ended, and its output has been read.
    Exited(ExitStatus),
    /// Nothing of interest for a short while.
    Idle,
}

#[derive(Debug)]
enum Output {
    Stdout(String),
    Stderr(String),
}

impl Worker {
    /// Starts it, in a process group of its own if so asked: then the terminal's Ctrl-C does not reach
    /// it.
    pub(crate) fn start(mut command: Command, own_group: bool) -> io::Result<Self> {
        #[cfg(unix)]
        if own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        #[cfg(not(unix))]
        let _ = own_group;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Bounded, so that a worker cannot print faster than it is read.
        let (sender, output) = sync_channel(64);
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, Output::Stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, Output::Stderr, sender);
        }
        Ok(Self {
            child,
            output,
            stderr: VecDeque::new(),
            is_past_panic: false,
            ended: None,
        })
    }

    /// What happens next, within a short while.
    pub(crate) fn next(&mut self) -> io::Result<Event> {
        if self.ended.is_none() {
            let status = self.child.try_wait()?;
            self.ended = status.map(|status| (status, Duration::ZERO));
        }
        if let Some((status, waited)) = self.ended
            && waited > GRACE
        {
            return Ok(Event::Exited(status));
        }
        let start = Instant::now();
        let output = self.output.recv_timeout(TICK);
        if let Some((_, waited)) = &mut self.ended {
            // Without the time that the caller takes for a line, which it may write to a slow disk.
            *waited += start.elapsed();
        }
        match output {
            Ok(Output::Stdout(line)) => return Ok(Event::Line(line)),
            Ok(Output::Stderr(line)) => self.keep(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match self.ended {
                Some((status, _)) => return Ok(Event::Exited(status)),
                None => thread::sleep(TICK),
            },
        }
        Ok(Event::Idle)
    }

    /// The last lines of standard error so far.
    pub(crate) fn stderr_tail(&self) -> String {
        Vec::from_iter(self.stderr.iter().map(String::as_str)).join("\n")
    }

    /// Keeps a line of standard error: the last ones, but of a panic its message and not the backtrace behind it.
    fn keep(&mut self, mut line: String) {
        let has_panicked = self.stderr.iter().any(|kept| is_panic(kept));
        if is_panic(&line) && !has_panicked {
            self.stderr.clear();
        }
        let ends_message =
            line == "stack backtrace:" || line.starts_with("note: run with `RUST_BACKTRACE");
        if self.is_past_panic || has_panicked && ends_message {
            self.is_past_panic = true;
            return;
        }
        if let Some((end, _)) = line.char_indices().nth(STDERR_COLUMNS) {
            line.truncate(end);
        }
        if self.stderr.len() == STDERR_LINES {
            self.stderr.pop_front();
        }
        self.stderr.push_back(line);
    }
}

fn is_panic(line: &str) -> bool {
    line.starts_with("thread ") && line.contains(" panicked at ")
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both do nothing to a worker that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the lines of a stream, on a thread that ends with the stream or the receiver.
fn forward<R>(stream: R, wrap: fn(String) -> Output, sender: SyncSender<Output>)
where
    R: Read + Send + 'static,
{
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']).to_owned();
            if sender.send(wrap(text)).is_err() {
                break;
            }
            line.clear();
        }
    });
}
