//! A user's recipes and rows.

use crate::{compare, read, text};

/// A user's recipes and rows, for a classification and a regression.
#[test]
fn recipes_of_a_file_are_compared_on_rows_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let recipes = r#"{"extends": "tabular", "epochs": 4, "quick_epochs": 2, "margins": {"loss": 1.2}, "recipes": [
        {"name": "mine", "baseline": "adam", "about": "Adam with a clip", "change": {"clip": 0.5}}
    ]}"#;
    std::fs::write(path("r.json"), recipes).unwrap();
    let row = |at: usize| {
        let [x, y] = [at % 7, at % 5];
        let kind = if x > y { "upper" } else { "lower" };
        format!("{x},{y},{kind},{}\n", 0.5 * x as f64 - y as f64)
    };
    let rows: String = (0..120).map(row).collect();
    std::fs::write(path("t.csv"), format!("x,y,kind,z\n{rows}")).unwrap();
    let report = |target: &str| {
        let (csv, recipes, json) = (path("t.csv"), path("r.json"), path("o.json"));
        let output = compare(&[
            "--recipe", &recipes, "--csv", &csv, "--target", target, "--seeds", "2", "--json",
            &json,
        ]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), read(json.as_ref()))
    };
    let (told, regression) = report("z");
    assert!(told.contains("regression of `z`"), "{told}");
    assert_eq!(regression.protocol.metrics[0].margin, 1.2);
    let names: Vec<&str> = regression
        .recipes
        .iter()
        .map(|recipe| &*recipe.name)
        .collect();
    assert_eq!(names, ["adam", "mine"]);
    assert_eq!(regression.recipes[1].settings["clip"], 0.5);
    for run in &regression.runs {
        let rmse = run.quality["RMSE"];
        assert!(
            rmse.value > 0.0 && rmse.value < rmse.no_model.unwrap(),
            "{run:?}"
        );
    }
    let (told, classes) = report("kind");
    assert!(
        told.contains("classification of `kind` into 2 classes"),
        "{told}"
    );
    assert!(classes.runs[0].quality["accuracy"].value > 0.5);

    std::fs::write(path("r.json"), recipes.replace("\"clip\"", "\"clipp\"")).unwrap();
    let output = compare(&["--recipe", &path("r.json")]);
    let error = text(&output.stderr);
    assert!(
        error.contains("r.json`: recipe \"mine\": `clipp`: unknown field"),
        "{error}"
    );
    std::fs::write(path("r.json"), recipes.replace("0.5", "-0.5")).unwrap();
    let output = compare(&["--recipe", &path("r.json")]);
    let error = text(&output.stderr);
    assert!(
        error.contains("recipe `mine`: `max_norm` must") && error.contains("-0.5"),
        "{error}"
    );
}
