//! Where this process has its randomness from: one seed.
//!
//! What is ours is handed its generators. What is not, as the keys that the standard library's maps hash with and tokio's
//! choice among branches that are ready at once, asks the operating system through the C library's `getrandom`. This
//! program brings a `getrandom` of its own, which the linker prefers, so that one seed decides all of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The generator's state: SplitMix64.
static STATE: AtomicU64 = AtomicU64::new(0);

/// From now on everything grows from `seed`. To be called first of all, before any map is made.
pub fn grow_from(seed: u64) {
    STATE.store(seed ^ 0x5eed, Ordering::Relaxed);
}

/// Does something that is no part of the run, and takes no randomness from it: on a thread of its own, for the keys of maps are
/// each thread's.
pub fn apart(act: impl FnOnce() + Send) {
    let state = STATE.load(Ordering::Relaxed);
    std::thread::scope(|scope| scope.spawn(act).join().expect("what is done apart does not panic"));
    STATE.store(state, Ordering::Relaxed);
}

fn next() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut drawn = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    drawn ^ (drawn >> 31)
}

/// As getrandom(2), but for where the bytes are from. Nothing secret is made in a simulation.
///
/// # Safety
/// `buffer` must be writable for `length` bytes.
#[allow(unsafe_code, reason = "it stands in for a function of the C library, and has its form")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller says that the buffer is that long, and has it to itself.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    for chunk in buffer.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    length as isize
}
