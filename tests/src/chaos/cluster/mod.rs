//! A storm around several nodes on one data directory.

mod deliveries;
mod fault;
mod faults;
mod groups;
mod load;
mod plan;
mod plot;
mod report;
mod run;
mod stalled;
mod timeline;

pub(crate) use deliveries::shown;
pub use deliveries::{Deliveries, Delivery, Spread};
pub use fault::{Fault, Kind};
pub use groups::{Gathering, GroupAct, GroupLoad, GroupRates, PlannedChange};
pub use load::{Load, Sending};
pub use plan::{ClientStrike, ClusterPlan, ClusterShape, Strike};
pub use report::ClusterReport;
pub use run::run as run_cluster;
pub use stalled::Stalled;
pub use timeline::{Note, Span, Timeline};
