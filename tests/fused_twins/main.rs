//! What a GPU backend makes of the library: how many kernels it launches, and how long they take in units of one
//! elementwise pass over the same numbers.
//!
//! ```text
//! cargo build --workspace --examples --features burn-tricks-tests/wgpu
//! target/debug/examples/fused_twins [twins] [clipping] [modules] [wrappers]
//! ```
//!
//! Without arguments, everything; on Mesa's software Vulkan a matter of some minutes. `names` adds the names of the
//! kernels. The build is the tests', with `wgpu` and `fusion` and without `autotune`.

mod clipping;
mod measure;
mod modules;
mod twins;
mod wrappers;

use measure::Bench;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SECTIONS: [&str; 4] = ["twins", "clipping", "modules", "wrappers"];
    let mut chosen: Vec<String> = std::env::args().skip(1).collect();
    let names = chosen.iter().any(|argument| argument == "names");
    chosen.retain(|argument| argument != "names");
    for argument in &chosen {
        if !SECTIONS.contains(&argument.as_str()) {
            return Err(
                format!("no section {argument:?}, there are {SECTIONS:?} and `names`").into(),
            );
        }
    }
    let bench = Bench::new(names)?;
    let wants = |section| chosen.is_empty() || chosen.iter().any(|one| one == section);
    if wants("twins") {
        twins::report(&bench);
    }
    if wants("clipping") {
        clipping::report(&bench)?;
    }
    if wants("modules") {
        modules::report(&bench)?;
    }
    if wants("wrappers") {
        wrappers::report(&bench)?;
    }
    Ok(())
}
