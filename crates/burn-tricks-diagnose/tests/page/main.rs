//! The page of a diagnosis: what it holds, and that a browser shows it.

use burn_tricks_diagnose::{
    Capacity, Diagnosis, EpochMetrics, History, LrCurve, LrRange, ParamHistory, ParamStep,
    ProbeHistory, ProbeStep, StepHistory, TensorStats, TrialKind, TrialResult,
};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Ten layers whose gradient shrinks by four from each to the one before it, over 200 recorded steps.
fn history() -> History {
    let mut history = History::default();
    history.steps_taken = 2000;
    history.steps = (1..=200)
        .map(|at| {
            let mut step = StepHistory::default();
            (step.step, step.lr) = (10 * at, 1e-3);
            step
        })
        .collect();
    history.losses = (0..2000)
        .map(|step| 2.3 + 0.01 * f64::from(step % 7))
        .collect();
    for layer in 0..10 {
        let mut param = ParamHistory::default();
        param.path = format!("encoder.blocks.{layer}.a_long_name_of_a_layer.weight");
        (param.layer, param.shape) = ("Linear".into(), vec![64, 64]);
        (param.fan_in, param.fan_out, param.units) = (Some(64), Some(64), Some(64));
        let mut stats = TensorStats::default();
        (stats.norm, stats.deviation, stats.min, stats.max) = (8.0, 0.125, -0.4, 0.4);
        (param.initial, param.last, param.moved) = (stats, stats, 0.5);
        let gradient = 0.25f64.powi(9 - layer);
        param.steps = history
            .steps
            .iter()
            .map(|of| {
                let mut at = ParamStep::default();
                (at.step, at.weight, at.update) = (of.step, 8.0, Some(1e-3));
                at.gradient = if of.step > 1800 && layer == 0 {
                    0.0
                } else {
                    gradient
                };
                at
            })
            .collect();
        history.params.push(param);
        let mut probe = ProbeHistory::default();
        (probe.name, probe.units, probe.inputs) = (format!("block {layer} <output>"), 64, 512);
        probe.dead_units = layer as usize;
        let mut step = ProbeStep::default();
        (step.step, step.min, step.max) = (2000, 0.0, 1.0 / f64::from(layer + 1));
        (step.mean, step.deviation, step.zeros) = (0.5 * step.max, 0.2 * step.max, 0.1);
        probe.steps = vec![step];
        history.probes.push(probe);
    }
    history.epochs = (0..20)
        .map(|epoch| {
            let loss = 2.3 - 0.01 * f64::from(epoch);
            EpochMetrics::new()
                .with_train_loss(loss)
                .with_valid_loss(loss + 0.02)
                .with_valid_accuracy(0.1)
        })
        .collect();
    let mut range = LrRange::default();
    range.curves = (0..3)
        .map(|seed| {
            let rates = (0..60)
                .map(|at| 1e-6 * 10f64.powf(f64::from(at) / 8.0))
                .collect();
            let loss = |at: i32| {
                2.3 - 1.5 * (f64::from(at) / 40.0).powi(3)
                    + (f64::from(at - 40) / 10.0).max(0.0).exp()
            };
            LrCurve::new(
                seed,
                rates,
                (0..60).map(|at| loss(at) + 0.1 * seed as f64).collect(),
            )
        })
        .collect();
    history.lr_range = Some(range);
    history.capacity = Some(capacity());
    history
}

/// A capacity test in which more data helps, over three seeds.
fn capacity() -> Capacity {
    let mut capacity = Capacity::default();
    capacity.rows = 1400;
    let of = |(kind, [train, valid]): (TrialKind, [f64; 2])| {
        let result = |seed: i32| TrialResult {
            train_loss: train + 0.001 * f64::from(seed),
            valid_loss: valid + 0.001 * f64::from(seed),
        };
        (kind, (0..3).map(result).collect())
    };
    let losses = [
        (TrialKind::Full, [0.10, 0.30]),
        (TrialKind::Half, [0.05, 0.55]),
        (TrialKind::Quarter, [0.01, 0.90]),
        (TrialKind::OneBatch, [0.001, 2.0]),
        (TrialKind::ShuffledLabels, [2.2, 2.4]),
        (TrialKind::BlankInputs, [2.3, 2.3]),
    ];
    capacity.results = losses.map(of).to_vec();
    capacity
}

