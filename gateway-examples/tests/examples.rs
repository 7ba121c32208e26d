//! Every example program prints what its header says it prints.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn every_example_prints_what_its_header_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let source = entry.unwrap().path();
        let promised = promised_output(&fs::read_to_string(&source).unwrap());
        let name = source.file_stem().unwrap().to_str().unwrap();
        count += 1;
        match promised {
            None => failures.push(format!("{name}: its header has no ```text block behind `Prints:`")),
            Some(promised) => {
                let output = Command::new(built(name)).output().unwrap_or_else(|error| {
                    panic!("{name} was not built by this test run: {error}");
                });
                let printed = String::from_utf8_lossy(&output.stdout).into_owned();
                if !output.status.success() || printed != promised {
                    let said = String::from_utf8_lossy(&output.stderr);
                    failures.push(format!("{name}: promised\n{promised}printed\n{printed}{said}"));
                }
            }
        }
    }
    assert!(count >= 3, "the examples were not found");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn eight_concerns_answer_the_same_by_hand_by_the_builder_and_from_a_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let promised = ["eight_by_hand", "eight_by_builder", "eight_from_file"].map(|name| {
        promised_output(&fs::read_to_string(folder.join(name).with_extension("rs")).unwrap()).unwrap()
    });
    // That each program keeps its promise is the test above.
    assert_eq!(promised[0], promised[1]);
    assert_eq!(promised[0], promised[2]);
    assert!(promised[0].lines().count() > 10);
}

/// The block behind `Prints:` in the program's header.
fn promised_output(source: &str) -> Option<String> {
    let header = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = header.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.find(|line| line.starts_with("Prints"))?;
    lines.find(|line| line.starts_with("```text"))?;
    let block: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).collect();
    Some(block.join("\n") + "\n")
}

/// Cargo builds the examples beside the tests of the same package.
fn built(name: &str) -> PathBuf {
    let this_test = env::current_exe().unwrap();
    let profile = this_test.parent().unwrap().parent().unwrap();
    profile.join("examples").join(name)
}
