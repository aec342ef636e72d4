//! Everything at once: many clients, a node that is killed, networks that fail, and the oracle at the end.
//!
//! What happens, and when, is a [`Plan`] that grows from a seed alone: the same seed gives the same plan. How the
//! processes interleave is the machine's doing, so a replay is the same storm, not the same raindrops.

mod plan;
mod report;
mod run;

pub use plan::{Action, Down, Plan, Shape, Step};
pub use report::Report;
pub use run::{Watch, run};
