//! What an idle connection costs: KiB of resident memory for each of 5,000, after one answered request.
//!
//! ```text
//! cargo run --release -p gateway-benches --bin idle_connections
//! ```
//!
//! The server runs in a process of its own, so that only its memory counts, with one thread and without layers. The
//! limit of open files must allow twice as many as there are connections.
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    convert::Infallible,
    env, fs, io,
    num::NonZeroUsize,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use gateway_layers::core::{
    Body, BoxError,
    server::{Listener, serve},
    tls::{Certificate, ServerTls, ServerTlsSettings},
};
use http::{Request, Response};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tower::service_fn;

const CONNECTIONS: usize = 5_000;

/// How a connection is used before it is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Never: a client that says nothing yet.
    Silent,
    /// One request in plain text.
    Plain,
    /// One over TLS.
    Encrypted,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    if env::args().nth(1).as_deref() == Some("serve") {
        return server().await;
    }
    println!("{CONNECTIONS} idle connections, KiB of resident memory of the server for each:");
    for how in [Use::Silent, Use::Plain, Use::Encrypted] {
        println!("  {:<10} {:.1}", format!("{how:?}").to_lowercase(), measure(how).await?);
    }
    Ok(())
}

async fn measure(how: Use) -> Result<f64, BoxError> {
    let mut server = Process(Command::new(env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?);
    let out = server.0.stdout.take().ok_or("no output")?;
    let mut lines =
        BufReader::new(tokio::fs::File::from_std(fs::File::from(std::os::fd::OwnedFd::from(out)))).lines();
    let mut line = async || lines.next_line().await?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof));
    let (plain, encrypted, root) = (line().await?, line().await?, line().await?);
    let address = if how == Use::Encrypted { encrypted } else { plain };
    let connector = TlsConnector::from(Arc::new(trusting(&root)?));

    // The first ones make the server claim what it needs once.
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(connect(how, &address, &connector).await?);
    }
    let before = server.resident()?;
    for _ in 0..CONNECTIONS {
        open.push(connect(how, &address, &connector).await?);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = server.resident()?;
    drop(open);
    Ok((after - before) / CONNECTIONS as f64)
}

async fn connect(how: Use, address: &str, connector: &TlsConnector) -> Result<Box<dyn Stream>, BoxError> {
    let stream = TcpStream::connect(address).await?;
    let mut stream: Box<dyn Stream> = match how {
        Use::Encrypted => {
            let stream = connector.connect(ServerName::try_from("bench.test")?, stream).await?;
            Box::new(stream)
        }
        Use::Silent | Use::Plain => Box::new(stream),
    };
    if how != Use::Silent {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench.test\r\n\r\n").await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server closed".into());
            }
        }
    }
    Ok(stream)
}

fn trusting(root: &str) -> Result<ClientConfig, BoxError> {
    let der: Result<Vec<u8>, _> =
        (0..root.len() / 2).map(|at| u8::from_str_radix(&root[at * 2..at * 2 + 2], 16)).collect();
    let mut roots = RootCertStore::empty();
    roots.add(der?.into())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Prints its addresses and its certificate, and serves until it is killed.
async fn server() -> Result<(), BoxError> {
    let made = rcgen::generate_simple_self_signed(["bench.test".to_owned()])?;
    let certificate =
        Certificate::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())?;
    let tls = ServerTls::new(&ServerTlsSettings::new([certificate]))?;
    let any = "127.0.0.1:0".parse()?;
    let (plain, encrypted) = (Listener::bind(any)?, Listener::bind(any)?.tls(tls));
    let root: String = made.cert.der().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{}\n{}\n{root}", plain.local_addr()?, encrypted.local_addr()?);
    let hello = service_fn(async |_: Request<_>| Ok::<_, Infallible>(Response::new(Body::from("hello"))));
    let long = Duration::from_secs(600);
    serve(plain, hello)
        .and(encrypted)
        .threads(NonZeroUsize::MIN)
        .first_byte_timeout(long)
        .keep_alive_timeout(long)
        .await?;
    Ok(())
}

/// A process that is killed with this value.
struct Process(Child);

impl Process {
    fn resident(&self) -> Result<f64, BoxError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
