//! The HTML page: what it holds, and what a browser makes of it.

use std::{fs, path::Path, process::Command};

use burn_tricks_compare::{Comparison, PageInfo, TrainingRun};
use serde_json::json;

use crate::comparison;

fn with_curves_and_settings() -> Comparison {
    let Comparison {
        protocol,
        mut recipes,
        mut runs,
        ..
    } = comparison(17);
    for recipe in &mut recipes {
        recipe.settings = json!({"rate": 0.1, "optimizer": {"name": "sgd"}});
        if recipe.name == "momentum" {
            recipe.settings["optimizer"]["momentum"] = json!(0.9);
            recipe.about = "heavy <b>ball</b> & more".to_owned();
        }
    }
    for run in &mut runs {
        let rate = if run.variant == "momentum" { 3.0 } else { 1.0 };
        for step in (0..=3300).step_by(330) {
            let noise = ((run.seed * 13 + step) % 7) as f64 / 100.0;
            let loss = 0.2 + 2.0 * (-rate * step as f64 / 900.0).exp() + noise;
            TrainingRun::add_point(run, step, "validation loss", loss);
        }
    }
    Comparison::init(&protocol, &recipes, &runs).unwrap()
}

fn page() -> String {
    with_curves_and_settings().html(&PageInfo {
        title: "Tricks <compared>".to_owned(),
        facts: vec![
            ("command".to_owned(), "compare --only 'a' && b".to_owned()),
            ("machine".to_owned(), "2 cores".to_owned()),
        ],
        texts: vec![("Interactions".to_owned(), "clip × <warm-up>".to_owned())],
    })
}

#[test]
fn the_page_holds_every_row_and_needs_nothing_from_elsewhere() {
    let page = page();
    for expected in [
        "<title>Tricks &lt;compared&gt;</title>",
        "compare --only 'a' &amp;&amp; b",
        "heavy &lt;b&gt;ball&lt;/b&gt; &amp; more",
        "optimizer.momentum",
        "<del>(absent)</del>",
        "<ins>0.9</ins>",
        "target not reached (0 of 10, 0 of 10)",
        "Forest plot of speed",
        "<h2>Interactions</h2><pre>clip × &lt;warm-up&gt;</pre>",
        "Benefit in speed against time per step",
        "validation loss: median over seeds",
        "prefers-color-scheme:dark",
        "noise, seed 2: out of memory",
    ] {
        assert!(page.contains(expected), "{expected:?}");
    }
    // The only address is the name of the SVG format.
    let without = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!without.contains("http:") && !without.contains("https:") && !without.contains("url("));
    assert_eq!(page.matches("<details").count(), 4);
    // Four questions, cost against three of them, and curves for each row.
    assert_eq!(page.matches("<svg ").count(), 4 + 3 + 4);
    assert_eq!(page.matches("role=\"img\"").count(), 11);
}

#[test]
fn a_forest_plot_has_every_row_that_has_an_effect() {
    let comparison = with_curves_and_settings();
    let svg = comparison.forest_svg("speed").unwrap();
    for name in [
        "momentum", "hot", "noise", "deep|cut", "helps", "hurts", "faster",
    ] {
        let expected = if name == "faster" {
            "speed, × baseline"
        } else {
            name
        };
        assert!(svg.contains(expected), "{expected} in {svg}");
    }
    assert_eq!(comparison.forest_svg("height"), None);
    let one = comparison
        .forest_svg_of("loss", comparison.rows.iter().take(1))
        .unwrap();
    assert!(one.contains("momentum") && !one.contains("hot"));
}

