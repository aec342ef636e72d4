//! Everything a frame must keep to, one idea a file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod decoder;
mod documentation;
mod evolution;
mod examples;
mod fuzz_seeds;
mod groups;
mod identifiers;
mod invalid;
mod lengths;
mod msgpack;
mod people;
mod perturbed;
mod positional;
mod round_trip;
mod strategies;
mod streams;
mod vector_file;
mod vectors;
mod version_gate;
