//! The commands.

mod bar;
mod chaos;

pub(crate) use chaos::Chaos;
