//! One connection too many.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::JoinSet,
};

use crate::Clock;

/// Tells clients that there are too many of them, in the background and never many at once. Dropping it ends that.
#[derive(Debug, Default)]
pub(super) struct Refusals(JoinSet<()>);

impl Refusals {
    /// Refuses one client. It is told why, unless too many are being told that already.
    pub(super) fn refuse<T>(&mut self, stream: T, clock: &Clock)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while self.0.try_join_next().is_some() {}
        if self.0.len() < MAX_REFUSALS {
            let clock = clock.clone();
            self.0.spawn(async move {
                let until = clock.now() + PATIENCE;
                // A client that does not even take this is left alone.
                drop(clock.timeout(until, answer(stream, TOO_MANY)).await);
            });
        }
    }
}

/// Tells a client that speaks plain text where TLS is spoken.
#[cfg(feature = "tls")]
pub(super) async fn plain_text(stream: impl AsyncRead + AsyncWrite + Unpin, clock: &Clock) {
    drop(clock.timeout(clock.now() + PATIENCE, answer(stream, NOT_TLS)).await);
}

/// Answers, and takes what the client says, so that the answer is not lost in a reset.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// How many clients at once are told that there are too many.
const MAX_REFUSALS: usize = 128;

/// How long one of them may take to hear it.
const PATIENCE: Duration = Duration::from_secs(1);

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
content-type: application/problem+json\r\ncontent-length: 146\r\n\r\n\
{\"type\":\"urn:gateway:refusal:too_many_connections\",\"title\":\"Service Unavailable\",\"status\":503,\
\"code\":\"too_many_connections\",\"detail\":\"try later\"}\n";

#[cfg(feature = "tls")]
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
content-length: 36\r\n\r\nThis port speaks TLS; use https://.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_is_as_long_as_it_says() {
        let mut refusals = Refusals::default();
        let (mut client, server) = tokio::io::duplex(1024);
        refusals.refuse(server, &Clock::default());
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_do_not_listen_are_left_alone_and_no_more_than_128_at_once() {
        let mut refusals = Refusals::default();
        let clients: Vec<_> = (0..MAX_REFUSALS + 10)
            .map(|_| {
                let (client, server) = tokio::io::duplex(1);
                refusals.refuse(server, &Clock::default());
                client
            })
            .collect();
        assert_eq!(refusals.0.len(), MAX_REFUSALS);
        tokio::time::sleep(PATIENCE * 2).await;
        let (_client, server) = tokio::io::duplex(1);
        refusals.refuse(server, &Clock::default());
        assert_eq!(refusals.0.len(), 1);
        drop(clients);
    }
}
