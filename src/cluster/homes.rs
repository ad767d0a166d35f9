//! Which nodes are a school's own: those near to it, or those that its academy pays for.

use crate::config::ByCode;

/// Names of nodes by the beginning of schools' codes.
#[derive(Clone, Debug, Default)]
pub struct Homes(ByCode<Vec<String>>);

/// The nodes of one school. Names; a `*` at the end of one stands for any ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home<'a>(&'a [String]);

impl Homes {
    pub fn new(by_code: ByCode<Vec<String>>) -> Self {
        Self(by_code)
    }

    /// Of the school with this code; at home everywhere where nothing is said of it.
    pub fn of(&self, code: &str) -> Home<'_> {
        self.0.of(code).map_or_else(Home::default, |names| Home(names))
    }
}

impl<'a> Home<'a> {
    #[cfg(test)]
    pub fn new(names: &'a [String]) -> Self {
        Self(names)
    }

    /// Whether the node of this name is one of them.
    pub fn is(&self, node: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| fits(name, node))
    }
}

fn fits(name: &str, node: &str) -> bool {
    name.strip_suffix('*').map_or(name == node, |beginning| node.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_of_a_code_says_where_a_school_is_at_home() {
        let homes = [("01", vec!["rabat-*"]), ("01234A", vec!["rabat-2", "fes-1"])];
        let named = homes.map(|(code, nodes)| (code.into(), nodes.into_iter().map(Into::into).collect()));
        let homes = Homes::new(named.into_iter().collect());
        let at_home = |code: &str| ["rabat-1", "rabat-2", "fes-1"].map(|node| homes.of(code).is(node));
        assert_eq!(at_home("01777B"), [true, true, false]);
        assert_eq!(at_home("01234A"), [false, true, true]);
        assert_eq!(at_home("09000C"), [true; 3], "at home everywhere");
    }
}
