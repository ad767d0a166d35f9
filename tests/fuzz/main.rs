//! Feeds every reader of untrusted bytes with its corpus and then, for some seconds, with changed and mixed pieces of it. No
//! coverage guides the changes: that is `make fuzz`, which runs the same targets for longer. An input that a target fails on
//! is written to `target/fuzz`; put it into the corpus with a test named after the bug.

mod changes;
mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Each target gets so long, unless `FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 10;
/// Of the changes, unless `FUZZ_SEED` says otherwise: a change of ours is not to fail by the luck of somebody else's dice.
const SEED: u64 = 1;

macro_rules! fuzzed {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            exercise(stringify!($name));
        })*

        #[test]
        fn every_target_is_exercised() {
            let listed: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(listed, [$(stringify!($name)),*]);
        }
    };
}

fuzzed!(
    stun,
    sdp,
    rtp,
    vp8,
    h264,
    rtcp,
    media,
    relay,
    framing,
    first_bytes,
    strangers,
    demultiplexer,
    client_hello,
    handshake,
    frames,
);

fn exercise(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(listed, _)| *listed == name).expect("a listed target");
    let corpus = corpus(name);
    assert!(corpus.len() > 2, "{name} has no corpus");
    corpus.iter().for_each(|input| feed(name, *target, input));
    let seed = told("FUZZ_SEED").unwrap_or(SEED);
    let (mut random, end) = (StdRng::seed_from_u64(seed), Instant::now() + time());
    let mut inputs = 0u64;
    while Instant::now() < end {
        feed(name, *target, &changes::mixed(&corpus, &mut random));
        inputs += 1;
    }
    println!("{name}: {} seeds, {inputs} inputs, FUZZ_SEED={seed}", corpus.len());
}

fn time() -> Duration {
    Duration::from_secs(told("FUZZ_SECONDS").unwrap_or(SECONDS))
}

fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/fixtures/fuzz").join(name);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

fn feed(name: &str, target: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let folder = root().join("target/fuzz");
        let path = folder.join(format!("{name}-{:08x}", rand::rng().random::<u32>()));
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input));
        kept.expect("the input is kept");
        eprintln!("{name} fails on {}", path.display());
        std::panic::resume_unwind(panic);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
