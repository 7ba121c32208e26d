//! Every concern has its folder, contract test, page, example and configuration.

use std::path::Path;

use super::{assert_none, files_below, read, root};

/// The concerns in the order in which a request meets them, as `gateway-layers/src/lib.rs` lists them.
pub(super) fn concerns() -> Vec<String> {
    let lib = read("gateway-layers/src/lib.rs");
    let listed = lib.split("// The assembly.").next().unwrap();
    let modules = listed.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let concerns: Vec<String> = modules.map(str::to_owned).collect();
    assert!(concerns.len() >= 9, "the list of concerns was not found");
    concerns
}

/// The page of a concern: its own, or the one that it shares with others of its phase.
pub(super) fn page(concern: &str) -> Option<String> {
    let heading = format!("# `{concern}`");
    let pages = files_below("docs/concerns", "md");
    let page = pages
        .iter()
        .find(|page| read(page).lines().any(|line| line.trim_start_matches('#').trim() == &heading[2..]))?;
    Some(page.display().to_string())
}

#[test]
fn every_concern_is_complete() {
    let mut problems = Vec::new();
    let manifest = read("gateway-layers/Cargo.toml");
    let examples: String = files_below("gateway-examples/examples", "rs").iter().map(read).collect();
    let allocations = read("gateway-layers/tests/allocations.rs");
    let bench: String = files_below("benches/benches", "rs").iter().map(read).collect();
    let all = manifest.split("\nconcerns = [").nth(1).unwrap().split(']').next().unwrap();
    for concern in concerns() {
        let mut demand = |kept: bool, what: &str| {
            if !kept {
                problems.push(format!("{concern}: {what}"));
            }
        };
        demand(manifest.lines().any(|line| line.starts_with(&format!("{concern} = ["))), "has no feature");
        demand(all.contains(&format!("\"{concern}\"")), "is not part of the feature `concerns`");
        let sources = files_below(&format!("gateway-layers/src/{concern}"), "rs");
        let source: String = sources.iter().map(read).collect();
        demand(source.contains("contract::check"), "has no contract test");
        demand(
            source.contains("proptest!") || source.contains("// No property:"),
            "has no property test and no word why",
        );
        demand(page(&concern).is_some(), "has no page in docs/concerns");
        demand(
            examples.contains(&format!("{concern}::")),
            "is used by no program in gateway-examples/examples",
        );
        demand(
            root().join(Path::new("gateway-examples/configs").join(format!("{concern}.yaml"))).exists(),
            "has no file in gateway-examples/configs",
        );
        demand(
            allocations.contains(&format!("{concern}::")),
            "is not in gateway-layers/tests/allocations.rs",
        );
        demand(bench.contains(&format!("{concern}::")), "is in no file of benches/benches");
    }
    assert_none(&problems);
}
