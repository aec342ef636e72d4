//! Where the program's memory comes from, and that a node whose clients have nothing to say gives back what they do not need.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;

/// mimalloc, which keeps blocks of similar sizes beside each other, with those of 4 KiB apart from smaller ones.
///
/// Of 4 KiB is the read buffer of a TLS session (rustls), which lives as long as its connection. The mailboxes of a connection's two
/// actors (ractor, 3.6 KB each) would be beside it; when the actors end, for there is nothing to do, the buffers between would
/// keep that memory. An idle TLS connection took 20 KB with them beside each other, of which 10 were in use.
pub(crate) struct Allocator;

const TLS_READ_BUFFER: usize = 4096;

/// A size of the next larger kind instead of the one that is to be apart.
const fn apart(size: usize) -> usize {
    if size == TLS_READ_BUFFER { size + 1 } else { size }
}

fn laid_apart(layout: Layout) -> Layout {
    Layout::from_size_align(apart(layout.size()), layout.align()).unwrap_or(layout)
}

// SAFETY: each call goes on to mimalloc's, with the caller's pointer, the same alignment, and a size that is not smaller. A block's
// size becomes the same one at each call, so mimalloc is told the layout that it has given.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.alloc(laid_apart(layout)) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(laid_apart(layout)) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, laid_apart(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(block, laid_apart(layout), apart(size)) }
    }
}

/// Has the system give memory in pages of 4 KiB only. Of those of 2 MiB, which the allocator asks for, a node with few
/// connections fills little: 9 MB of 34 were such when it had none. Messages cost no more processor time without them.
pub(crate) fn use_small_pages() {
    // Where it is refused, more memory is used, and nothing else.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// How often a worker looks for memory to give back.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(5);

/// Gives freed memory back to the system. What one worker allocates and another frees, as when ten thousand sessions fall
/// asleep, the allocator keeps for the first until that one asks for it, which an idle worker never does by itself.
pub(crate) fn give_back() {
    thread_local! {
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now.duration_since(last) >= GIVE_BACK_EVERY) {
        LAST.set(Some(now));
        // SAFETY: takes no pointer, and may be called by any thread at any time outside of an allocation.
        #[allow(unsafe_code)]
        unsafe {
            libmimalloc_sys::mi_collect(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_bytes_as_they_grow_through_the_size_that_is_apart() {
        let mut block = Vec::with_capacity(1);
        for size in [16, TLS_READ_BUFFER - 1, TLS_READ_BUFFER, TLS_READ_BUFFER + 1, 3 * TLS_READ_BUFFER] {
            block.reserve_exact(size - block.len());
            block.resize(size, 7_u8);
        }
        block.truncate(TLS_READ_BUFFER);
        block.shrink_to_fit();
        assert!(block.len() == TLS_READ_BUFFER && block.iter().all(|byte| *byte == 7));
        assert!(vec![0_u8; TLS_READ_BUFFER].iter().all(|byte| *byte == 0));
    }
}
