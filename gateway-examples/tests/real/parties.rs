//! The programs at both ends.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::{Gateway, temporary_file};

/// An upstream process; it is ended when the value is dropped.
pub(crate) struct Party {
    child: Child,
    /// The port of 127.0.0.1 that it serves.
    pub(crate) port: u16,
}

impl Party {
    /// nginx with a folder of files, in the foreground, as one process.
    pub(crate) fn nginx(files: &Path, port: u16) -> Self {
        let folder = temporary_file("nginx.conf", "").parent().unwrap().to_owned();
        let scratch = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {scratch}/pid; error_log {scratch}/error.log;
             events {{ worker_connections 512; }}
             http {{
               access_log off; default_type text/plain;
               client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
               fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
               server {{ listen 127.0.0.1:{port}; root {root}; add_header x-upstream nginx; keepalive_timeout 30s; }}
             }}",
            root = files.display(),
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.join("start.log")).arg("-c").arg(file);
        Self::start(command, port)
    }

    /// A Python program that serves the port in its first argument.
    pub(crate) fn python(program: &str, port: u16) -> Self {
        let file = temporary_file("server.py", program);
        let mut command = Command::new("python3");
        command.arg(file).arg(port.to_string());
        Self::start(command, port)
    }

    /// A server script of this folder, with the port as its argument; see [`script`].
    pub(crate) fn script(name: &str) -> Self {
        let port = free_port();
        let mut command = runner(name);
        command.arg(port.to_string());
        Self::start(command, port)
    }

    /// Redis with nothing kept on disk.
    pub(crate) fn redis(port: u16) -> Self {
        let folder = temporary_file("redis.conf", "").parent().unwrap().to_owned();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(folder);
        Self::start(command, port)
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn start(mut command: Command, port: u16) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child =
            command.stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{name} ended with {status}");
            }
            assert!(start.elapsed() < Duration::from_secs(15), "{name} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a client program and returns what it printed; it must succeed.
pub(crate) fn client(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{out}{said}", output.status);
    out.into_owned()
}

/// Runs a client script of this folder and returns what it printed; it must succeed.
///
/// A script is Python or Node by its name, and has the packages that stand pinned beside it.
pub(crate) fn script(name: &str, arguments: &[&str]) -> String {
    let output = runner(name).args(arguments).output().unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}: {}\n{out}{said}", output.status);
    out.into_owned()
}

fn runner(name: &str) -> Command {
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("real");
    let mut command = if Path::new(name).extension().is_some_and(|kind| kind == "py") {
        Command::new(packages.join("python/bin/python"))
    } else {
        let mut node = Command::new("node");
        node.env("NODE_PATH", packages.join("node/node_modules"));
        node
    };
    assert!(packages.exists(), "./test installs the packages of the scripts");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name));
    command
}

/// curl, silently, with these arguments.
pub(crate) fn curl(arguments: &[&str]) -> String {
    client("curl", &[&["--silent", "--show-error", "--max-time", "60"], arguments].concat())
}

/// A folder with a file `name` of so many bytes, each run of them different.
pub(crate) fn folder_with(name: &str, bytes: usize) -> PathBuf {
    let file = temporary_file(name, "");
    let mut content = Vec::with_capacity(bytes);
    let mut state = 0x9e37_79b9_u32;
    while content.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    std::fs::write(&file, content).unwrap();
    file.parent().unwrap().to_owned()
}

/// A new certificate for `localhost` and 127.0.0.1: the variables `CERTIFICATE` and `KEY` of [`LISTEN_TWICE`].
pub(crate) fn certificate() -> [(&'static str, String); 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let file = |name, text: String| temporary_file(name, &text).display().to_string();
    let key = made.signing_key.serialize_pem();
    [("CERTIFICATE", file("certificate.pem", made.cert.pem())), ("KEY", file("key.pem", key))]
}

/// Plain text and TLS, each on a free port.
pub(crate) const LISTEN_TWICE: &str = "
listen:
  - 127.0.0.1:0
  - {address: 127.0.0.1:0, tls: {certificates: [{certificate: '${CERTIFICATE}', key: '${KEY}'}]}}
";

/// Where a gateway that listens twice speaks TLS, such as `https://127.0.0.1:41234`.
pub(crate) fn secure_url(gateway: &Gateway) -> String {
    gateway.announced.split_whitespace().find(|word| word.starts_with("https://")).unwrap().to_owned()
}

/// The largest resident size that a process had, in KiB.
pub(crate) fn peak_kib(process: u32) -> u64 {
    kib(process, "VmHWM:")
}

/// The resident size of a process, in KiB.
pub(crate) fn resident_kib(process: u32) -> u64 {
    kib(process, "VmRSS:")
}

fn kib(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}
