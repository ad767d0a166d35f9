//! One target, by the name in QISM_FUZZ_TARGET, under libFuzzer. `tests/fuzz/run` starts it for each.
#![no_main]

#[path = "../../targets.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("QISM_FUZZ_TARGET").unwrap_or_default();
    let listed = targets::TARGETS.iter().find(|(name, _)| *name == wanted);
    listed.unwrap_or_else(|| panic!("no target is named {wanted:?}")).1
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
