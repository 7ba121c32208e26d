//! The targets of `gateway_core::testing::fuzz`, on stable: every input of a folder, and made-up ones.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use gateway_core::testing::fuzz;
use proptest::prelude::*;

#[test]
fn every_kept_input_holds() {
    for (name, target) in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name);
        let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{name} has inputs");
        for input in inputs {
            target(&fs::read(&input).unwrap());
        }
    }
}

/// Words that matter, and bytes between them that may not.
fn made_of(words: &'static [&'static str], at_most: usize) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        9 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(word, 0..at_most).prop_map(|words| words.concat())
}

const PATH: &[&str] =
    &["/", "//", ".", "..", "%2e", "%2F", "%5c", "%25", "%", ";", "a", "A", "%41", "%c3", "\\", "#", "?"];

const HEADERS: &[&str] = &[
    "connection",
    "Connection",
    ": ",
    ":",
    ", ",
    "\n",
    "close",
    "keep-alive",
    "te",
    "x-forwarded-for",
    "x_forwarded_for",
    "forwarded",
    "x-forwarded-proto",
    "via",
    "host",
    "upgrade",
    "x-real-ip",
    "6.6.6.6",
    "transfer-encoding",
    "x-a",
    "\t",
];

const REQUEST: &[&str] = &[
    "GET / HTTP/1.1\r\nhost: a\r\n",
    "POST /a HTTP/1.1\r\nhost: a\r\n",
    "GET ",
    "POST ",
    "OPTIONS ",
    "HEAD ",
    "/",
    "*",
    "http://a/",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "\r\n",
    "\n",
    "\r",
    "host: a\r\n",
    "host: b\r\n",
    "content-length: 5\r\n",
    "content-length: 0\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "connection: close\r\n",
    "connection: host\r\n",
    "expect: 100-continue\r\n",
    "\r\n0\r\n\r\n",
    "\r\nhello",
    "5\r\nhello\r\n0\r\n\r\n",
    "..",
    "%2e",
    ": ",
    " ",
    "\t",
    "x_y: z\r\n",
];

const CHUNKS: &[&str] = &[
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "1\r\nx\r\n",
    "0",
    "1",
    "5",
    "a",
    "\r\n",
    "\n",
    "\r",
    ";a=b",
    "x: y\r\n",
    " ",
    "+",
    "-",
    "fffffffff",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_path_holds(input in made_of(PATH, 16)) {
        fuzz::path(&input);
    }

    #[test]
    fn any_headers_hold(input in made_of(HEADERS, 24)) {
        fuzz::headers(&input);
    }

    #[test]
    fn any_request_holds(input in made_of(REQUEST, 12)) {
        fuzz::request(&input);
    }

    #[test]
    fn any_chunks_hold(input in made_of(CHUNKS, 12)) {
        fuzz::chunks(&input);
    }
}
