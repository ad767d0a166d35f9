//! Reads the repository's own sources.

use std::{fs, path::Path};

/// Files by their path from the root of the repository.
#[derive(Default)]
pub struct Tree(Vec<(String, String)>);

impl Tree {
    /// Our Rust, tests left out: those may be long and may use everything.
    pub fn rust() -> Self {
        let mut tree = Self::default();
        for folder in ["src", "signaling/src", "benches/loadgen/src"] {
            tree.walk(Path::new(folder), &["rs"]);
        }
        tree.0.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
        tree
    }

    /// All Rust, tests and all.
    pub fn all_rust() -> Self {
        let mut tree = Self::default();
        for folder in ["src", "signaling", "tests", "benches"] {
            tree.walk(Path::new(folder), &["rs"]);
        }
        tree
    }

    /// The browser app; generated files left out.
    pub fn web() -> Self {
        let mut tree = Self::default();
        tree.walk(Path::new("web-client/src"), &["ts", "tsx", "css"]);
        tree.0.retain(|(path, _)| !path.contains("generated") && !path.contains(".test."));
        tree
    }

    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|(known, _)| known == path)
    }

    /// Some file has this in it.
    pub fn says(&self, words: &str) -> bool {
        self.0.iter().any(|(_, text)| text.contains(words))
    }

    /// All complaints of one checker.
    pub fn each(&self, check: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        self.0.iter().flat_map(|(path, text)| check(path, text)).collect()
    }

    fn walk(&mut self, folder: &Path, kinds: &[&str]) {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { return };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                self.walk(&path, kinds);
            } else if kinds.iter().any(|kind| path.extension().is_some_and(|found| found == *kind)) {
                let path = path.to_string_lossy().into_owned();
                let text = read(&path);
                self.0.push((path, text));
            }
        }
    }
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Tables that the migrations in a folder make.
pub fn tables(folder: &str) -> Vec<String> {
    let files = fs::read_dir(root().join(folder)).expect("the folder is there").flatten();
    let texts: Vec<String> = files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
    let made = texts.iter().flat_map(|text| text.split("CREATE TABLE ").skip(1));
    made.filter_map(|rest| rest.split([' ', '(', '\n']).next().map(str::to_owned)).collect()
}
