//! The `rookery` program's commands.

mod admin;
mod arguments;
mod chat;
mod confirm;
mod failure;
mod local;
mod serve;
mod shell;
mod token;
mod up;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;

use arguments::{Arguments, Command};

/// Installs the process's metrics recorder. Called once, by commands that run a node.
pub type InstallRecorder = fn() -> anyhow::Result<PrometheusHandle>;

/// Runs the command that the arguments name.
pub async fn run(arguments: impl Iterator<Item = OsString>, recorder: InstallRecorder) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version go to standard output, errors to standard error; neither may matter to a closed pipe.
            let _ = message.print();
            return if message.use_stderr() { failure::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match arguments.command {
        Command::Up(arguments) => Box::pin(up::run(arguments, recorder)).await,
        Command::Node(arguments) => Box::pin(serve::run_service(arguments, recorder)).await,
        Command::User(command) => Box::pin(user::run(command)).await,
        Command::Token(arguments) => Box::pin(token::run(arguments)).await,
        Command::Chat(arguments) => Box::pin(chat::run(arguments)).await,
        Command::Admin(arguments) => Box::pin(admin::run(*arguments)).await,
        Command::Completions(arguments) => shell::completions(arguments.shell),
        Command::Man(arguments) => shell::man(&arguments.directory),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rookery: {}", failure::message(&error));
            failure::exit_code(&error).into()
        }
    }
}
