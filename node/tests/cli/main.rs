//! The node from outside: the real program, and listeners on real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod accepting;
mod chatting;
mod client;
mod config_errors;
mod operating;
mod operating_several;
mod operating_store;
mod program;
mod running_node;
mod several_nodes;
mod start_errors;
mod users_and_tokens;
mod watched;
