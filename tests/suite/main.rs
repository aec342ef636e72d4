//! The end-to-end suite: real nodes, real clients. One behaviour a file.
#![expect(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

mod abuse;
mod bystanders;
mod channels;
mod chaos;
mod chat;
mod chat_json;
mod cluster;
mod disk_full;
mod graceful_stop;
mod groups;
mod idle;
mod node_hangs;
mod node_killed;
mod offline;
mod oracle_bites;
mod people;
mod reload;
mod several_devices;
mod starting;
mod tls;
