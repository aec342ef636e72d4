//! The admin API of a running node, asked over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod client;
mod document;
mod http;
mod limits;
mod node;
mod routes;
mod streams;
mod tls;
mod wrong;

mod people;
