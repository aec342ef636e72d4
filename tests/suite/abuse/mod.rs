//! What strangers may send: each gets its documented answer, memory stays flat, and two people chat on undisturbed.

mod connect_flood;
mod garbage;
mod half_open;
mod huge;
mod memory;
mod never_acks;
mod slow;
mod tiny_frames;
mod tokens;
mod vectors;
