//! `[traces]`: where the time of requests and commands goes, for an OpenTelemetry collector.

use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// Base address of the collector, e.g. `http://127.0.0.1:4318`; `None`: no traces are made.
    #[serde(deserialize_with = "url_or_none")]
    pub endpoint: Option<String>,
    /// Traces kept, 0 to 1.
    #[serde(deserialize_with = "share")]
    pub share: f64,
}

fn url_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let is_url =
        ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    let wrong =
        || D::Error::custom(format!("`{text}` is no address of a collector, e.g. http://127.0.0.1:4318"));
    if is_url { Ok(Some(text.trim_end_matches('/').to_owned())) } else { Err(wrong()) }
}

fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(from)?;
    let wrong = || D::Error::custom(format!("`{share}` is no share: 0 is none, 1 is all"));
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(wrong()) }
}
