//! Each public item of a crate has one path within this crate: its root, or a public module such as
//! `burn_tricks_core::walk`. Names that a crate re-exports from another crate are not counted.

use proc_macro2::TokenTree;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{File, Ident, Item, UseTree, Visibility};

/// The names of modules from the root of the crate to an item, which is the last.
type ItemPath = Vec<String>;

#[derive(Default)]
struct Crate {
    /// The public items, by the modules that declare them.
    items: Vec<ItemPath>,
    /// The modules that other crates can name.
    public_modules: HashSet<ItemPath>,
    exports: Vec<Export>,
    faults: Vec<String>,
}

/// One name of a `pub use`.
struct Export {
    module: ItemPath,
    /// The path that the module gives the item.
    new: ItemPath,
    /// The path from which the module has it.
    old: ItemPath,
}

impl Crate {
    fn read(root: &Path) -> Self {
        let mut krate = Self::default();
        krate.public_modules.insert(Vec::new());
        krate.read_file(root, &[]);
        krate
    }

    fn read_file(&mut self, file: &Path, module: &[String]) {
        let source = fs::read_to_string(file).unwrap();
        let File { items, .. } = syn::parse_file(&source).unwrap();
        let folder = match file.file_name().unwrap().to_str().unwrap() {
            "lib.rs" | "mod.rs" => file.parent().unwrap().to_owned(),
            _ => file.with_extension(""),
        };
        self.read_items(&items, &folder, module);
    }

    fn read_items(&mut self, items: &[Item], folder: &Path, module: &[String]) {
        for item in items {
            match item {
                // A sealed trait has no path on purpose.
                Item::Mod(inner) if inner.ident == "sealed" => {}
                Item::Mod(inner) => {
                    let path = joined(module, &inner.ident);
                    if is_public(&inner.vis) && self.public_modules.contains(module) {
                        self.public_modules.insert(path.clone());
                    }
                    match &inner.content {
                        Some((_, items)) => self.read_items(items, folder, &path),
                        None => self.read_file(&file_of(folder, &inner.ident), &path),
                    }
                }
                Item::Use(names) if is_public(&names.vis) => {
                    self.read_use(&names.tree, module, module.to_vec());
                }
                Item::Macro(call) if call.ident.is_none() => {
                    let made = made_by_macro(call.mac.tokens.clone().into_iter().collect());
                    let made = made.iter().map(|name| joined(module, name));
                    self.items.extend(made);
                }
                _ => self
                    .items
                    .extend(public_name(item).map(|name| joined(module, name))),
            }
        }
    }

    fn read_use(&mut self, tree: &UseTree, module: &[String], mut path: ItemPath) {
        let (old, new) = match tree {
            UseTree::Path(part) => {
                match part.ident.to_string().as_str() {
                    "crate" => path.clear(),
                    "self" => {}
                    name => path.push(name.to_owned()),
                }
                return self.read_use(&part.tree, module, path);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, module, path.clone());
                }
                return;
            }
            UseTree::Glob(_) => {
                let fault = format!("`{}::*` does not name its items", path.join("::"));
                return self.faults.push(fault);
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(name) => (&name.ident, &name.rename),
        };
        self.exports.push(Export {
            module: module.to_vec(),
            new: joined(module, new),
            old: joined(&path, old),
        });
    }

    /// The item that a path names, through the re-exports of private modules.
    fn defined<'a>(&'a self, path: &'a ItemPath) -> &'a ItemPath {
        // `pub use clap;` gives a crate, or an item of one, its own name.
        let passed_on = self
            .exports
            .iter()
            .find(|export| export.new == *path && export.old != *path);
        passed_on.map_or(path, |export| self.defined(&export.old))
    }

    /// What is wrong with it.
    fn faults(self) -> Vec<String> {
        let exports = self.exports.iter();
        let public = exports.filter(|export| self.public_modules.contains(&export.module));
        let exported: Vec<_> = public.map(|export| self.defined(&export.old)).collect();
        let mut faults = self.faults.clone();
        for item in &self.items {
            let (name, module) = item.split_last().unwrap();
            let exports = exported.iter().filter(|export| **export == item).count();
            let paths = exports + usize::from(self.public_modules.contains(module));
            if paths != 1 {
                let module = module.join("::");
                faults.push(format!("`{name}` of `{module}` has {paths} paths"));
            }
        }
        faults
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn joined(module: &[String], name: &Ident) -> ItemPath {
    [module, &[name.to_string()]].concat()
}

fn file_of(folder: &Path, module: &Ident) -> PathBuf {
    let file = folder.join(format!("{module}.rs"));
    if file.exists() {
        file
    } else {
        folder.join(module.to_string()).join("mod.rs")
    }
}

fn public_name(item: &Item) -> Option<&Ident> {
    let (visibility, name) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    is_public(visibility).then_some(name)
}

/// The names of the public types in the call of a macro.
fn made_by_macro(tokens: Vec<TokenTree>) -> Vec<Ident> {
    let names = tokens.windows(3).filter_map(|tokens| match tokens {
        [
            TokenTree::Ident(public),
            TokenTree::Ident(kind),
            TokenTree::Ident(name),
        ] if public == "pub" && ["struct", "enum", "trait"].iter().any(|word| kind == word) => {
            Some(name.clone())
        }
        _ => None,
    });
    names.collect()
}

#[test]
fn every_public_item_has_one_path_in_its_crate() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let (mut faults, mut items) = (Vec::new(), 0);
    for folder in fs::read_dir(crates).unwrap() {
        let folder = folder.unwrap();
        let krate = Crate::read(&folder.path().join("src/lib.rs"));
        items += krate.items.len();
        let name = folder.file_name().display().to_string();
        let wrong = krate.faults().into_iter();
        faults.extend(wrong.map(|fault| format!("{name}: {fault}")));
    }
    assert!(items > 400, "found only {items} items");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
