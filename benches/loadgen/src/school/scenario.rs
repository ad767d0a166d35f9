//! What a run does, as a TOML file (`benches/scenarios/`).

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Every key is told in `benches/scenarios/school.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Base addresses of servers that run already, each with a demonstration of this size; empty: one is started.
    #[serde(default)]
    pub servers: Vec<String>,
    pub lessons: usize,
    pub students: usize,
    #[serde(default)]
    pub media_lessons: usize,
    pub idle_s: u64,
    pub chat_s: u64,
    pub lines_per_lesson_per_s: f64,
    pub cut: bool,
    pub hands_s: u64,
    pub hands_per_student_per_s: f64,
}

impl Scenario {
    /// Reads a scenario; refuses one that makes no sense.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let scenario: Self = toml::from_str(text)?;
        ensure!(scenario.lessons >= 1 && scenario.students >= 1, "a school has lessons and students");
        ensure!(scenario.media_lessons <= scenario.lessons, "media_lessons are some of the lessons");
        // Of one person the server takes five lines a second.
        let most = 4.0 * scenario.students as f64;
        ensure!(
            (0.0..=most).contains(&scenario.lines_per_lesson_per_s),
            "lines_per_lesson_per_s: 0 to {most}"
        );
        ensure!((0.0..=18.0).contains(&scenario.hands_per_student_per_s), "hands_per_student_per_s: 0 to 18");
        Ok(scenario)
    }

    /// Teachers and students.
    pub fn people(&self) -> usize {
        self.lessons * (self.students + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: [&str; 2] =
        [include_str!("../../../scenarios/school.toml"), include_str!("../../../scenarios/small.toml")];

    #[test]
    fn what_we_ship_is_sound_and_nonsense_is_refused() {
        for text in SHIPPED {
            Scenario::parse(text).expect("sound");
            assert!(Scenario::parse(&text.replace("students = ", "pupils = ")).is_err());
        }
        let mute = SHIPPED[0].replace("lines_per_lesson_per_s = 1.0", "lines_per_lesson_per_s = 1000.0");
        assert!(Scenario::parse(&mute).is_err());
    }
}
