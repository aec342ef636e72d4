//! A whole cluster in one process, on virtual time, decided by one seed: nodes, links, store, sockets and clocks that fail
//! at every step, and clients that must not notice more than they were promised.
//!
//! [`Plan`] says what is to happen and grows from the seed; [`run`](run::run) lets it happen in a [`world`] and judges by
//! the clients' own records and by what the store and the nodes are like at the end.

pub mod entropy;
mod judge;
mod load;
pub mod plan;
mod prompt;
pub mod run;
pub mod trace;
pub mod trouble;
pub mod world;

pub use plan::{Keep, Plan};
pub use run::{Report, run};
