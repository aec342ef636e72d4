//! What the micro-benchmarks measure: small pieces of the way of a message, each by itself, each a [`Case`].
//!
//! `benches/time.rs` times them, `benches/instructions.rs` counts their instructions under callgrind, and the program
//! of this crate compares such counts with those that are kept in `instructions.json`.

mod codec;
mod machines;
mod node;
mod store;

/// The work of a case, done once each time it is called.
pub type Work = Box<dyn FnMut()>;

/// Something to be measured.
pub struct Case {
    /// What it is: what the kept figures go by.
    pub name: &'static str,
    /// How many operations the work is.
    pub operations: u64,
    /// Whether the work may be done again and again; else each needs to be prepared.
    pub repeats: bool,
    /// Whether callgrind counts the same each time: it is the calling thread's alone, and nothing in it is left to chance.
    pub is_counted: bool,
    /// Prepares it.
    pub prepare: fn() -> Work,
}

/// All of them. The order is that of the tables.
pub fn cases() -> Vec<Case> {
    let mut cases = codec::cases();
    cases.extend(machines::cases());
    cases.extend(store::cases());
    cases.extend(node::cases());
    cases
}

/// Those whose instructions can be counted.
pub fn counted() -> Vec<Case> {
    cases().into_iter().filter(|case| case.is_counted).collect()
}

/// One that is repeated.
const fn repeated(name: &'static str, operations: u64, prepare: fn() -> Work) -> Case {
    Case { name, operations, repeats: true, is_counted: true, prepare }
}

/// One that is prepared anew each time.
const fn fresh(name: &'static str, operations: u64, prepare: fn() -> Work) -> Case {
    Case { name, operations, repeats: false, is_counted: true, prepare }
}

/// One that is repeated and only timed.
const fn timed(name: &'static str, operations: u64, prepare: fn() -> Work) -> Case {
    Case { is_counted: false, ..repeated(name, operations, prepare) }
}
