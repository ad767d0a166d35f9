//! The configuration: `config/default.toml`, embedded, overlaid by the operator's file.
//!
//! One file per section. Outside text becomes types here or an error that names file, line and key; nobody else reads
//! the environment or parses settings. There is no second place for defaults.

mod by_code;
pub mod cli;
mod cluster;
mod databases;
mod limits;
mod log;
mod media;
mod metrics;
mod network;
mod overlay;
mod server;
mod storage;
mod traces;
mod turn;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use by_code::ByCode;
pub use cluster::Cluster;
pub use databases::Databases;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use media::Media;
pub use metrics::Metrics;
pub use network::Network;
pub use server::{Server, TlsFiles};
pub use storage::{Standby, Storage};
pub use traces::Traces;

/// The defaults, every key with its comment.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// Everything an operator can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub storage: Storage,
    pub cluster: Cluster,
    pub media: Media,
    pub limits: Limits,
    pub log: Log,
    pub metrics: Metrics,
    pub traces: Traces,
}

/// Why a configuration is not usable. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}")]
    Read { path: PathBuf, source: io::Error },
    /// With line, key and the text of the line.
    #[error("{path}: {problem}")]
    Invalid { path: String, problem: String },
}

impl Config {
    /// The embedded defaults.
    pub fn defaults() -> Self {
        // Invariant: the embedded file is complete and valid, by the test below.
        Self::parse("config/default.toml", "").expect("the embedded defaults are valid")
    }

