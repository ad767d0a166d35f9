//! The run as one HTML page: figures, and plots over time. Needs nothing from elsewhere.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;
use plotters::prelude::{
    BLUE, ChartBuilder, Color as _, IntoDrawingArea as _, LineSeries, RED, SVGBackend, WHITE,
};

use super::{phases::School, samples::Sample};
use crate::figures::Figures;

const SIZE: (u32, u32) = (900, 240);

/// A curve: its title, and what of a sample it shows.
type Curve = (&'static str, fn(&Sample) -> f64);

const CURVES: [Curve; 5] = [
    ("People inside", |sample| sample.inside),
    ("CPU of the server, cores", |sample| sample.cores),
    ("Memory of the server, MB", |sample| sample.megabytes),
    ("Lines delivered a second", |sample| sample.lines_per_s),
    ("Commands acknowledged a second", |sample| sample.accepted_per_s),
];

/// What is told.
pub struct Report {
    title: String,
    figures: String,
    samples: Vec<Sample>,
    phases: Vec<(&'static str, f64)>,
}

impl Report {
    pub fn of(school: &School, figures: &Figures) -> Self {
        let scenario = &school.scenario;
        Self {
            title: format!("{} lessons of {} students", scenario.lessons, scenario.students),
            figures: figures.to_string(),
            samples: school.samples(),
            phases: school.phases.clone(),
        }
    }

    /// `school.html` in a folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("school.html");
        fs::write(&path, self.page()?).with_context(|| format!("cannot write {}", path.display()))?;
        println!("  {}", path.display());
        Ok(())
    }

    fn page(&self) -> anyhow::Result<String> {
        let title = &self.title;
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:1rem system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}svg{{max-width:100%}}</style>\
             <h1>{title}</h1><pre>{}</pre><p>Red lines: ",
            self.figures
        );
        for (phase, at) in &self.phases {
            // Invariant: writing into a string does not fail.
            let _ = write!(page, "{phase} ({at:.0} s); ");
        }
        page.push_str("</p>");
        for (title, of) in CURVES {
            page.push_str(&self.plot(title, of)?);
        }
        Ok(page + "</html>\n")
    }

    fn plot(&self, title: &str, of: fn(&Sample) -> f64) -> anyhow::Result<String> {
        let points: Vec<(f64, f64)> = self
            .samples
            .iter()
            .map(|sample| (sample.at, of(sample)))
            .filter(|(_, y)| y.is_finite())
            .collect();
        let Some((last, _)) = points.last().copied() else { return Ok(String::new()) };
        let top = points.iter().map(|(_, y)| *y).fold(f64::EPSILON, f64::max) * 1.05;
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last.max(1.0), 0.0..top)?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        for (_, at) in &self.phases {
            chart.draw_series(LineSeries::new([(*at, 0.0), (*at, top)], RED.mix(0.4)))?;
        }
        chart.draw_series(LineSeries::new(points, BLUE))?;
        area.present()?;
        drop(chart);
        drop(area);
        Ok(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_plot_of_each_curve_that_was_seen() {
        let sample = |at, cores| Sample {
            at,
            inside: 10.0,
            cores,
            megabytes: 90.0,
            lines_per_s: 40.0,
            accepted_per_s: 1.0,
        };
        let report = |cores| Report {
            title: "2 lessons".into(),
            figures: "school.sockets 10".into(),
            samples: vec![sample(1.0, cores), sample(2.0, cores)],
            phases: vec![("sitting", 1.0)],
        };
        let page = report(0.5).page().expect("drawn");
        assert_eq!(page.matches("<svg").count(), CURVES.len());
        assert!(page.contains("sitting (1 s)") && page.contains("school.sockets"));
        assert_eq!(report(f64::NAN).page().expect("drawn").matches("<svg").count(), CURVES.len() - 1);
    }
}
