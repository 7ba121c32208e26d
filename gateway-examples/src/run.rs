//! The things the binary does: the demo, a file, a check, a schema.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    sync::Mutex,
    time::Duration,
};

use gateway_layers::config::{self, Context, Reloader, Source};
use tokio::runtime::Runtime;
use tracing_subscriber::filter::LevelFilter;

use crate::{demo, reloading, serve};

/// Serves the embedded demo.
pub(crate) fn demo() -> ExitCode {
    in_runtime(async {
        let shop = demo::start().await.map_err(|error| format!("the demo services: {error}"))?;
        let source = Source { name: "gateway.yaml (embedded)", text: demo::DOCUMENT };
        let variable = |name: &str| env::var(name).ok().or_else(|| shop.variables.get(name).cloned());
        let reloader = Reloader::start(source, variable, Context::default()).map_err(Trouble::Document)?;
        serve::declared(&Mutex::new(reloader), Some(&shop.token)).await
    })
}

/// Serves a file, as it is now and as it will be.
pub(crate) fn file(path: &Path) -> ExitCode {
    in_runtime(async {
        let following = reloading::start(path)?;
        serve::declared(following.reloader(), None).await
    })
}

/// Checks a file and says what is wrong with it.
pub(crate) fn check(path: &Path) -> ExitCode {
    // Some parts want to know the runtime that they will live on, even if they are only checked.
    in_runtime(async {
        let text = read(path)?;
        let declared =
            config::load(source(path, &text), variable, &context(path)).map_err(Trouble::Document)?;
        let routes = declared.routes().len();
        let mut out = io::stdout().lock();
        writeln!(out, "{}: ok, {routes} routes", path.display()).map_err(|error| error.to_string())?;
        Ok(())
    })
}

/// Prints the schema of the document.
pub(crate) fn schema() -> ExitCode {
    in_runtime(async {
        let mut out = io::stdout().lock();
        writeln!(out, "{:#}", config::schema()).map_err(|error| format!("standard output: {error}").into())
    })
}

/// Why the program ends in failure.
pub(crate) enum Trouble {
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

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The text as messages name it.
pub(crate) fn source<'a>(path: &'a Path, text: &'a str) -> Source<'a> {
    Source { name: path.to_str().unwrap_or("the document"), text }
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// What layers share; the files that a document names are seen from its own folder.
pub(crate) fn context(path: &Path) -> Context {
    Context { folder: path.parent().map(Path::to_owned).unwrap_or_default(), ..Context::default() }
}
