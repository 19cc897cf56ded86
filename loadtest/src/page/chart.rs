//! A line chart as SVG.

use std::fmt::Write;

use super::escape;

pub(super) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

pub(super) struct Chart {
    title: String,
    lines: Vec<Line>,
    /// Marks of the horizontal axis; None: seconds, evenly.
    marks: Option<Vec<(f64, &'static str)>>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 26.0;
const TOP: f64 = 24.0;
const CLASSES: [&str; 3] = ["a", "b", "c"];

impl Chart {
    pub fn over_time(title: &str, lines: Vec<Line>) -> Self {
        Self {
            title: title.to_owned(),
            lines,
            marks: None,
        }
    }

    pub fn by_quantile(title: &str, lines: Vec<Line>) -> Self {
        let marks = vec![
            (0.0, "0"),
            (0.301, "50%"),
            (1.0, "90%"),
            (2.0, "99%"),
            (3.0, "99.9%"),
            (4.0, "max"),
        ];
        Self {
            title: title.to_owned(),
            lines,
            marks: Some(marks),
        }
    }

    pub fn draw(&self, out: &mut String) -> std::fmt::Result {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x_max = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
        let y_max = nice(points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max));
        let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - 12.0);
        let y = |value: f64| HEIGHT - BOTTOM - value / y_max * (HEIGHT - BOTTOM - TOP);
        let title = escape(&self.title);
        write!(
            out,
            "<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"{title}\">"
        )?;
        for step in 0..=4 {
            let value = y_max * f64::from(step) / 4.0;
            let (height, label) = (y(value), short(value));
            write!(
                out,
                "<line class=grid x1={LEFT} x2={WIDTH} y1={height:.1} y2={height:.1} />"
            )?;
            write!(
                out,
                "<text x={:.1} y={:.1} text-anchor=end>{label}</text>",
                LEFT - 6.0,
                height + 4.0
            )?;
        }
        let even: Vec<(f64, String)> = match &self.marks {
            Some(marks) => marks.iter().map(|(at, name)| (*at, (*name).to_owned())).collect(),
            None => (0..=5)
                .map(|step| x_max * f64::from(step) / 5.0)
                .map(|at| (at, format!("{at:.0} s")))
                .collect(),
        };
        for (at, name) in even.iter().filter(|(at, _)| *at <= x_max * 1.001) {
            write!(
                out,
                "<text x={:.1} y={:.1} text-anchor=middle>{name}</text>",
                x(*at),
                HEIGHT - 8.0
            )?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            let class = CLASSES[number % CLASSES.len()];
            write!(out, "<path class={class} d=\"")?;
            for (place, point) in line.points.iter().enumerate() {
                let letter = if place == 0 { 'M' } else { 'L' };
                write!(out, "{letter}{:.1} {:.1}", x(point.0), y(point.1))?;
            }
            let left = LEFT + 150.0 * number as f64;
            write!(
                out,
                "\"/><g class=key><rect class={class} x={left} y=6 width=10 height=10 />"
            )?;
            write!(
                out,
                "<text x={} y=15>{}</text></g>",
                left + 15.0,
                escape(&line.name)
            )?;
        }
        write!(out, "</svg>")
    }
}

/// The next number that reads well: 1, 2 or 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.1} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v if v >= 10.0 || v == 0.0 => format!("{v:.0}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        assert_eq!(
            [nice(0.7), nice(1.0), nice(13.0), nice(480.0)],
            [1.0, 1.0, 20.0, 500.0]
        );
    }

    #[test]
    fn a_chart_of_nothing_still_is_a_chart() {
        let mut out = String::new();
        let empty = Line {
            name: "a & b".to_owned(),
            points: Vec::new(),
        };
        Chart::over_time("x", vec![empty]).draw(&mut out).unwrap();
        assert!(out.contains("a &amp; b") && !out.contains("NaN") && !out.contains("inf"));
    }
}
