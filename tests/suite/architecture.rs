//! The architecture page against the tree: what it names is there.

use std::path::Path;

/// The file of a crate that the page calls `core/walk.rs`.
fn file(named: &str) -> Option<String> {
    let (name, path) = named.split_once('/')?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = workspace.join(format!("crates/burn-tricks-{name}/src/{path}"));
    std::fs::read_to_string(source).ok()
}

/// The words of the page that are paths of source files in a crate.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || "`(),".contains(letter))
        .filter(|word| word.ends_with(".rs") && word.contains('/'))
}

/// The two walks, of a gradient and of a metric: the lines of the blocks in which steps have files.
fn walks() -> Vec<Vec<&'static str>> {
    let page = include_str!("../../.github/ARCHITECTURE.md");
    let blocks = page.split("```text\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| block.lines().flat_map(paths).collect())
        .filter(|files: &Vec<&str>| !files.is_empty())
        .collect()
}

#[test]
fn neither_walk_crosses_a_file_twice() {
    let walks = walks();
    assert_eq!(walks.len(), 2);
    for files in walks {
        assert!(files.len() > 5, "{files:?}");
        for (at, file) in files.iter().enumerate() {
            assert!(!files[..at].contains(file), "{file} twice: {files:?}");
        }
    }
}

#[test]
fn the_files_and_functions_that_the_architecture_page_names_are_there() {
    let page = include_str!("../../.github/ARCHITECTURE.md");
    let (mut files, mut functions) = (0, 0);
    for line in page.lines() {
        for path in paths(line) {
            assert!(file(path).is_some(), "{path} is not there: {line}");
            files += 1;
        }
        // A step of one of the two paths: `Type::function    crate/file.rs    what it does`.
        let mut words = line.split_whitespace();
        if let (Some(step), Some(path)) = (words.next(), words.next())
            && let Some((_, function)) = step.split_once("::")
            && let Some(source) = file(path)
        {
            let definition = format!("fn {function}");
            assert!(source.contains(&definition), "{path} has no {step}");
            functions += 1;
        }
    }
    assert!(
        files > 25 && functions > 12,
        "{files} files, {functions} functions"
    );
}
