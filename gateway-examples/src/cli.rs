//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// An API gateway made of tower layers.
///
/// Without arguments it starts an embedded demo: a few small services inside this process and a gateway in front of
/// them on 127.0.0.1:8080.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,

    /// Serve this YAML file; short for `gateway run --config FILE`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Serve a YAML file until SIGTERM or Ctrl-C, and follow its changes
    Run(RunArgs),
    /// Read a YAML file, say everything that is wrong with it, and exit with 0 or 2
    Check {
        /// The file to check
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the file, for editors and for programs that write it
    Schema,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The file to serve
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Demo,
    Run { config: PathBuf },
    Check { file: PathBuf },
    Schema,
}

impl Cli {
    pub(crate) fn command(self) -> Command {
        match (self.command, self.config) {
            (Some(Sub::Run(RunArgs { config })), _) | (None, Some(config)) => Command::Run { config },
            (Some(Sub::Check { file }), _) => Command::Check { file },
            (Some(Sub::Schema), _) => Command::Schema,
            (None, None) => Command::Demo,
        }
    }
}

const AFTER_HELP: &str = "\
Any value in the file may be ${NAME} or ${NAME:default}, read from the environment.

Environment:
  LISTEN       the demo's address [default: 127.0.0.1:8080]
  GATEWAY_LOG  what the gateway says of itself on standard error:
               error, warn, info, debug, trace or off [default: info]

Signals:
  SIGTERM, SIGINT  finish what is in flight, at most 30 s, then exit with 0;
                   a second one exits at once with 130
  SIGHUP           `run` reads the file again, at once; it also does when
                   the file, or one that it names, has changed

Exit status:
  0  ended as asked      1  could not start or serve
  2  the command line or the file is not valid";
