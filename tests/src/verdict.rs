//! Whether a run of clients against nodes went as it should: what the oracle says, and all else that should not happen.

use std::fmt;

use crate::fleet::Unsettled;
use crate::history::{History, What};
use crate::oracle::{self, INVARIANTS, Violation};

/// All there is to say against a run; nothing, if it went well.
#[derive(Debug)]
pub struct Verdict {
    /// What broke an invariant.
    pub violations: Vec<Violation>,
    /// What was missing at the end, if anything was.
    pub unsettled: Option<Unsettled>,
    /// What else should not have happened: clients that ended by themselves, and whatever the run itself noticed.
    pub surprises: Vec<String>,
}

impl Verdict {
    /// Judges a history. What the run itself noticed is in `surprises`.
    pub fn of(history: &History, unsettled: Option<Unsettled>, mut surprises: Vec<String>) -> Self {
        surprises.extend(history.entries.iter().filter_map(|entry| match &entry.what {
            What::Ended { reason } => Some(format!("{} ended by itself: {reason}", entry.client)),
            // What is refused is the oracle's to judge.
            _ => None,
        }));
        Self { violations: oracle::judge(history), unsettled, surprises }
    }

    /// Whether there is nothing to say against it.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.unsettled.is_none() && self.surprises.is_empty()
    }
}

/// A line for each invariant, then one for each thing that was wrong.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, _) in INVARIANTS {
            let broken = self.violations.iter().any(|violation| violation.invariant == name);
            writeln!(f, "  {name:<32} {}", if broken { "BROKEN" } else { "holds" })?;
        }
        for violation in &self.violations {
            writeln!(f, "  ! {violation}")?;
        }
        for surprise in &self.surprises {
            writeln!(f, "  ! {surprise}")?;
        }
        if let Some(unsettled) = &self.unsettled {
            writeln!(f, "  ! {unsettled}")?;
        }
        Ok(())
    }
}
