//! The figures of a run: by key, in order, as JSON and as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use anyhow::Context as _;

#[derive(Debug, Default)]
pub struct Figures {
    found: BTreeMap<String, f64>,
    /// What was looked for and not found: an older run's figure of it must not stand beside this run's.
    missing: BTreeSet<String>,
}

impl Figures {
    pub fn put(&mut self, key: impl Into<String>, value: f64) {
        let key = key.into();
        println!("  {key} = {}", shown(value));
        self.found.insert(key, value);
    }

    pub fn miss(&mut self, key: impl Into<String>) {
        let key = key.into();
        println!("  {key}: not measured");
        self.missing.insert(key);
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("summary.json");
        // Runs of one scenario replace their own keys only.
        let before = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut all: BTreeMap<String, f64> = before.unwrap_or_default();
        all.retain(|key, _| !self.missing.contains(key));
        all.extend(self.found.clone());
        let text = serde_json::to_string_pretty(&all)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn shown(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.iter().try_for_each(|(key, value)| writeln!(f, "{key:<32}{:>14}", shown(*value)))
    }
}

/// The middle one; of an even count the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count.is_multiple_of(2) => f64::midpoint(values[count / 2 - 1], values[count / 2]),
        count => values[count / 2],
    }
}

/// The value that `share` of the sorted ones do not exceed.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_and_none() {
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[1.0], 0.99), 1.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 3.0);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_in_the_middle() {
        assert!(median(Vec::new()).is_nan());
        assert_eq!(median(vec![9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(vec![9.0, 1.0, 4.0, 2.0]), 3.0);
    }
}
