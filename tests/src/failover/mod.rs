//! What people notice when a node goes away: the same fault again and again under an even load, measured.
//!
//! A client measures from giving a message to the library until it is handed up at the other end, in one process, by one
//! clock. Nothing lies between clients and nodes, nor between nodes, unless it is a link that is cut.

mod measure;
mod run;
mod table;

pub use measure::{Mark, Measured};
pub use run::{Failover, FailoverFault, measure};
pub use table::FailoverReport;
