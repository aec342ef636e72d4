//! Everything at once: many clients, nodes that are killed, networks that fail, and the oracle at the end.
//!
//! What happens, and when, is a plan that grows from a seed alone: the same seed gives the same plan. How the
//! processes interleave is the machine's doing, so a replay is the same storm, not the same raindrops.

mod aside;
mod client_fault;
mod cluster;
mod one_node;
mod random;
mod saying;
mod talk;

pub use aside::{Aside, AsideAct, asides};
pub use client_fault::ClientFault;
pub(crate) use cluster::shown;
pub use cluster::{
    ClientStrike, ClusterPlan, ClusterReport, ClusterShape, Deliveries, Delivery, Fault, Gathering, GroupAct,
    GroupLoad, GroupRates, Kind, Load, Note, PlannedChange, Sending, Span, Spread, Stalled, Strike, Timeline,
    run_cluster,
};
pub use one_node::{Action, Down, Plan, Report, Shape, Step, run};
pub use saying::{Saying, words};

/// Whoever wants to know how a run goes.
pub trait Watch {
    /// So many of so many steps are done.
    fn steps(&self, done: usize, of: usize);
    /// Something else goes on now.
    fn phase(&self, what: &str);
}
