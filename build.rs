//! Refuses a release without the browser app when `QISM_REQUIRE_WEB=1` (set by `make release`), and builds anew when
//! the app inside a release has changed.

use std::{env, path::Path, process::ExitCode};

const INDEX: &str = "web-client/dist/index.html";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=QISM_REQUIRE_WEB");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        // Debug builds read the folder live.
        println!("cargo:rerun-if-changed=web-client/dist");
    }
    if env::var("QISM_REQUIRE_WEB").is_ok_and(|value| value == "1") && !Path::new(INDEX).exists() {
        eprintln!("{INDEX} is missing: build the browser app first (make web)");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
