//! A storm around one node.

mod plan;
mod report;
mod run;

pub use plan::{Action, Down, Plan, Shape, Step};
pub use report::Report;
pub use run::run;