/// Up is better, whichever sign that is.
#[test]
fn benefit_is_drawn_over_cost() {
    let comparison = with_curves_and_settings();
    let height_of = |question: &str, name: &str| {
        let svg = comparison.benefit_svg(question).unwrap();
        let text = svg
            .split("<text")
            .find(|text| text.contains(&format!("\n{name}\n")));
        let text = text.unwrap_or_else(|| panic!("{name} in {svg}"));
        let y = text
            .split(" y=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        y.parse::<i32>().unwrap()
    };
    // A failed run has the accuracy and the loss of no model.
    for question in ["accuracy", "loss", "speed"] {
        assert!(
            height_of(question, "momentum") < height_of(question, "hot"),
            "{question}"
        );
    }
    // A target that is not reached has no speed to draw.
    assert!(
        !comparison
            .benefit_svg("speed")
            .unwrap()
            .contains("deep|cut")
    );
    assert_eq!(comparison.benefit_svg("height"), None);
}

/// Whether there is a Chromium. Without one a test is skipped, or fails if the environment says that there must be one.
fn has_browser() -> bool {
    let is_there = Command::new("chromium").arg("--version").output().is_ok();
    let is_required = std::env::var_os("REQUIRE_CHROMIUM").is_some();
    assert!(
        is_there || !is_required,
        "there is no `chromium` in the path, and REQUIRE_CHROMIUM is set"
    );
    if !is_there {
        eprintln!("skipped: there is no chromium");
    }
    is_there
}

/// Where there is a Chromium, as Debian's `chromium`. `KEEP_SCREENSHOTS` names a folder to look at them,
/// with the page.
#[test]
fn a_browser_shows_it_without_an_error_in_both_themes_and_two_widths() {
    if !has_browser() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, page()).unwrap();
    if let Some(keep) = std::env::var_os("KEEP_SCREENSHOTS") {
        fs::copy(&file, Path::new(&keep).join("page.html")).unwrap();
    }
    for (theme, dark) in [("light", "false"), ("dark", "true")] {
        for (width, height) in [(1280, 2200), (500, 3000)] {
            let shot = folder.path().join(format!("{theme}-{width}.png"));
            let output = browser(folder.path())
                .arg(format!(
                    "--blink-settings=preferredColorScheme={}",
                    if dark == "true" { 0 } else { 1 }
                ))
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
            if let Some(keep) = std::env::var_os("KEEP_SCREENSHOTS") {
                fs::copy(&shot, Path::new(&keep).join(format!("{theme}-{width}.png"))).unwrap();
            }
        }
    }
}

/// Otherwise the test above would pass with a browser that says nothing of the errors of a page.
#[test]
fn a_browser_tells_of_an_error_in_a_page() {
    if !has_browser() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let error = "<script>undefined_function()</script></body>";
    let broken = page().replace("</body>", error);
    assert!(broken.contains("undefined_function"), "the page has no end");
    fs::write(&file, broken).unwrap();
    let output = browser(folder.path())
        .arg(format!(
            "--screenshot={}",
            folder.path().join("error.png").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    let told = log.lines().find(|line| line.contains("CONSOLE"));
    assert!(
        told.is_some_and(|line| line.contains("undefined_function is not defined")),
        "{log}"
    );
}

/// A click on a head sorts the table, and a second one turns it round: seen in the page that the browser has made.
#[test]
fn a_click_sorts_the_table() {
    if !has_browser() {
        return;
    }
    // By the names, which are not in that order in the page; then by the mean difference in accuracy.
    let cases: [(&[usize], _, _); 3] = [
        (&[0], ["deep|cut", "hot", "noise"], "ascending"),
        (&[0, 2], ["hot", "noise", "deep|cut"], "ascending"),
        (&[0, 2, 2], ["deep|cut", "noise", "hot"], "descending"),
    ];
    for (clicks, expected, way) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.html");
        let click = |column: &usize| {
            format!("document.querySelectorAll('#answers th button')[{column}].click();")
        };
        let click: String = clicks.iter().map(click).collect();
        let script = format!("<script>{click}</script></body>");
        fs::write(&file, page().replace("</body>", &script)).unwrap();
        let output = browser(folder.path())
            .arg("--dump-dom")
            .arg(format!("file://{}", file.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let body = dom.split("<tbody>").nth(1).expect("a table");
        let place = |name: &str| {
            body.find(&format!("<th scope=\"row\">{name}<br><small>vs "))
                .unwrap()
        };
        let mut names = ["hot", "noise", "deep|cut"];
        names.sort_by_key(|name| place(name));
        assert_eq!(names, expected, "{clicks:?}");
        assert!(dom.contains(&format!("aria-sort=\"{way}\"")));
    }
}

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
