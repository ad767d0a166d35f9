//! Fetches memory that is needed soon while something else is done. Among hundreds of subscribers each one's state has left the
//! nearest caches by the time of the next burst. It lies in a dozen places, each found through the one before: to wait for them
//! one after the other takes as long as to choose and write.

/// Bytes that a cache takes at once.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for all of a value; nothing waits for it.
#[cfg(target_arch = "x86_64")]
pub fn fetch<T: ?Sized>(value: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let start = std::ptr::from_ref(value).cast::<i8>();
    for at in (0..size_of_val(value)).step_by(LINE) {
        // SAFETY: a hint reads nothing; the address lies within the value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at)) };
    }
}

/// Elsewhere there is no stable way to ask.
#[cfg(not(target_arch = "x86_64"))]
pub fn fetch<T: ?Sized>(_value: &T) {}
