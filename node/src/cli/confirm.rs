//! Asks before something is lost.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

/// Whether the person at the terminal says yes.
///
/// # Errors
/// When there is nobody to ask.
pub(super) fn confirm(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("{question} Nobody is at a terminal to answer: add --yes");
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
