//! A running gateway binary, for tests that stand outside of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A gateway process; it is killed when the value is dropped.
pub struct Gateway {
    child: Child,
    /// Such as `http://127.0.0.1:41234`.
    pub url: String,
    /// What it printed before it was ready.
    pub announced: String,
    out: Option<BufReader<ChildStdout>>,
}

impl Gateway {
    /// Starts the binary on a free port, with a document.
    pub fn with_document(document: &str, variables: &[(&str, &str)]) -> Self {
        let file = temporary_file("gateway.yaml", document);
        let mut command = command();
        command.args(["run", "--config"]).arg(file).envs(variables.iter().copied());
        Self::start(command)
    }

    /// Starts the binary and waits until it says where it listens and what it serves.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut announced = String::new();
        // The announcement ends with an empty line behind the list of routes.
        for empty_lines in 1.. {
            let from = announced.len();
            while out.read_line(&mut announced).unwrap() > 0 && !announced.ends_with("\n\n") {}
            assert!(announced.len() > from, "the gateway ended early: {announced}");
            if empty_lines == 2 {
                break;
            }
        }
        let url = announced.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, url, announced, out: Some(out) }
    }

    /// The address, without `http://`.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Reads standard output from now on.
    pub fn output(&mut self) -> BufReader<ChildStdout> {
        self.out.take().expect("the output is read once")
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self, at_most: Duration) -> ExitStatus {
        wait(&mut self.child, at_most)
    }

    /// The process' id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary on a free port, with nothing else said.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.env("LISTEN", "127.0.0.1:0").stderr(Stdio::null());
    command
}

/// Waits for the end of a process.
pub fn wait(child: &mut Child, at_most: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < at_most, "the process did not end within {at_most:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends raw bytes and reads until the other end closes.
pub fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A plain GET on a connection of its own: the whole answer as text.
pub fn get(address: &str, path: &str) -> String {
    raw(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A file of this test run, below cargo's folder for temporary files.
pub fn temporary_file(name: &str, text: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
