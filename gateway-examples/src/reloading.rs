//! Following a file: it is read again when it has changed, or on SIGHUP.

use std::{
    panic,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gateway_layers::{
    config::{Problems, Reloaded, Reloader, Seen, Watch},
    core::{Clock, task::Task},
};
use tokio::task::spawn_blocking;

use crate::{
    run::{self, Trouble},
    serve::lock,
    signals,
};

/// Reads a file, and follows it from then on.
pub(crate) fn start(path: &Path) -> Result<Following, Trouble> {
    // Looked at before it is read, so that no change is missed.
    let watch = Mutex::new(Watch::new(Seen::of([path])));
    let text = run::read(path)?;
    let context = run::context(path);
    let (clock, meter) = (context.clock.clone(), context.meter.clone());
    let reloader = Reloader::start(run::source(path, &text), run::variable, context);
    let reloader = Mutex::new(reloader.map_err(Trouble::Document)?);
    let file = Arc::new(File { path: path.to_owned(), watch, reloader });
    let hangups = signals::hangups().map_err(|error| format!("signals: {error}"))?;
    // The work may start again, and then it goes on with the same signals.
    let hangups = Arc::new(tokio::sync::Mutex::new(hangups));
    let followed = Arc::clone(&file);
    let task = Task::start("config", &clock.clone(), &meter, move || {
        let (file, hangups, clock) = (Arc::clone(&followed), Arc::clone(&hangups), clock.clone());
        async move {
            let mut hangups = hangups.lock().await;
            loop {
                let asked = clock.timeout(clock.now() + BETWEEN_LOOKS, hangups.recv()).await.is_some();
                look(Arc::clone(&file), clock.clone(), asked).await;
            }
        }
    });
    Ok(Following { file, _task: task.map_err(|error| error.to_string())? })
}

/// How long after one look at the files the next one comes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// A file that is followed for as long as this lives.
pub(crate) struct Following {
    file: Arc<File>,
    _task: Task,
}

impl Following {
    /// What keeps its last good state.
    pub(crate) fn reloader(&self) -> &Mutex<Reloader> {
        &self.file.reloader
    }
}

struct File {
    path: PathBuf,
    watch: Mutex<Watch>,
    reloader: Mutex<Reloader>,
}

/// Looks and reads on a thread that may wait: disks do, and a long document takes a while.
async fn look(file: Arc<File>, clock: Clock, asked: bool) {
    if let Err(error) = spawn_blocking(move || file.look(&clock, asked)).await
        && error.is_panic()
    {
        panic::resume_unwind(error.into_panic());
    }
}

impl File {
    fn look(&self, clock: &Clock, asked: bool) {
        let mut reloader = lock(&self.reloader);
        let seen = Seen::of([&self.path].into_iter().chain(reloader.files()));
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if asked {
            *watch = Watch::new(seen);
        } else if !watch.look(seen, clock.now()) {
            return;
        }
        drop(watch);
        self.read(&mut reloader, asked);
    }

    fn read(&self, reloader: &mut Reloader, asked: bool) {
        let trouble = reloader.status().trouble();
        let read = run::read(&self.path).map_err(Refused::Unreadable).and_then(|text| {
            reloader.reload(run::source(&self.path, &text), run::variable).map_err(Refused::Wrong)
        });
        let generation = reloader.status().generation();
        match read {
            Ok(Reloaded::Swapped { needs_restart }) => {
                tracing::info!(generation, "configuration reloaded");
                if !needs_restart.is_empty() {
                    tracing::warn!(
                        keys = needs_restart.join(", "),
                        "these keys need a restart; the rest is in force"
                    );
                }
            }
            Ok(_) if asked || trouble.is_some() => {
                tracing::info!(generation, "the configuration says what is in force already");
            }
            Ok(_) => tracing::debug!(generation, "the configuration was read again and says the same"),
            Err(refused) => {
                if let Refused::Unreadable(why) = &refused {
                    reloader.unreadable(why);
                }
                // Files that a refused document names are looked at from then on, which reads it once more.
                if !asked && trouble == reloader.status().trouble() {
                    tracing::info!(generation, "the configuration is still refused, for the same reasons");
                } else {
                    tracing::error!(generation, "the configuration is refused and the one before goes on");
                    for line in refused.lines() {
                        tracing::error!("{line}");
                    }
                }
            }
        }
    }
}

enum Refused {
    Unreadable(String),
    Wrong(Problems),
}

impl Refused {
    /// One for each problem.
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Unreadable(why) => vec![why.clone()],
            Self::Wrong(problems) => problems.to_string().lines().map(str::to_owned).collect(),
        }
    }
}
