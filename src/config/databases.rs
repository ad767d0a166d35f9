//! `storage.url`: one store for everything, or several PostgreSQL databases that share out the lessons by their schools' codes.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use super::ByCode;
use crate::telemetry::Redacted;

/// The key of the one that every other needs.
const DEFAULT: &str = "default";

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Databases {
    /// The schools themselves, and the lessons of those that no beginning names. URLs may hold passwords.
    default: Redacted<String>,
    /// The lessons of some schools.
    by_code: ByCode<Redacted<String>>,
}

impl Databases {
    /// What keeps the schools.
    pub fn default_url(&self) -> &str {
        self.default.reveal()
    }

    /// The others, by the beginning of schools' codes, in order; the same one may stand at several beginnings.
    pub fn by_code(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_code.iter().map(|(beginning, url)| (beginning, url.reveal().as_str()))
    }

    /// One server's own.
    pub fn is_file(&self) -> bool {
        self.default_url().starts_with("sqlite:")
    }

    /// Without passwords, for logs and errors.
    pub fn shown(&self) -> String {
        let default = shown(self.default_url());
        if self.by_code.is_empty() {
            return default;
        }
        let others: Vec<String> =
            self.by_code().map(|(code, url)| format!("{code} {}", shown(url))).collect();
        format!("{default}, {}", others.join(", "))
    }

    fn of(urls: BTreeMap<String, String>) -> Result<Self, String> {
        let mut by_code: BTreeMap<String, String> = BTreeMap::new();
        let mut default = None;
        for (key, url) in urls {
            if !is_known(&url) {
                return Err(format!("\"{key}\": {UNKNOWN}"));
            }
            match key.as_str() {
                DEFAULT => default = Some(url),
                beginning if beginning.is_empty() || beginning.contains(char::is_whitespace) => {
                    return Err(format!(
                        "\"{beginning}\" is no beginning of a school's code, e.g. \"01\" = \"postgres://…\""
                    ));
                }
                _ => drop(by_code.insert(key, url)),
            }
        }
        let default = default.ok_or(
            "write default = \"postgres://…\" too: it keeps the schools, and the lessons of those that no beginning names",
        )?;
        let is_file = |url: &str| url.starts_with("sqlite:");
        if !by_code.is_empty() && (is_file(&default) || by_code.values().any(|url| is_file(url))) {
            return Err("lessons are shared out among PostgreSQL databases only (postgres://…): a SQLite file is one server's own".into());
        }
        let by_code = by_code.into_iter().map(|(code, url)| (code, Redacted::new(url))).collect();
        Ok(Self { default: Redacted::new(default), by_code })
    }
}

/// One for everything. Not looked at: whoever opens it finds out.
impl From<String> for Databases {
    fn from(url: String) -> Self {
        Self { default: Redacted::new(url), by_code: ByCode::default() }
    }
}

impl From<&str> for Databases {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

impl From<&String> for Databases {
    fn from(url: &String) -> Self {
        url.clone().into()
    }
}

impl From<&Self> for Databases {
    fn from(databases: &Self) -> Self {
        databases.clone()
    }
}

const UNKNOWN: &str = "the URL must start with sqlite:// or postgres://";

fn is_known(url: &str) -> bool {
    ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

/// A password may hold an `@`.
fn shown(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, place)) => format!("postgres://…@{place}"),
        None => url.to_owned(),
    }
}

impl<'de> Deserialize<'de> for Databases {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Databases;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL, or a table of URLs by the beginning of schools' codes: { default = \"postgres://…\", \"01\" = \"postgres://…\" }")
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<Databases, E> {
        if is_known(url) { Ok(url.into()) } else { Err(E::custom(UNKNOWN)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Databases, A::Error> {
        let mut urls = BTreeMap::new();
        while let Some((key, url)) = table.next_entry::<String, String>()? {
            urls.insert(key, url);
        }
        Databases::of(urls).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(url: &str) -> Result<Databases, String> {
        let read = Config::parse("qism.toml", &format!("[storage]\nurl = {url}\n"));
        read.map(|config| config.storage.url).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_never_shown() {
        let table =
            read(r#"{ default = "postgres://qism:s@cret@db/qism", "01" = "postgres://qism:s3cret@db1/q" }"#);
        let several = table.expect("valid");
        assert_eq!(several.shown(), "postgres://…@db/qism, 01 postgres://…@db1/q");
        assert!(!format!("{several:?}").contains("cret"));
        assert_eq!(
            Databases::from("postgres://qism:s@cret@db.example/qism").shown(),
            "postgres://…@db.example/qism"
        );
    }

    #[test]
    fn one_text_and_a_table_with_nothing_but_default_are_the_same() {
        for url in ["postgres://db/qism", "sqlite://data/qism.db"] {
            let one = read(&format!("\"{url}\"")).expect("valid");
            assert_eq!(read(&format!("{{ default = \"{url}\" }}")), Ok(one.clone()));
            assert_eq!((one.default_url(), one.by_code().count()), (url, 0));
        }
        let several = read(
            "{ default = \"postgres://db/a\", \"02.3\" = \"postgres://db/b\", \"01\" = \"postgres://db/b\" }",
        );
        let several = several.expect("two beginnings, one database");
        assert_eq!(
            several.by_code().collect::<Vec<_>>(),
            [("01", "postgres://db/b"), ("02.3", "postgres://db/b")]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_at_its_line() {
        for (bad, word) in [
            ("7", "a URL, or a table"),
            ("\"mysql://db\"", "must start with"),
            ("{ \"01\" = \"postgres://db/b\" }", "default"),
            ("{ default = \"postgres://db/a\", \"01\" = \"db/b\" }", "\"01\": the URL must start with"),
            (
                "{ default = \"postgres://db/a\", \"\" = \"postgres://db/b\" }",
                "no beginning of a school's code",
            ),
            ("{ default = \"postgres://db/a\", \"01\" = 5 }", "expected a string"),
            ("{ default = \"sqlite://a.db\", \"01\" = \"postgres://db/b\" }", "PostgreSQL databases only"),
            ("{ default = \"postgres://db/a\", \"01\" = \"sqlite://b.db\" }", "PostgreSQL databases only"),
        ] {
            let told = read(bad).expect_err("must be refused");
            assert!(told.contains("line 2: ") && told.contains(word), "{bad} gave {told}");
        }
        let section =
            Config::parse("qism.toml", "[storage.url]\ndefault = \"postgres://db/a\"\n\"01\" = \"x\"\n");
        let told = section.expect_err("must be refused").to_string();
        assert!(told.contains("\"01\": the URL must start"), "{told}");
    }
}
