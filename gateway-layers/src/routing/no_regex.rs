//! In place of `regex.rs` where the feature is off: there are no regular expressions.

#[derive(Clone, Debug)]
pub(crate) struct Regex(());

impl Regex {
    pub(super) fn error(&self) -> Option<String> {
        Some("regular expressions need the feature `regex`".to_owned())
    }

    pub(super) fn is_match(&self, _: &[u8]) -> bool {
        false
    }

    pub(super) fn as_str(&self) -> &str {
        ""
    }

    pub(super) fn fixed_segments(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn example(&self) -> Option<Vec<u8>> {
        None
    }
}
