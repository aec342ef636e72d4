//! Which engine, and how it is doing.

mod health;
mod observed;
mod open;

pub use health::StoreHealth;
pub use observed::ObservedEngine;
pub use open::{OpenError, open};
