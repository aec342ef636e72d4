//! Bindings of the FoundationDB C API at version 730, with the client library opened at run time.
//!
//! This crate takes the place of the published `foundationdb-sys`, which needs libclang to build and
//! `libfdb_c.so` to link and to start. Here the bindings are written out and every `fdb_*` function forwards
//! to a symbol resolved by `dlopen`, so one binary builds anywhere, starts without the client library, and
//! can say what is missing when FoundationDB is asked for. The `foundationdb` crate compiles against it
//! unchanged.
//!
//! Call [`load`] once before any `fdb_*` function: its error tells the operator what to install. A function
//! called earlier searches the default places itself; when that finds nothing
//! - a function returning `fdb_error_t` returns 2108, `unsupported_operation`;
//! - `fdb_get_error` and `fdb_get_client_version` return a text that says so;
//! - `fdb_error_predicate` and `fdb_get_max_api_version` return 0;
//! - any other panics, because its arguments can only come from a client that is loaded.
//!
//! Invariants:
//! - a client is used only when it supports API version 730 and has every function the `foundationdb` crate
//!   cannot work without; a function outside that set behaves as above when the client lacks it;
//! - the first client that loads stays for the life of the process.
//!
//! Deliberately absent: blob granules (experimental, and unused by the `foundationdb` crate), and API versions
//! other than 730.

#![allow(unsafe_code, reason = "the C API of the client library can be bound in no other way")]

mod client;
#[cfg(test)]
mod fake_client;
mod functions;
mod options;
mod types;
mod versions;

pub use client::{Attempt, LIBRARY_ENV, LoadError, LoadedFrom, Rejection, load};
pub use functions::*;
pub use options::*;
pub use types::*;

/// The API version of these bindings, and the lowest a client library must support.
pub const FDB_API_VERSION: u32 = 730;
