//! Lays the operator's TOML over the defaults, keeping where each value stands in the operator's text.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error},
};

/// Reads `text` over `defaults`. An error says line, key and shows the line of `text`.
pub fn read<T: DeserializeOwned>(defaults: &str, text: &str) -> Result<T, String> {
    let mut merged = DeTable::parse(defaults).map_err(|error| told(&error, defaults))?;
    let file = DeTable::parse(text).map_err(|error| told(&error, text))?;
    lay(merged.get_mut(), file.into_inner());
    // The defaults alone are valid, so a place in an error is one in the operator's text.
    T::deserialize(Deserializer::from(merged)).map_err(|error| told(&error, text))
}

/// Two keys that do not go together; the text is told at the line of the first.
#[derive(Debug)]
pub struct Contradiction {
    pub section: &'static str,
    pub key: &'static str,
    pub problem: String,
}

impl Contradiction {
    /// With line and key, like every other error in `text`.
    pub fn told(&self, text: &str) -> String {
        let Self { section, key, problem } = self;
        let named = format!("{section}.{key}: {problem}");
        match place(text, section, key) {
            Some(line) => {
                let shown = text.lines().nth(line).unwrap_or_default().trim();
                format!("line {}: {named}\n    {shown}", line + 1)
            }
            None => named,
        }
    }
}

/// The line of a key, counted from 0.
fn place(text: &str, section: &str, key: &str) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let (_, table) = file.get_ref().iter().find(|(name, _)| name.get_ref() == section)?;
    let DeValue::Table(table) = table.get_ref() else { return None };
    let (name, _) = table.iter().find(|(name, _)| name.get_ref() == key)?;
    Some(text[..name.span().start].matches('\n').count())
}

/// Tables merge key by key, anything else replaces.
fn lay<'i>(base: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, value) in over {
        let name: &str = key.get_ref();
        match (base.get_mut(name).map(Spanned::get_mut), value.get_ref()) {
            (Some(DeValue::Table(old)), DeValue::Table(_)) => {
                if let DeValue::Table(new) = value.into_inner() {
                    lay(old, new);
                }
            }
            _ => {
                // Removed first: inserting over an equal key would keep the old key with its old place.
                base.remove(name);
                base.insert(key, value);
            }
        }
    }
}

/// What the readers of values say, and what to write instead.
const ADVICE: [(&str, &str); 6] = [
    (
        "socket address",
        "address and port in quotes, \"[::]:443\" for everybody or \"127.0.0.1:7880\" for this machine",
    ),
    ("invalid IP address", "an IP address, as \"203.0.113.5\", no name"),
    ("expected a sequence", "a list, in brackets: [\"…\"]"),
    ("expected u16", "a whole number up to 65535, without quotes"),
    ("expected u32", "a whole number, without quotes"),
    ("expected usize", "a whole number, without quotes"),
];

fn told(error: &Error, text: &str) -> String {
    let message = error.message();
    let Some(at) = error.span().map(|span| span.start.min(text.len())) else {
        return message.to_owned();
    };
    let line = text[..at].matches('\n').count();
    let shown = text.lines().nth(line).unwrap_or_default().trim();
    let advice = match ADVICE.iter().find(|(said, _)| message.contains(said)) {
        Some((_, advice)) => format!("\n  write {advice}"),
        None if shown.contains(['“', '”', '«', '’']) => "\n  write straight quotes: \"".to_owned(),
        None => String::new(),
    };
    format!("line {}: {message}\n    {shown}{advice}", line + 1)
}
