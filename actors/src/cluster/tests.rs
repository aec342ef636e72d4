//! What is decided without IO: batches and mail, and who is a member.

mod batches;
mod members;
