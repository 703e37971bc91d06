//! The page of a diagnosis: what it holds, and that a browser shows it.

use burn_tricks_diagnose::{
    Diagnosis, EpochMetrics, History, LrCurve, LrRange, ParamHistory, ParamStep, ProbeHistory,
    ProbeStep, StepHistory, TensorStats,
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
    history
}

fn page() -> String {
    Diagnosis::from_history(history()).to_html("A tower <of sigmoids>")
}

#[test]
fn the_page_holds_the_findings_the_drawings_and_the_numbers_and_loads_nothing() {
    let page = page();
    assert!(page.contains("A tower &lt;of sigmoids&gt;") && !page.contains("<of sigmoids>"));
    assert!(page.contains("vanishing gradient") && page.contains("article class=\"fault\""));
    assert_eq!(page.matches("<svg role=\"img\"").count(), 6);
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

#[test]
fn a_diagnosis_of_nothing_has_a_page() {
    let page = Diagnosis::from_history(History::default()).to_html("empty");
    assert!(page.contains("no parameters"));
    assert!(!page.contains("<svg") && !page.contains("NaN"));
}

/// Whether there is a Chromium. Without one, a test says on the terminal, past the capture of the test harness, that it is skipped,
/// or fails if the environment says that there must be one.
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
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
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

/// Where there is a Chromium, as Debian's `chromium`. `KEEP_SCREENSHOTS` names a folder to look at them, with the page.
#[test]
fn a_browser_shows_it_without_an_error_in_both_themes_and_two_widths() {
    if !has_browser("a_browser_shows_it_without_an_error_in_both_themes_and_two_widths") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, page()).unwrap();
    let keep = std::env::var_os("KEEP_SCREENSHOTS");
    for (theme, scheme) in [("light", 1), ("dark", 0)] {
        for (width, height) in [(1280, 2600), (500, 3600)] {
            let shot = folder.path().join(format!("{theme}-{width}.png"));
            let output = Command::new("chromium")
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
                    folder.path().join("profile").display()
                ))
                .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
                .arg(format!("--window-size={width},{height}"))
                .arg(format!("--screenshot={}", shot.display()))
                .arg(format!("file://{}", file.display()))
                .output()
                .unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
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
