use granit_parser::{ErrorKind, ScanError};

use super::parse::too_deep;

/// What is wrong, in words for those who do not know the grammar of YAML.
pub(super) fn explain(error: &ScanError, text: &str) -> String {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(),
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabNotAllowed => "a tab stands where only spaces may indent".to_owned(),
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation => "the line is not indented like the lines above it".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "a quote is not closed".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("`{open}` is not closed"),
        _ if is_at_variable(error, text) => {
            "inside of [ ] and { } a text with ${...} needs quotes".to_owned()
        }
        ErrorKind::ExpectedFlowSequenceSeparator => "expected `,` or `]`".to_owned(),
        ErrorKind::ExpectedFlowMappingSeparator => "expected `,` or `}`".to_owned(),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "a `:` stands where no key can be; a text with `: ` in it needs quotes".to_owned()
        }
        ErrorKind::SimpleKeyExpected => "expected `key: value`".to_owned(),
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a text that begins with `{}` needs quotes", character.escape_debug())
        }
        ErrorKind::DirectiveDisallowed => "directives such as `%YAML` are not read".to_owned(),
        kind => format!("this is not YAML: {}", words_of(kind)),
    }
}

/// Whether the parser stopped at the brace of a `${`, which opens a map inside of [ ] and { }.
fn is_at_variable(error: &ScanError, text: &str) -> bool {
    let parts = error.marker().byte_offset().and_then(|offset| text.split_at_checked(offset));
    parts.is_some_and(|(before, after)| before.ends_with('$') && after.starts_with('{'))
}

/// The name of the kind as words: `InvalidIndentation` as `invalid indentation`.
fn words_of(kind: &ErrorKind) -> String {
    let name = format!("{kind:?}");
    let mut words = String::new();
    for letter in name.chars().take_while(|letter| letter.is_alphanumeric()) {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
