//! The three things the binary does: the demo, a file, a check.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use gateway_layers::{
    config::{self, Context, Declared, Source},
    core::server::serve,
};
use tokio::{net::TcpListener, runtime::Runtime};
use tracing_subscriber::filter::LevelFilter;

use crate::{demo, signals};

/// Serves the embedded demo.
pub(crate) fn demo() -> ExitCode {
    in_runtime(async {
        let shop = demo::start().await.map_err(|error| format!("the demo services: {error}"))?;
        let source = Source { name: "gateway.yaml (embedded)", text: demo::DOCUMENT };
        let variable = |name: &str| env::var(name).ok().or_else(|| shop.variables.get(name).cloned());
        let declared = config::load(source, variable, &Context::default()).map_err(Trouble::Document)?;
        serve_declared(declared, Some(&shop.token)).await
    })
}

/// Serves a file.
pub(crate) fn file(path: &Path) -> ExitCode {
    in_runtime(async {
        let declared = read(path)?;
        serve_declared(declared, None).await
    })
}

/// Checks a file and says what is wrong with it.
pub(crate) fn check(path: &Path) -> ExitCode {
    // Some parts want to know the runtime that they will live on, even if they are only checked.
    in_runtime(async {
        let declared = read(path)?;
        let routes = declared.routes().len();
        let mut out = io::stdout().lock();
        writeln!(out, "{}: ok, {routes} routes", path.display()).map_err(|error| error.to_string())?;
        Ok(())
    })
}

/// Why the program ends in failure.
enum Trouble {
    /// The document is not valid.
    Document(config::Problems),
    /// Everything else, in one line.
    Other(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

fn in_runtime(work: impl Future<Output = Result<(), Trouble>>) -> ExitCode {
    if let Err(text) = start_log() {
        complain(&format!("gateway: {text}"));
        return ExitCode::from(2);
    }
    let outcome = match Runtime::new() {
        Ok(runtime) => {
            let outcome = runtime.block_on(work);
            // Names are resolved on blocking threads, which may hang; nobody waits for them at the end.
            runtime.shutdown_timeout(Duration::from_millis(100));
            outcome
        }
        Err(error) => Err(Trouble::Other(format!("the runtime could not start: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Document(problems)) => {
            complain(&problems.to_string());
            ExitCode::from(2)
        }
        Err(Trouble::Other(text)) => {
            complain(&format!("gateway: {text}"));
            ExitCode::FAILURE
        }
    }
}

/// Standard error may be closed; there is nobody left to tell then.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}

fn start_log() -> Result<(), String> {
    let level = match env::var("GATEWAY_LOG") {
        Err(env::VarError::NotPresent) => LevelFilter::INFO,
        asked => asked
            .ok()
            .and_then(|level| level.parse().ok())
            .ok_or("GATEWAY_LOG: expected error, warn, info, debug, trace or off")?,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Declared, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let source = Source { name: &path.display().to_string(), text: &text };
    config::load(source, |name| env::var(name).ok(), &Context::default()).map_err(Trouble::Document)
}

/// Serves it, with lines to try for whoever has a token.
async fn serve_declared(declared: Declared, token: Option<&str>) -> Result<(), Trouble> {
    let stop = signals::stop_requested().map_err(|error| format!("signals: {error}"))?;
    let listener = listen(&declared).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    announce(&declared, &format!("http://{address}"), token)
        .map_err(|error| format!("standard output: {error}"))?;

    let drained = serve(listener, declared.service()).meter(declared.meter()).shutdown(stop).await;
    declared.flush(Duration::from_secs(2));
    let drained = drained.map_err(|error| format!("serving: {error}"))?;
    tracing::info!(?drained, "stopped");
    Ok(())
}

async fn listen(declared: &Declared) -> Result<TcpListener, String> {
    let address = declared.listen();
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is already in use; choose another with LISTEN=127.0.0.1:PORT or `listen:`")
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

fn announce(declared: &Declared, base: &str, token: Option<&str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "gateway {} on {base}\n", env!("CARGO_PKG_VERSION"))?;
    for line in declared.routes() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    if let Some(token) = token {
        demo::print(&mut out, base, token)?;
    }
    out.flush()
}
