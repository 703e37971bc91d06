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

fn default_rate() -> f64 {
    0.1
}

/// A default that is a function with the name that serde's users give it.
#[derive(Config, Debug)]
struct Named {
    #[config(default = "default_rate()")]
    rate: f64,
}

/// A field whose name is a keyword.
#[derive(Config, Debug)]
struct Keyword {
    #[config(default = 0.5)]
    r#type: f64,
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
fn a_default_may_be_a_function_of_any_name() {
    assert_eq!(Named::load_binary(b"{}").unwrap().rate, 0.1);
    assert_eq!(Named::new().with_rate(0.2).rate, 0.2);
}

#[test]
fn an_error_names_a_field_whose_name_is_a_keyword() {
    let error = Keyword::load_binary(br#"{"type": null}"#).expect_err("null is no number");
    let expected = "`type`: invalid type: null";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(Keyword::new().with_type(1.5).r#type, 1.5);
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
    assert!(
        error.to_string().contains(&*file.to_string_lossy()),
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

#[test]
fn a_save_that_fails_names_the_file_and_leaves_nothing_behind() {
    let folder = std::env::temp_dir().join(format!("burn-tricks-saves-{}", std::process::id()));
    let file = folder.join("config.json");
    let error = Outer::new(3).save(&file).expect_err("no such folder");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(
        error.to_string().contains(&*file.to_string_lossy()),
        "{error}"
    );

    // A folder cannot be replaced by a file.
    std::fs::create_dir_all(file.join("not empty")).unwrap();
    assert!(Outer::new(3).save(&file).is_err());
    let left = std::fs::read_dir(&folder).unwrap().count();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(left, 1, "no unfinished file");
}

/// The new file takes the place of the old one as a whole: nobody finds half of it.
#[cfg(unix)]
#[test]
fn a_configuration_is_replaced_and_not_written_over() {
    let folder = std::env::temp_dir().join(format!("burn-tricks-replaced-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, old) = (folder.join("config.json"), folder.join("old"));
    Outer::new(3).save(&file).unwrap();
    std::fs::hard_link(&file, &old).unwrap();
    Outer::new(4).save(&file).unwrap();
    let steps = [&file, &old].map(|file| Outer::load(file).unwrap().steps);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(steps, [4, 3]);
}

/// Neither a link nor a device such as `/dev/stdout` is replaced.
#[cfg(unix)]
#[test]
fn a_configuration_is_saved_where_a_link_points() {
    let folder = std::env::temp_dir().join(format!("burn-tricks-link-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (link, file) = (folder.join("link"), folder.join("config.json"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    Outer::new(3).save(&link).unwrap();
    let (steps, is_link) = (Outer::load(&file).unwrap().steps, link.is_symlink());
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(steps == 3 && is_link);
}
