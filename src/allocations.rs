//! Counts heap allocations of the unit tests' threads, so that "allocates nothing" and "keeps so much" can be asserted.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes that are held now.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // A thread that ends has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

fn hold(bytes: i64) {
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: everything is the system's; the counter is a plain cell of the thread and allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hold(-(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size as i64 - layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Allocations of this thread while `work` runs.
pub fn during(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// What `work` yields, and the bytes that this thread holds more after it.
pub fn held_by<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let before = HELD.get();
    (work(), HELD.get() - before)
}

#[test]
fn what_is_kept_is_held_and_what_is_dropped_is_not() {
    let (kept, held) = held_by(|| {
        drop(std::hint::black_box(vec![0u8; 5_000]));
        let mut kept = std::hint::black_box(vec![0u8; 1_000]);
        kept.reserve_exact(2_000);
        kept
    });
    assert_eq!(held, 3_000);
    assert_eq!(held_by(|| drop(kept)).1, -3_000);
}

#[test]
fn an_allocation_is_counted_and_arithmetic_is_not() {
    assert_eq!(during(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(
        during(|| {
            std::hint::black_box(1 + 1);
        }),
        0
    );
}
