//! What the lock file holds: the Rust version it needs, the floors, the number of crates.

use std::process::Command;

use serde_json::Value;

use super::{assert_none, read, root};

#[test]
fn the_rust_version_is_the_lowest_that_the_locked_dependencies_allow() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let is_ours = |package: &&Value| package["source"].is_null();
    let version = |package: &Value| package["rust_version"].as_str().map(parse);
    let lowest = packages.iter().filter(|package| !is_ours(package)).filter_map(version).max().unwrap();
    for package in packages.iter().filter(is_ours) {
        let stated = version(package).unwrap();
        assert_eq!(stated, lowest, "{}: the rust-version in Cargo.toml", package["name"]);
    }
}

#[test]
fn no_locked_crate_is_below_a_floor_or_banned() {
    let lock = read("Cargo.lock");
    let deny = read(".cargo/deny.toml");
    let rules = deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next());
    let mut problems = Vec::new();
    let mut count = 0;
    for rule in rules {
        count += 1;
        let (name, floor) = rule.split_once(":<").map_or((rule, None), |(name, floor)| (name, Some(floor)));
        for block in
            lock.split("[[package]]").filter(|block| block.contains(&format!("\nname = \"{name}\"\n")))
        {
            let version = block.split("version = \"").nth(1).unwrap().split('"').next().unwrap();
            if floor.is_none_or(|floor| parse(version) < parse(floor)) {
                problems.push(format!("{name} {version} is locked, but .cargo/deny.toml says {rule}"));
            }
        }
    }
    assert!(count > 40, "the rules were not found");
    assert_none(&problems);
}

#[test]
fn one_layer_brings_few_crates() {
    let output = cargo(&[
        "tree",
        "--locked",
        "--package",
        "gateway-layers",
        "--no-default-features",
        "--features",
        "gateway,server,access_log,authorize,bulkhead,circuit_breaker,client_addr,fallback,headers,json_body,limits,mask,metrics,rate_limit,request_id,retry,timeout",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ]);
    let mut crates: Vec<&str> = output.lines().filter_map(|line| line.split(' ').next()).collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.len() <= 45, "{} crates for all layers and the builder: {crates:?}", crates.len());
}

fn metadata() -> Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--locked"])).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn parse(version: &str) -> Vec<u32> {
    let numbers = version.split(['.', '-', '+']).map_while(|part| part.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.resize(3, 0);
    numbers
}
