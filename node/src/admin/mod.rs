//! What operators do to a node while it runs: HTTP and JSON on a listener of its own.

pub mod api;
