//! A wrong order does not compile, and the compiler says why in one line.
//!
//! The messages are pinned for the toolchain in use; `TRYBUILD=overwrite` writes them anew.

#[test]
fn a_wrong_order_does_not_compile_and_the_message_says_why() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/order/fail/*.rs");
    cases.pass("tests/order/pass/*.rs");
}