fn page() -> String {
    Diagnosis::from_history(history()).to_html("A tower <of sigmoids>")
}

#[test]
fn the_page_holds_the_findings_the_drawings_and_the_numbers_and_loads_nothing() {
    let page = page();
    assert!(page.contains("A tower &lt;of sigmoids&gt;") && !page.contains("<of sigmoids>"));
    assert!(page.contains("vanishing gradient") && page.contains("article class=\"fault\""));
    assert_eq!(page.matches("<svg role=\"img\"").count(), 7);
    // One cell per layer and drawn step.
    let steps = 200usize.div_ceil(200usize.div_ceil(80));
    assert_eq!(page.matches(", step ").count(), 10 * steps);
    assert_eq!(page.matches("class=\"none\"").count(), 7);
    for loads in [
        "<script",
        "http-equiv=\"refresh\"",
        "url(",
        "@import",
        "<img",
        "href=\"http",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
    // Each row of the table of parameters.
    assert_eq!(page.matches("[64, 64]").count(), 10);
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

/// The three shares of the data, from left to right, and the losses of each: a lower loss is further down.
#[test]
fn the_learning_curve_has_a_line_for_each_loss() {
    let page = page();
    let (_, drawing) = page.split_once("Does more data help?").unwrap();
    let (drawing, _) = drawing.split_once("</svg>").unwrap();
    assert!(drawing.contains("share of the training rows"));
    let places = |line: &str| -> Vec<[f64; 2]> {
        let (_, rest) = drawing
            .split_once(&format!("class=\"line {line}\" points=\""))
            .unwrap();
        let (points, _) = rest.split_once('"').unwrap();
        let place = |point: &str| {
            let (x, y) = point.split_once(',').unwrap();
            [x, y].map(|number| number.parse().unwrap())
        };
        points.split(' ').map(place).collect()
    };
    let [train, valid] = ["line0", "line1"].map(places);
    assert!(drawing.contains("training loss") && drawing.contains("validation loss"));
    let shares = |of: &[[f64; 2]]| -> Vec<f64> { of.iter().map(|[x, _]| *x).collect() };
    assert_eq!((train.len(), shares(&train)), (3, shares(&valid)));
    for pair in [0, 1] {
        assert!(train[pair][0] < train[pair + 1][0], "{train:?}");
        assert!(train[pair][1] > train[pair + 1][1], "{train:?}");
        assert!(valid[pair][1] < valid[pair + 1][1], "{valid:?}");
    }
    assert!((0..3).all(|at| valid[at][1] < train[at][1]));
}

#[test]
fn a_diagnosis_of_nothing_has_a_page() {
    let page = Diagnosis::from_history(History::default()).to_html("empty");
    assert!(page.contains("no parameters"));
    assert!(!page.contains("<svg") && !page.contains("NaN"));
}

/// Whether there is a Chromium. Without one, a test says on the terminal, past the capture of the test harness, that it
/// is skipped, or fails if the environment says that there must be one.
fn has_browser(test: &str) -> bool {
    let is_there = Command::new("chromium").arg("--version").output().is_ok();
    let is_required = std::env::var_os("REQUIRE_CHROMIUM").is_some();
    assert!(
        is_there || !is_required,
        "there is no `chromium` in the path, and REQUIRE_CHROMIUM is set"
    );
    if !is_there {
        let mut terminal = std::io::stderr();
        let _ = writeln!(
            terminal,
            "SKIPPED {test}: there is no `chromium` in the path"
        );
    }
    is_there
}

/// A Chromium, as Debian's `chromium`, without a window; its profile lies in `home`.
fn browser(home: &Path) -> Command {
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ])
        .arg(format!(
            "--user-data-dir={}",
            home.join("profile").display()
        ));
    command
}

