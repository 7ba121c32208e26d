//! A small server in threads, for answers that are large, slow, or never come.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    heads: Mutex<String>,
    goes_on: Mutex<bool>,
    told: Condvar,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                thread::spawn(move || drop(shared.converse(stream)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> String {
        self.shared.heads.lock().unwrap().clone()
    }

    /// Lets the second event come into being.
    pub(crate) fn go_on(&self) {
        *self.shared.goes_on.lock().unwrap() = true;
        self.shared.told.notify_all();
    }
}

impl Shared {
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            self.heads.lock().unwrap().push_str(&head);
            match head.split(' ').nth(1).unwrap_or_default() {
                "/events" => {
                    stream.write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: first\n\n",
                    )?;
                    let mut goes_on = self.goes_on.lock().unwrap();
                    while !*goes_on {
                        goes_on = self.told.wait(goes_on).unwrap();
                    }
                    return stream.write_all(b"data: second\n\n");
                }
                "/gigabyte" => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")?;
                    let piece = vec![0; 1 << 20];
                    (0..1024).try_for_each(|_| stream.write_all(&piece))?;
                }
                "/document" => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[0")?;
                    let piece = r#",{"password":"hush-9","cost":1,"note":"0123456789012345678901234567890123456789012345"}"#.repeat(1000);
                    (0..512).try_for_each(|_| stream.write_all(piece.as_bytes()))?;
                    return stream.write_all(b"]");
                }
                "/silent" => thread::sleep(Duration::from_secs(20)),
                _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?,
            }
        }
    }
}
