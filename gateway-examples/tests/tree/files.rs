//! Sizes, places and links of files.

use std::fs;

use super::{assert_none, files_below, read, root};

const PACKAGES: [&str; 4] = ["gateway-core", "gateway-layers", "gateway-examples", "benches"];

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let mut problems = Vec::new();
    for file in PACKAGES.iter().flat_map(|package| files_below(package, "rs")) {
        let lines = read(&file).lines().count();
        if lines > 600 {
            problems.push(format!("{} has {lines} lines; split it by ideas", file.display()));
        }
    }
    assert_none(&problems);
}

#[test]
fn the_top_level_holds_what_it_always_held() {
    const ALLOWED: [&str; 13] = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "docs",
        "gateway-core",
        "gateway-examples",
        "gateway-layers",
        "target",
        "test",
    ];
    let mut problems = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.') && !ALLOWED.contains(&name.as_str()) {
            problems.push(format!("{name} does not belong at the top level"));
        }
    }
    assert_none(&problems);
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut pages = files_below("docs", "md");
    pages.extend(["README.md", "gateway-core/README.md", "gateway-layers/README.md"].map(Into::into));
    let mut problems = Vec::new();
    for page in pages {
        let text = read(&page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            if !root().join(&page).parent().unwrap().join(file).exists() {
                problems.push(format!("{}: {link} leads nowhere", page.display()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_page_of_the_docs_is_compiled_or_holds_no_rust() {
    let carrier = read("gateway-examples/src/lib.rs");
    let mut problems = Vec::new();
    for page in files_below("docs", "md") {
        let has_rust = read(&page).lines().any(|line| line.starts_with("```rust"));
        if has_rust && !carrier.contains(&format!("\"../../{}\"", page.display())) {
            problems.push(format!("{} is not listed in gateway-examples/src/lib.rs", page.display()));
        }
    }
    assert_none(&problems);
}
