//! The tables in README.md and docs/index.md are made of the sources.

use std::{env, fs};

use super::{
    concerns::{concerns, page},
    read, root,
};

#[test]
fn the_tables_of_concerns_are_up_to_date() {
    for (file, prefix) in [("README.md", ""), ("docs/index.md", "docs/")] {
        let text = read(file);
        let (before, rest) = text.split_once("<!-- concerns:").unwrap();
        let (marker, rest) = rest.split_once("-->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        let fresh = format!("{before}<!-- concerns:{marker}-->\n{}<!-- end -->{after}", table(prefix));
        if env::var_os("TREE_UPDATE").is_some() {
            fs::write(root().join(file), fresh).unwrap();
        } else {
            assert!(
                text == fresh,
                "{file} is out of date: run TREE_UPDATE=1 cargo test -p gateway-examples --test tree"
            );
        }
    }
}

fn table(link_prefix: &str) -> String {
    let mut table = String::from("| feature | layer | what it does |\n| --- | --- | --- |\n");
    for concern in concerns() {
        let source = read(format!("gateway-layers/src/{concern}/mod.rs"));
        let summary = source.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        let page = page(&concern).unwrap_or_default();
        let link = page.strip_prefix(link_prefix).unwrap_or(&page);
        let layer = layer_name(&concern);
        table.push_str(&format!("| [`{concern}`]({link}) | `{layer}` | {summary} |\n"));
    }
    table
}

/// `rate_limit` makes `RateLimitLayer`.
fn layer_name(concern: &str) -> String {
    let words = concern.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<String>() + "Layer"
}
