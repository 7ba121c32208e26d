//! An upstream that keeps every byte it gets, and answers what it is told to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use gateway_core::testing::strict::{self, StrictRequest, Wrong};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers every whole request with the answer that its target asks for, or with `200 ok`.
pub struct Recorder {
    address: SocketAddr,
    connections: Connections,
    accepting: tokio::task::JoinHandle<()>,
}

type Connections = Arc<Mutex<Vec<Vec<u8>>>>;

/// What to answer, and whether to close the connection then.
type Script = dyn Fn(&StrictRequest) -> (Vec<u8>, bool) + Send + Sync;

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Recorder {
    /// One that answers `200 ok`, without a body to `HEAD`.
    pub async fn start() -> Self {
        Self::answering(|request| match request.method.as_str() {
            "HEAD" => (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".to_vec(), false),
            _ => (OK.into(), false),
        })
        .await
    }

    /// One that always answers this, and closes.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::answering(move |_| (answer.clone(), true)).await
    }

    pub async fn answering(
        script: impl Fn(&StrictRequest) -> (Vec<u8>, bool) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::default();
        let (kept, script): (_, Arc<Script>) = (Arc::clone(&connections), Arc::new(script));
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&kept), Arc::clone(&script)));
            }
        });
        Self { address, connections, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came over each connection, to the byte.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap().clone()
    }

    /// All requests that came whole. Panics if anything else than requests came, or half of one.
    pub fn requests(&self) -> Vec<StrictRequest> {
        let read = |bytes: &Vec<u8>| {
            let (requests, wrong) = strict::requests(bytes);
            let is_malformed = matches!(wrong, Some(Wrong::Malformed(_)));
            assert!(!is_malformed, "{wrong:?} in {}", String::from_utf8_lossy(bytes));
            requests
        };
        self.bytes().iter().flat_map(read).collect()
    }

    /// The only request that came.
    pub fn request(&self) -> StrictRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Its head as it was sent.
    pub fn all(&self) -> String {
        self.bytes().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, kept: Connections, script: Arc<Script>) {
    let index = {
        let mut kept = kept.lock().unwrap();
        kept.push(Vec::new());
        kept.len() - 1
    };
    let mut bytes = Vec::new();
    loop {
        let from = bytes.len();
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        kept.lock().unwrap()[index].extend_from_slice(&bytes[from..]);
        while let Ok((request, rest)) = strict::request(&bytes) {
            let (answer, close) = script(&request);
            bytes = rest.to_vec();
            if stream.write_all(&answer).await.is_err() {
                return;
            }
            if close {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}
