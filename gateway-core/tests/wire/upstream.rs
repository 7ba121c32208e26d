//! The recording upstream, for tests that fail when it cannot be had.

use std::ops::Deref;

use gateway_core::testing::{RecordingUpstream, strict::StrictRequest};

pub(crate) struct Recorder(RecordingUpstream);

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Recorder {
    pub(crate) async fn start() -> Self {
        Self(RecordingUpstream::start().await.unwrap())
    }

    pub(crate) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self(RecordingUpstream::saying(answer).await.unwrap())
    }

    pub(crate) async fn answering(
        answer: impl Fn(&StrictRequest) -> (Vec<u8>, bool) + Send + Sync + 'static,
    ) -> Self {
        Self(RecordingUpstream::answering(answer).await.unwrap())
    }
}

impl Deref for Recorder {
    type Target = RecordingUpstream;

    fn deref(&self) -> &RecordingUpstream {
        &self.0
    }
}
