//! The gateway binary as a process, for benches that want the real thing.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A gateway process in front of one upstream; it is killed when the value is dropped.
#[derive(Debug)]
pub struct Binary {
    child: Child,
    address: String,
}

impl Binary {
    /// Starts the binary that stands beside this program, with a document in which `${UPSTREAM}` is the upstream.
    ///
    /// # Errors
    /// If there is none, or if it does not say where it listens.
    pub fn start(document: &str, upstream: &str) -> io::Result<Self> {
        let program = env::current_exe()?.with_file_name("gateway");
        if !program.exists() {
            return Err(io::Error::other(
                "build it first: cargo build --release -p gateway-examples --bin gateway",
            ));
        }
        let file = env::temp_dir().join(format!("gateway-bench-{}.yaml", std::process::id()));
        fs::write(&file, document)?;
        let mut command = Command::new(program);
        command.args([PathBuf::from("--config"), file.clone()]).env("UPSTREAM", upstream);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut announced = String::new();
        let mut out = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        out.read_line(&mut announced)?;
        fs::remove_file(file)?;
        let address = announced.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let address = address.ok_or_else(|| io::Error::other(format!("it said {announced:?}")))?.to_owned();
        // It goes on to list its routes, and must not wait for a reader.
        std::thread::spawn(move || io::copy(&mut out, &mut io::sink()));
        Ok(Self { child, address })
    }

    /// Such as `127.0.0.1:41234`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The largest resident size that it had so far, in MiB.
    ///
    /// # Errors
    /// If this system has no `/proc`.
    pub fn peak_mib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib / 1024).ok_or_else(|| io::Error::other("no VmHWM"))
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
