//! One path for each public type: its crate's root. A module is public for what its page says of a method,
//! or because it holds such modules.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose modules are the path of what they hold: kernels and their twins, functions on files, and
/// the pages of the guide.
const BY_MODULE: [&str; 3] = [
    "burn-tricks-kernels",
    "burn-tricks-checkpoint",
    "burn-tricks",
];

/// Modules of tools that are the path of their types: `walk::Visitor`.
const OF_TOOLS: [&str; 2] = ["batch_statistics.rs", "walk.rs"];

struct Module {
    file: PathBuf,
    source: String,
}

impl Module {
    fn read(file: PathBuf) -> Self {
        let source = fs::read_to_string(&file).unwrap();
        Self { file, source }
    }

    /// The public modules that this one declares in files.
    fn public(&self) -> Vec<Self> {
        let folder = match self.file.file_name().unwrap().to_str().unwrap() {
            "lib.rs" | "mod.rs" => self.file.parent().unwrap().to_owned(),
            _ => self.file.with_extension(""),
        };
        let names = self
            .source
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod "));
        let names = names.filter_map(|line| line.strip_suffix(';'));
        let files = names.map(|name| {
            let file = folder.join(format!("{name}.rs"));
            if file.exists() {
                file
            } else {
                folder.join(name).join("mod.rs")
            }
        });
        files.map(Self::read).collect()
    }

    fn types(&self) -> Vec<&str> {
        let words = ["pub struct ", "pub enum ", "pub trait "];
        let lines = self.source.lines();
        let found = lines.filter_map(|line| words.iter().find_map(|word| line.strip_prefix(word)));
        let end = |c: char| !c.is_alphanumeric();
        found.map(|rest| rest.split(end).next().unwrap()).collect()
    }

    /// Whether it has a page of its own.
    fn is_card(&self) -> bool {
        let docs = self.source.lines().filter(|line| line.starts_with("//!"));
        docs.count() > 10
    }
}

fn visit(module: &Module, root: &str, wrong: &mut Vec<String>) {
    for inner in module.public() {
        if OF_TOOLS.iter().any(|name| inner.file.ends_with(name)) {
            continue;
        }
        let file = inner.file.display().to_string();
        for name in inner.types() {
            let is_there = |word: &str| word.trim() == name;
            if !root.split([',', '{', '}', ':', ';']).any(is_there) {
                wrong.push(format!("{file}: `{name}` is not at the root"));
            }
        }
        if !inner.is_card() && inner.public().is_empty() && !inner.types().is_empty() {
            wrong.push(format!("{file}: no page of a method, and public"));
        }
        visit(&inner, root, wrong);
    }
}

#[test]
fn every_public_type_is_at_the_root_of_its_crate() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for krate in fs::read_dir(crates).unwrap() {
        let krate = krate.unwrap();
        if BY_MODULE.contains(&krate.file_name().to_str().unwrap()) {
            continue;
        }
        let root = Module::read(krate.path().join("src/lib.rs"));
        visit(&root, &root.source, &mut wrong);
        seen += 1;
    }
    assert!(seen > 8, "{seen} crates");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