/// Where there is a Chromium: as wide as a phone, the page does not have to be moved sideways. A window is never narrower than
/// 500 pixels, so the page stands in a frame.
#[test]
fn at_the_width_of_a_phone_nothing_is_cut_off() {
    if !has_browser("at_the_width_of_a_phone_nothing_is_cut_off") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("phone.html");
    let escaped = page().replace('&', "&amp;").replace('"', "&quot;");
    let measures = "const page = document.querySelector('iframe').contentDocument.documentElement; \
                    document.title = 'width ' + page.clientWidth + ' of ' + page.scrollWidth + ' height ' + page.scrollHeight";
    let wrapper = format!(
        "<!doctype html><title>none</title><iframe style=\"width:390px;height:800px;border:0\" srcdoc=\"{escaped}\"></iframe>\
         <script>addEventListener('load', () => {{ {measures} }})</script>"
    );
    fs::write(&file, wrapper).unwrap();
    let output = browser(folder.path())
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"));
    let title = title.map_or("no title", |(title, _)| title);
    let numbers: Vec<usize> = title
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [client, scroll, height] = numbers[..] else {
        panic!("{title}: {}", String::from_utf8_lossy(&output.stderr));
    };
    assert_eq!(client, 390, "{title}");
    assert!(
        scroll <= client,
        "{title}: the page is wider than the phone"
    );
    assert!(height > 1000, "{title}: there is no page");
}

/// What the browser writes on the terminal while it opens `page` in `folder` and makes a picture of it
/// in `shot`; the arguments say how.
fn opened(folder: &Path, page: &str, shot: &Path, arguments: &[String]) -> String {
    let file = folder.join("page.html");
    fs::write(&file, page).unwrap();
    let output = browser(folder)
        .args(arguments)
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Where there is a Chromium. `KEEP_SCREENSHOTS` names a folder to look at its pictures, with the page.
#[test]
fn a_browser_shows_it_without_an_error_in_both_themes_and_two_widths() {
    if !has_browser("a_browser_shows_it_without_an_error_in_both_themes_and_two_widths") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page();
    let keep = std::env::var_os("KEEP_SCREENSHOTS");
    for (theme, scheme) in [("light", 1), ("dark", 0)] {
        for (width, height) in [(1280, 2900), (500, 3900)] {
            let shot = folder.path().join(format!("{theme}-{width}.png"));
            let arguments = [
                format!("--blink-settings=preferredColorScheme={scheme}"),
                format!("--window-size={width},{height}"),
            ];
            let log = opened(folder.path(), &page, &shot, &arguments);
            assert!(!log.contains("CONSOLE"), "{log}");
            assert!(
                fs::metadata(&shot).is_ok_and(|shot| shot.len() > 20_000),
                "{log}"
            );
            if let Some(keep) = &keep {
                fs::copy(&shot, Path::new(keep).join(format!("{theme}-{width}.png"))).unwrap();
            }
        }
    }
}

/// Otherwise the test above would pass with a browser that says nothing of the errors of a page. This one is that its policy
/// forbids the script.
#[test]
fn a_browser_tells_of_an_error_in_a_page() {
    if !has_browser("a_browser_tells_of_an_error_in_a_page") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let shot = folder.path().join("error.png");
    let broken = page().replace("</body>", "<script>forbidden()</script></body>");
    assert!(broken.contains("forbidden()"), "the page has no end");
    let log = opened(folder.path(), &broken, &shot, &[]);
    let told = log.lines().find(|line| line.contains("CONSOLE"));
    assert!(
        told.is_some_and(|line| line.contains("Content Security Policy")),
        "{log}"
    );
}
