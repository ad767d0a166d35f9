//! `[storage]`: where lessons and the school are kept.

use std::path::Path;

use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    #[serde(deserialize_with = "known_store")]
    pub url: String,
}

impl Storage {
    /// The file of a server on one machine.
    pub fn in_folder(folder: &Path) -> Self {
        Self { url: format!("sqlite://{}", folder.join("qism.db").display()) }
    }

    /// One server's own.
    pub fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// Without the password, for logs and errors.
    pub fn shown(&self) -> String {
        match self.url.rsplit_once('@') {
            Some((_, place)) => format!("postgres://…@{place}"),
            None => self.url.clone(),
        }
    }
}

fn known_store<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let url = String::deserialize(from)?;
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if known { Ok(url) } else { Err(D::Error::custom("the URL must start with sqlite:// or postgres://")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let storage = Storage { url: "postgres://qism:s@cret@db.example/qism".into() };
        assert_eq!(storage.shown(), "postgres://…@db.example/qism");
    }
}
