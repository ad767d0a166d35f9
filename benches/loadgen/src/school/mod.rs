//! Whole schools on one server or several: everybody signs in, enters, sits, writes, is cut off at once and comes back; some
//! lessons have a voice and pictures. Steered by a scenario file, told as figures and as a page with plots.

mod attendee;
mod floor;
mod phases;
mod report;
mod room;
mod samples;
mod scenario;

use std::{path::Path, sync::Arc, time::Instant};

use self::{phases::School, report::Report, scenario::Scenario};
use crate::figures::Figures;

pub async fn run(program: &Path, file: &Path, out: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let scenario = Scenario::load(file)?;
    println!(
        "school: {} lessons of {} students, {} of them with voice and pictures",
        scenario.lessons, scenario.students, scenario.media_lessons
    );
    let mut school = School::open(program, Arc::new(scenario), Instant::now()).await?;
    let ran = school.run(figures).await;
    Report::of(&school, figures).write(out)?;
    ran
}
