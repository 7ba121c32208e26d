use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::strict::{self, StrictRequest, Wrong};

/// A real server on a free port of 127.0.0.1 that keeps every byte it gets, reads requests [strictly](strict), and
/// answers each with whatever bytes it is told to. It ends when it is dropped.
pub struct RecordingUpstream {
    address: SocketAddr,
    connections: Connections,
    accepting: JoinHandle<()>,
}

type Connections = Arc<Mutex<Vec<Vec<u8>>>>;

/// The bytes to answer with, and whether to close the connection then.
type Answer = dyn Fn(&StrictRequest) -> (Vec<u8>, bool) + Send + Sync;

impl RecordingUpstream {
    /// One that answers `200` and `ok`, or no body to `HEAD`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> io::Result<Self> {
        Self::answering(|request| {
            let body = if request.method == "HEAD" { "" } else { "ok" };
            (format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{body}").into_bytes(), false)
        })
        .await
    }

    /// One that answers everything with these bytes, and closes the connection.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> io::Result<Self> {
        let answer = answer.into();
        Self::answering(move |_| (answer.clone(), true)).await
    }

    /// One that answers each request with the bytes of this function, and closes the connection where it says so.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn answering(
        answer: impl Fn(&StrictRequest) -> (Vec<u8>, bool) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let connections = Connections::default();
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&connections), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            // Tasks of the set end with it, so no connection outlives the server.
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                open.spawn(async move { drop(serve(stream, &kept, &*answer).await) });
            }
        });
        Ok(Self { address, connections, accepting })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came over each connection, to the byte.
    #[must_use]
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.bytes().iter().map(|bytes| String::from_utf8_lossy(bytes)).collect()
    }

    /// All requests that came whole; one that broke off half-way is left out.
    ///
    /// # Panics
    /// If a strict reader does not accept what came.
    #[must_use]
    pub fn requests(&self) -> Vec<StrictRequest> {
        let read = |bytes: &Vec<u8>| {
            let (requests, wrong) = strict::requests(bytes);
            let is_malformed = matches!(wrong, Some(Wrong::Malformed(_)));
            assert!(
                !is_malformed,
                "{wrong:?} after {} requests in {}",
                requests.len(),
                String::from_utf8_lossy(bytes)
            );
            requests
        };
        self.bytes().iter().flat_map(read).collect()
    }

    /// The only request that came.
    ///
    /// # Panics
    /// If it was not the only one.
    #[must_use]
    pub fn request(&self) -> StrictRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl fmt::Debug for RecordingUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingUpstream").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for RecordingUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>, answer: &Answer) -> io::Result<()> {
    let connections = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    let index = {
        let mut connections = connections();
        connections.push(Vec::new());
        connections.len() - 1
    };
    let mut bytes = Vec::new();
    loop {
        let from = bytes.len();
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        connections()[index].extend_from_slice(&bytes[from..]);
        while let Ok((request, rest)) = strict::request(&bytes) {
            let (answer, close) = answer(&request);
            bytes = rest.to_vec();
            stream.write_all(&answer).await?;
            if close {
                return stream.shutdown().await;
            }
        }
    }
}