    /// The defaults overlaid by a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// The defaults overlaid by `text`; `name` is told in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let invalid = |problem: String| ConfigError::Invalid { path: name.to_owned(), problem };
        let config: Self = overlay::read(DEFAULT_TOML, text).map_err(invalid)?;
        config.server.check().map_err(invalid)?;
        config.media.check().map_err(invalid)?;
        config.cluster.check(&config.storage).map_err(|problem| invalid(problem.told(text)))?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Config::parse("qism.toml", text).expect_err("must be refused").to_string()
    }

    #[test]
    fn defaults_are_complete_and_every_key_is_commented() {
        Config::defaults();
        let lines: Vec<&str> = DEFAULT_TOML.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let key = line.contains('=') && !line.starts_with('#');
            let after = index > 0 && (lines[index - 1].starts_with('#') || lines[index - 1].contains('='));
            assert!(!key || after, "no comment above: {line}");
        }
    }

    #[test]
    fn a_file_changes_only_what_it_names() {
        let config = Config::parse("qism.toml", "[media]\nudp_port = 9000\n").expect("valid");
        assert_eq!((config.media.udp_port, config.media.threads), (9000, Config::defaults().media.threads));
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_line_and_key() {
        let text = problem("[server]\nlisten = \"127.0.0.1:1\"\nlisen = \"127.0.0.1:2\"\n");
        assert!(text.starts_with("qism.toml: line 3: "), "{text}");
        assert!(text.contains("unknown field `lisen`") && text.contains("`listen`"), "{text}");
    }

    #[test]
    fn an_unknown_section_is_refused_with_its_line() {
        let text = problem("\n[sever]\nlisten = \"127.0.0.1:1\"\n");
        assert!(text.contains("line 2: ") && text.contains("`sever`"), "{text}");
    }

    #[test]
    fn a_wrong_type_a_wrong_value_and_bad_syntax_name_the_line() {
        for (bad, word) in [
            ("[media]\nudp_port = 70000\n", "u16"),
            ("[media]\nthreads = 0\n", "at least 1"),
            ("[media]\nturn_urls = [\"stun:relay.example\"]\n", "turns:"),
            ("[media]\nturn_secret = \"short\"\n", "16"),
            ("[media]\nturn_lifetime_s = 5\n", "300"),
            ("[server]\nlisten = \"here\"\n", "\"[::]:443\" for everybody"),
            ("[server]\nlisten = 443\n", "\"[::]:443\" for everybody"),
            ("[server]\nlisten = “127.0.0.1:80”\n", "straight quotes"),
            ("[server]\npublic_origins = \"https://qism.example\"\n", "a list, in brackets"),
            ("[media]\nudp_port = \"7882\"\n", "without quotes"),
            ("[media]\npublic_addresses = [\"qism.example\"]\n", "no name"),
            ("[server]\npublic_origins = [\"qism.example/\"]\n", "https://"),
            ("[server]\ntrusted_proxies = [\"proxy\"]\n", "127.0.0.1/32"),
            ("[storage]\nurl = \"mysql://x\"\n", "sqlite://"),
            ("[storage]\nstandby = \"maybe\"\n", "required"),
            ("[cluster]\nredis = \"http://x\"\n", "rediss://"),
            ("[metrics]\nlisten = \"here\"\n", "127.0.0.1:9700"),
            ("[cluster]\nkey = \"short\"\n", "32 characters"),
            ("[cluster]\nnode = \"Node 1\"\n", "a-z"),
            ("[cluster]\nmedia_address = \"host\"\n", "10.0.0.11"),
            ("[cluster]\nsentinels = [\"host\"]\n", "26379"),
            ("[log]\nformat = \"xml\"\n", "pretty"),
            ("[server]\nlisten\n", "="),
        ] {
            let text = problem(bad);
            assert!(text.contains("line 2: ") && text.contains(word), "{bad} gave {text}");
        }
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let text = problem("[server]\ntls_certificate = \"cert.pem\"\n");
        assert!(text.contains("server.tls_key"), "{text}");
    }

    #[test]
    fn a_relay_without_its_secret_is_refused_and_neither_is_shown() {
        let urls = "[media]\nturn_urls = [\"turns:relay.example:443\"]\n";
        assert!(problem(urls).contains("media.turn_secret"), "{}", problem(urls));
        let secret = "turn_secret = \"0123456789abcdef\"\n";
        assert!(problem(&format!("[media]\n{secret}")).contains("media.turn_urls"));
        let config = Config::parse("qism.toml", &format!("{urls}{secret}")).expect("valid");
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn a_proxy_without_the_public_origin_is_refused() {
        let text = problem("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        assert!(text.contains("server.public_origins"), "{text}");
    }

    #[test]
    fn a_cluster_that_cannot_be_is_refused_at_its_line() {
        let key = format!("key = \"{}\"", "k".repeat(32));
        let postgres = "[storage]\nurl = \"postgres://db/qism\"\n";
        let redis = "redis = \"redis://redis\"";
        for (text, line, word) in [
            (format!("[cluster]\n{redis}\n{key}\nnode = \"a\"\n"), 2, "storage.url"),
            (format!("{postgres}[cluster]\n{redis}\nnode = \"a\"\n"), 4, "cluster.key"),
            (format!("{postgres}[cluster]\n{key}\n{redis}\n"), 5, "cluster.node"),
            (format!("{postgres}[cluster]\n{key}\n"), 4, "cluster.redis"),
            ("[cluster]\nnode = \"a\"\n".into(), 2, "cluster.redis"),
            ("[cluster]\nsentinels = [\"10.0.0.1:26379\"]\n".into(), 2, "cluster.redis"),
        ] {
            let told = problem(&text);
            assert!(
                told.contains(&format!("line {line}: cluster.")) && told.contains(word),
                "{text} gave {told}"
            );
        }
    }

    #[test]
    fn secrets_of_a_cluster_are_not_in_its_debug_output() {
        let text = format!(
            "[storage]\nurl = \"postgres://db/qism\"\n[cluster]\nredis = \"redis://:s3cret@redis\"\nkey = \"{}\"\nnode = \"a\"\n",
            "k3y-".repeat(8)
        );
        let shown = format!("{:?}", Config::parse("qism.toml", &text).expect("valid").cluster);
        assert!(!shown.contains("s3cret") && !shown.contains("k3y-"), "{shown}");
    }

    #[test]
    fn the_examples_can_be_used() {
        for (name, text) in [
            ("school", include_str!("../../config/examples/school.toml")),
            ("behind-proxy", include_str!("../../config/examples/behind-proxy.toml")),
            ("cluster", include_str!("../../config/examples/cluster.toml")),
        ] {
            Config::parse(name, text).expect(name);
        }
    }
}
