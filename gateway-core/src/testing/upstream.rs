use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A real server on a free port of 127.0.0.1 that follows a script: one list of steps for each request. Requests
/// beyond the script follow its last list. It ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the upstream does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes as they are.
    Send(&'static str),
    /// Waits.
    Wait(Duration),
    /// Reads the request's body to its end, by `Content-Length` or chunks.
    ReadBody,
    /// Closes the connection in order.
    Close,
    /// Resets the connection.
    Reset,
    /// Says nothing more, and keeps the connection.
    Stall,
    /// Sends a byte of this, again and again.
    Drip(&'static str, Duration),
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<VecDeque<Vec<Step>>>,
    heads: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    hung_up: AtomicUsize,
}

impl ScriptedUpstream {
    /// Starts a server with a script.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(script: impl IntoIterator<Item = Vec<Step>>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { script: Mutex::new(script.into_iter().collect()), ..Shared::default() });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&serving);
                // Tasks of the set end with it, so no connection outlives the server.
                connections.spawn(async move { drop(shared.serve(stream).await) });
            }
        });
        Ok(Self { address, shared, accepting })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far, as they came over the wire.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bodies that were read so far.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.shared.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections the other side closed while the upstream stalled or waited.
    #[must_use]
    pub fn hung_up(&self) -> usize {
        self.shared.hung_up.load(Ordering::SeqCst)
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut received = Vec::new();
        while let Some(head) = read_head(&mut stream, &mut received).await? {
            self.heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
            for step in self.next_steps() {
                match step {
                    Step::Send(bytes) => stream.write_all(bytes.as_bytes()).await?,
                    Step::Wait(time) => self.wait(&mut stream, time).await?,
                    Step::ReadBody => {
                        let body = read_body(&mut stream, &mut received, &head).await?;
                        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                    }
                    Step::Close => return stream.shutdown().await,
                    Step::Reset => return stream.set_zero_linger(),
                    Step::Stall => self.wait(&mut stream, Duration::from_secs(3600)).await?,
                    Step::Drip(bytes, every) => {
                        for byte in bytes.as_bytes().iter().cycle() {
                            stream.write_all(&[*byte]).await?;
                            tokio::time::sleep(every).await;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn next_steps(&self) -> Vec<Step> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        match script.len() {
            0 => vec![Step::Close],
            1 => script[0].clone(),
            _ => script.pop_front().unwrap_or_default(),
        }
    }

    /// Waits, and notices when the other side leaves meanwhile.
    async fn wait(&self, stream: &mut TcpStream, time: Duration) -> io::Result<()> {
        let mut byte = [0];
        if let Ok(peeked) = tokio::time::timeout(time, stream.peek(&mut byte)).await {
            if peeked.unwrap_or(0) == 0 {
                self.hung_up.fetch_add(1, Ordering::SeqCst);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            tokio::time::sleep(time).await;
        }
        Ok(())
    }
}

/// The next head, without what follows it. `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head: Vec<u8> = received.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

async fn read_body(stream: &mut TcpStream, received: &mut Vec<u8>, head: &str) -> io::Result<Vec<u8>> {
    let head = head.to_ascii_lowercase();
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let is_complete = |received: &[u8]| match length {
        Some(length) => received.len() >= length,
        None => !head.contains("chunked") || received.ends_with(b"0\r\n\r\n"),
    };
    while !is_complete(received) {
        if stream.read_buf(received).await? == 0 {
            break;
        }
    }
    let end = length.unwrap_or(received.len()).min(received.len());
    Ok(received.drain(..end).collect())
}
