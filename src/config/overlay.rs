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

fn told(error: &Error, text: &str) -> String {
    let Some(at) = error.span().map(|span| span.start.min(text.len())) else {
        return error.message().to_owned();
    };
    let line = text[..at].matches('\n').count();
    let shown = text.lines().nth(line).unwrap_or_default().trim();
    format!("line {}: {}\n    {shown}", line + 1, error.message())
}
