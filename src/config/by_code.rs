//! What holds for some schools, told by the beginning of their code: that of an academy, of a province, or the whole code.

use std::collections::BTreeMap;

/// A value for each beginning; the longest one that fits a code counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByCode<T>(BTreeMap<String, T>);

impl<T> Default for ByCode<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> FromIterator<(String, T)> for ByCode<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(of: I) -> Self {
        Self(of.into_iter().collect())
    }
}

impl<T> ByCode<T> {
    /// What holds for the school with this code; `None`: nothing is said of it.
    pub fn of(&self, code: &str) -> Option<&T> {
        let fitting = self.0.iter().filter(|(beginning, _)| code.starts_with(beginning.as_str()));
        fitting.max_by_key(|(beginning, _)| beginning.len()).map(|(_, value)| value)
    }

    /// Beginnings and what is said of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(beginning, value)| (beginning.as_str(), value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        let said: ByCode<u8> =
            [("01", 1), ("01234A", 2), ("0", 3)].map(|(code, n)| (code.into(), n)).into_iter().collect();
        let of = |code: &str| said.of(code).copied();
        assert_eq!([of("01777B"), of("01234A"), of("09000C"), of("1")], [Some(1), Some(2), Some(3), None]);
    }
}
