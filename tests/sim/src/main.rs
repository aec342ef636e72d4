//! `rookery-sim`: a cluster in one process, on virtual time, decided by one seed.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rookery-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
