use proptest::prelude::*;

use super::{super::Problems, Gateway, problems, read_gateway};

#[test]
fn only_so_many_problems_are_kept() {
    let text: String = (0..10_000).map(|number| format!("key{number}: 1\n")).collect();
    let told = problems(&text);
    assert_eq!(told.lines().count(), Problems::MAX + 1);
    assert!(told.ends_with("\ngateway.yaml: and 9900 more"), "{told}");
}

#[test]
fn documents_that_grow_are_refused_before_they_do() {
    let bomb: String =
        (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(10))).collect();
    let many_variables = format!("version: \"{}\"", "${LARGE}".repeat(100_000));
    let nested_flow = "[".repeat(500_000);
    let nested_block = "- ".repeat(500_000);
    let nested_aliases: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    let wide = format!("[{}]", "a,".repeat(400_000));
    for (text, told) in [
        (" ".repeat((1 << 20) + 1), "1:1: the document has 1048577 bytes; at most 1048576 are read"),
        (
            format!("a0: &a0 [x]\n{bomb}"),
            "6:9: a5: the document is too large, with all that its aliases repeat",
        ),
        (format!("a0: &a0 x\n{nested_aliases}"), "33:12: a32[0]: lists and maps nest deeper than 32 levels"),
        (nested_flow, "1:33: lists and maps nest deeper than 32 levels"),
        (nested_block, &format!("1:65: {}: lists and maps nest deeper than 32 levels", "[0]".repeat(32))),
        (many_variables, "1:10: version: the variables make the document too large"),
        (wide, "1:516222: [258110]: the document is too large, with all that its aliases repeat"),
    ] {
        assert_eq!(problems(&text), format!("gateway.yaml:{told}"));
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _: Result<Gateway, _> = read_gateway(&text);
    }

    #[test]
    fn no_pieces_of_yaml_make_the_reader_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        if let Err(problems) = read_gateway(&pieces.concat()) {
            let told = problems.to_string();
            prop_assert!(told.lines().all(|line| line.starts_with("gateway.yaml:")), "{}", told);
        }
    }

    #[test]
    fn no_scalar_makes_a_value_panic(value in "\\PC{0,12}|[0-9]{1,30}[a-zA-Z.]{0,4}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        for key in ["listen", "workers", "ratio", "tls", "body", "token"] {
            let _: Result<Gateway, _> = read_gateway(&format!("{key}: {value}"));
            let _: Result<Gateway, _> = read_gateway(&format!("{key}: \"{quoted}\""));
        }
        let route = format!("routes: [{{timeout: \"{quoted}\", methods: \"{quoted}\"}}]");
        let _: Result<Gateway, _> = read_gateway(&route);
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "a",
            "routes",
            "name",
            "version",
            "timeout",
            ": ",
            ":",
            "- ",
            "-",
            "\n",
            "\n  ",
            "\n    ",
            "\t",
            " ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&a ",
            "*a",
            "!t ",
            "!!str ",
            "'",
            "\"",
            "|\n",
            ">-\n",
            "#",
            "? ",
            "<<: ",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "${HOST}",
            "${",
            "$${",
            "}",
            "5s",
            "60",
            "~",
            "\\",
            "\r\n",
            "\u{feff}",
            "\u{85}",
            "\0",
            "é",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ]
}
