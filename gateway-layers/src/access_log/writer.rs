//! The thread that writes lines out.

use std::{
    io::{self, Write},
    sync::PoisonError,
    time::{Duration, Instant},
};

use gateway_core::Clock;

use super::sink::Shared;

/// Writes whatever comes until the sink is closed and empty.
pub(super) fn run(shared: &Shared, mut open: impl FnMut() -> io::Result<Box<dyn Write + Send>>) {
    let clock = Clock::default();
    let mut output: Option<Box<dyn Write + Send>> = None;
    let mut complained: Option<Instant> = None;
    let mut batch = Vec::new();
    while gather(shared, &mut batch) {
        let written = write(&mut output, &mut open, &batch);
        let mut state = shared.state();
        state.is_writing = false;
        if let Err(error) = written {
            output = None;
            state.counts.write_errors.increment();
            let lines = batch.iter().filter(|&&byte| byte == b'\n').count();
            state.counts.dropped.add(lines as u64);
            drop(state);
            let now = clock.now();
            if complained.is_none_or(|last| now.saturating_duration_since(last) >= COMPLAIN_EVERY) {
                complained = Some(now);
                tracing::warn!(target: "gateway", %error, lines, "the access log cannot be written; lines are lost");
            }
        } else {
            drop(state);
        }
        shared.changed().notify_all();
        batch.clear();
    }
}

/// Waits for lines, then a moment for more, and takes them all. `false` at the end.
fn gather(shared: &Shared, batch: &mut Vec<u8>) -> bool {
    let changed = shared.changed();
    let state = shared.state();
    let idle = changed.wait_while(state, |state| state.lines.is_empty() && !state.is_closed);
    let state = idle.unwrap_or_else(PoisonError::into_inner);
    let more = changed.wait_timeout_while(state, GATHER, |state| {
        !state.is_closed && !state.wants_flush && state.lines.len() < MANY
    });
    let (mut state, _) = more.unwrap_or_else(PoisonError::into_inner);
    if state.lines.is_empty() {
        return false;
    }
    state.wants_flush = false;
    state.is_writing = true;
    std::mem::swap(&mut state.lines, batch);
    true
}

fn write(
    output: &mut Option<Box<dyn Write + Send>>,
    open: &mut impl FnMut() -> io::Result<Box<dyn Write + Send>>,
    batch: &[u8],
) -> io::Result<()> {
    let output = match output {
        Some(output) => output,
        none => none.insert(open()?),
    };
    output.write_all(batch)?;
    output.flush()
}

/// How long lines are gathered after the first one.
const GATHER: Duration = Duration::from_millis(20);

/// Bytes that are worth a write of their own.
const MANY: usize = 256 * 1024;

const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
