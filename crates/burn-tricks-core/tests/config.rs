//! What `derive(Config)` says about a value that cannot be saved or loaded.

use burn::config::Config as _;
use burn_tricks_core::Config;

#[derive(Config, Debug)]
struct Inner {
    rate: f64,
}

#[derive(Config, Debug)]
struct Outer {
    steps: usize,
    #[config(default = 0.5)]
    share: f64,
    #[config(default = "Inner::new(0.1)")]
    inner: Inner,
}

fn error(json: &str) -> String {
    let loaded = Outer::load_binary(json.as_bytes());
    loaded.expect_err("a wrong value").to_string()
}

#[test]
fn an_error_of_loading_names_the_field() {
    for (json, expected) in [
        (
            r#"{"steps": 1, "share": null}"#,
            "`share`: invalid type: null, expected f64 at line 1 column 26",
        ),
        (
            r#"{"steps": 1, "inner": {"rate": "high"}}"#,
            "`inner`: `rate`: invalid type: string \"high\", expected f64 at line 1 column 37",
        ),
        (
            r#"{"steps": -1}"#,
            "`steps`: invalid value: integer `-1`, expected usize",
        ),
        ("{}", "missing field `steps`"),
    ] {
        let error = error(json);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    let file = std::env::temp_dir().join(format!("burn-tricks-config-{}", std::process::id()));
    let config = Outer::new(3).with_inner(Inner::new(f64::NAN));
    let error = config.save(&file).expect_err("NaN");
    assert!(
        error
            .to_string()
            .contains("`inner`: `rate`: invalid type: null"),
        "{error}"
    );
    assert!(!file.exists());

    Outer::new(3).with_share(0.25).save(&file).unwrap();
    let loaded = Outer::load(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        (loaded.steps, loaded.share, loaded.inner.rate),
        (3, 0.25, 0.1)
    );
}
