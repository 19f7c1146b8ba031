//! The guest's allocator: a fixed arena first, the usual allocator when that is full.
//!
//! The usual allocator takes its first memory by growing it, and growing means two changes of page protection
//! in the host for every call, each of which interrupts the other processors. Most calls need less than the arena.

#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, UnsafeCell},
    ptr,
};

/// Enough for a hook over a hundred records; untouched pages cost nothing.
const BYTES: usize = 192 << 10;

#[repr(align(16))]
struct Arena {
    bytes: UnsafeCell<[u8; BYTES]>,
    used: Cell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; BYTES]), used: Cell::new(0) };

impl Arena {
    fn start(&self) -> usize {
        self.bytes.get() as usize
    }

    fn holds(&self, pointer: *mut u8) -> bool {
        (self.start()..self.start() + BYTES).contains(&(pointer as usize))
    }
}

// SAFETY: blocks of the arena do not overlap, because `used` only goes back over the last one; all other
// blocks are the system allocator's, and go back to it.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.start();
        let at = (start + self.used.get()).next_multiple_of(layout.align()) - start;
        match at.checked_add(layout.size()).filter(|end| *end <= BYTES) {
            Some(end) => {
                self.used.set(end);
                // SAFETY: `at` is within the arena.
                unsafe { self.bytes.get().cast::<u8>().add(at) }
            }
            // SAFETY: passed on as it came.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.holds(pointer) {
            // SAFETY: not the arena's, so the system's.
            return unsafe { System.dealloc(pointer, layout) };
        }
        let at = pointer as usize - self.start();
        if at + layout.size() == self.used.get() {
            self.used.set(at);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.holds(pointer) {
            // SAFETY: not the arena's, so the system's.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        let at = pointer as usize - self.start();
        let is_last = at + layout.size() == self.used.get();
        if is_last && at.checked_add(size).is_some_and(|end| end <= BYTES) {
            self.used.set(at + size);
            return pointer;
        }
        // SAFETY: the caller vouches for size and alignment; both blocks hold the bytes that are copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}
