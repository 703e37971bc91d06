//! What stands for another thing of its kind forwards every method to it: a default method would silently do something else.
//! The sources are searched, of the library and of the tests' own doubles.

use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).expect(path)
}

/// The lines of the block that begins with `header`, up to the bracket that closes it.
fn block<'a>(source: &'a str, header: &str) -> &'a str {
    let begin = source
        .find(header)
        .unwrap_or_else(|| panic!("no `{header}`"));
    let line = source[..begin].rfind('\n').map_or(0, |end| end + 1);
    let indent = " ".repeat(source[line..].len() - source[line..].trim_start().len());
    let rest = &source[begin..];
    &rest[..rest.find(&format!("\n{indent}}}")).expect("its end")]
}

/// The names of the functions that a block defines.
fn functions(block: &str) -> Vec<&str> {
    let lines = block.lines().map(str::trim_start);
    let functions = lines.filter_map(|line| line.strip_prefix("fn "));
    let end = |name: &str| name.find(['(', '<']).expect("a function");
    functions.map(|name| &name[..end(name)]).collect()
}

/// Those of a trait that a block does not define, but for `own`.
fn forgotten<'a>(of_trait: &'a str, name: &str, block: &str, own: &[&str]) -> Vec<&'a str> {
    let defined = functions(block);
    let all = functions(self::block(of_trait, &format!("pub trait {name}")));
    let is_forgotten = |method: &&str| !defined.contains(method) && !own.contains(method);
    all.into_iter().filter(is_forgotten).collect()
}

#[test]
fn what_stands_for_another_forwards_every_method() {
    const TRANSFORM: &str = "crates/burn-tricks-grad/src/transform.rs";
    const TRICK: &str = "crates/burn-tricks-train/src/trick/mod.rs";
    const COMBINED: &str = "crates/burn-tricks-train/src/trick/combined.rs";
    const RULE: &str = "crates/burn-tricks-average/src/average_rule.rs";
    const LIST: &str = "crates/burn-tricks-core/src/list_transform.rs";
    // `then` makes a chain of any transform. The name of a list of tricks is that of the list. `Only` scales the gradients of
    // the other parameters too, as the default does.
    for (of_trait, name, file, header, own) in [
        (
            TRANSFORM,
            "GradientTransform",
            TRANSFORM,
            "GradientTransform for $list",
            &["then"][..],
        ),
        (
            TRANSFORM,
            "GradientTransform",
            TRANSFORM,
            "GradientTransform for Option<T>",
            &["then"],
        ),
        (
            TRANSFORM,
            "GradientTransform",
            TRANSFORM,
            "GradientTransform for Vec<T>",
            &["then"],
        ),
        (
            TRANSFORM,
            "GradientTransform",
            "crates/burn-tricks-grad/src/only.rs",
            "GradientTransform for Only<T>",
            &["then", "apply_scaled"],
        ),
        (TRICK, "Trick<", COMBINED, "Trick<M> for Box<T>", &[]),
        (TRICK, "Trick<", COMBINED, "Trick<M> for Option<T>", &[]),
        (TRICK, "Trick<", COMBINED, "Trick<M> for $list", &["name"]),
        (RULE, "AverageRule", RULE, "AverageRule for Arc<R>", &[]),
        (
            LIST,
            "ListTransform",
            LIST,
            "ListTransform for Option<T>",
            &[],
        ),
    ] {
        let (of_trait, source) = (read(of_trait), read(file));
        let forgotten = forgotten(&of_trait, name, block(&source, header), own);
        assert!(forgotten.is_empty(), "{header}: {forgotten:?}");
    }
}

#[test]
fn the_doubles_of_the_tests_forward_every_method() {
    let of_trait = read("crates/burn-tricks-grad/src/transform.rs");
    let mut doubles = 0;
    for folder in ["tests/suite", "tests/gpu_check"] {
        for entry in std::fs::read_dir(workspace().join(folder)).expect(folder) {
            let path = entry.expect("an entry").path();
            let source = std::fs::read_to_string(&path).expect("a source");
            for (begin, _) in source.match_indices("\nimpl GradientTransform for ") {
                let block = block(&source[begin + 1..], "impl GradientTransform for ");
                // One that applies no other is a transform of its own.
                if block.contains("self.0.apply(") || block.contains("GradientTransform::apply(") {
                    let forgotten = forgotten(&of_trait, "GradientTransform", block, &["then"]);
                    let header = block.lines().next().unwrap_or_default();
                    assert!(forgotten.is_empty(), "{path:?}: {header} {forgotten:?}");
                    doubles += 1;
                }
            }
        }
    }
    assert!(doubles >= 3, "only {doubles}");
}

#[test]
fn a_method_that_is_not_forwarded_is_found() {
    let of_trait = "pub trait Kind {\n    fn one(&self);\n\n    fn two<T>(&self) {\n    }\n}\n";
    let source = "impl Kind for Box {\n    fn one(&self) {\n    }\n}\n\nfn two() {}\n";
    let block = block(source, "Kind for Box");
    assert_eq!(forgotten(of_trait, "Kind", block, &[]), ["two"]);
    assert_eq!(forgotten(of_trait, "Kind", block, &["two"]), [""; 0]);
}
