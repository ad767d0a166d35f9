//! A value that logs must not show: names, chat text, addresses of children.

use std::fmt;

/// No `Display`; `Debug` prints a stub.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// For the one place that needs the value. Never log it.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let text = format!("{:?}", Some(Redacted::new("سلمى العلوي")));
        assert_eq!(text, "Some((redacted))");
    }
}
