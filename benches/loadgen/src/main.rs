//! The load generator: real signaling and real media, thousands of sessions. Not written yet.

fn main() {}
