//! Hashes the sources of the workspace, so that stored runs of other code are other runs.

use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a run can depend on, from the root of the workspace.
const SOURCES: [&str; 4] = ["Cargo.lock", "Cargo.toml", "crates", "examples"];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for source in SOURCES {
        let path = root.join(source);
        // A packed copy of the examples has no workspace around it.
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
            collect(&path, &mut files)?;
        }
    }
    let mut named: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy();
            (name.replace('\\', "/"), path.clone())
        })
        .collect();
    named.sort();
    let mut hash = Sha256::new();
    for (name, path) in named {
        // As Git has them, whatever it makes of the ends of lines.
        let text: Vec<u8> = fs::read(&path)?
            .into_iter()
            .filter(|byte| *byte != b'\r')
            .collect();
        hash.update(format!("{name}\0{}\0", text.len()));
        hash.update(text);
    }
    let digits: String = hash.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo:rustc-env=BURN_TRICKS_CODE={digits}");
    Ok(())
}

/// The Rust sources and manifests in a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        let name = path.file_name().unwrap_or_default();
        if name == "tests" || name == "benches" || name == "target" {
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
        return Ok(());
    }
    let extension = path.extension().unwrap_or_default();
    if extension == "rs" || extension == "toml" || extension == "lock" {
        files.push(path.to_owned());
    }
    Ok(())
}
