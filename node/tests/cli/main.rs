//! The node from outside: the real program, and listeners on real sockets.

mod accepting;
mod chatting;
mod config_errors;
mod program;
mod running_node;
mod start_errors;
mod users_and_tokens;
