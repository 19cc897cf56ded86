//! Line charts over the last minutes: SVG of our own, drawn anew once a second and not more often.

use crate::format;
use crate::text::{fill, t};
use crate::view::prelude::*;
/// One line of a chart.
#[derive(Clone)]
pub struct Series {
    pub name: &'static str,
    /// Oldest first; `None` where there is nothing to say.
    pub values: Signal<Vec<Option<f64>>>,
    /// As the reader reads a value.
    pub show: fn(f64) -> String,
}

// In step with the numbers in the view below.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 60.0;
const POINTS_MIN: usize = 60;

/// A chart of series over the same times, at most four. `points_max` is how many fit; a young relay's chart has room for fewer, so that its
/// line is to be seen.
pub fn chart(
    title: &'static str,
    times: Signal<Vec<u64>>,
    series: Vec<Series>,
    points_max: usize,
) -> AnyView {
    let hovered = RwSignal::new(None::<usize>);
    let node = NodeRef::<web_sys::HtmlDivElement>::new();
    let series = StoredValue::new(series);

    let top = memo(move || {
        let highest = series.with_value(|series| {
            series
                .iter()
                .map(|one| {
                    one.values
                        .with(|values| values.iter().flatten().copied().fold(0.0, f64::max))
                })
                .fold(0.0, f64::max)
        });
        round_up(highest)
    });
    let x = move |index: usize, length: usize| {
        let points = length.clamp(POINTS_MIN, points_max);
        (points.saturating_sub(length) + index) as f64 * WIDTH / (points - 1) as f64
    };

    let lines = series.with_value(|series| {
        series
            .iter()
            .enumerate()
            .map(|(nth, one)| {
                let values = one.values;
                let paths = memo(move || {
                    values.with(|values| paths(values, top.get(), |index| x(index, values.len())))
                });
                let class = format!("s{}", nth + 1);
                view! {
                    <path class=format!("area {class}") d=move || paths.with(|paths| paths.1.clone())></path>
                    <path class=format!("line {class}") d=move || paths.with(|paths| paths.0.clone())></path>
                }
            })
            .collect_view()
    });

    // Said to those who do not see it: the latest and the highest, every time it is asked for.
    let summary = move || {
        series.with_value(|series| {
            let said: Vec<String> = series
                .iter()
                .map(|one| {
                    one.values.with(|values| {
                        let latest = values
                            .last()
                            .copied()
                            .flatten()
                            .map_or_else(|| "–".to_owned(), one.show);
                        let highest = (one.show)(values.iter().flatten().copied().fold(0.0, f64::max));
                        fill(
                            t().overview.chart_summary,
                            &[("name", one.name), ("latest", &latest), ("highest", &highest)],
                        )
                    })
                })
                .collect();
            format!("{title}: {}", said.join("; "))
        })
    };

    let hover = move |event: web_sys::PointerEvent| {
        let Some(area) = node.get_untracked() else { return };
        let bounds = area.get_bounding_client_rect();
        let length = times.with_untracked(Vec::len);
        if bounds.width() <= 0.0 || length == 0 {
            return;
        }
        let points = length.clamp(POINTS_MIN, points_max);
        let position = (f64::from(event.client_x()) - bounds.left()) / bounds.width() * (points - 1) as f64;
        let index = position.round() as i64 - points.saturating_sub(length) as i64;
        hovered.set(usize::try_from(index).ok().filter(|index| *index < length));
    };
    let note = move || {
        let index = hovered.get()?;
        let at = times.with(|times| times.get(index).copied())?;
        let values = series.with_value(|series| {
            series
                .iter()
                .filter_map(|one| {
                    one.values
                        .with(|values| values.get(index).copied().flatten())
                        .map(|value| format!("{} {}", one.name, (one.show)(value)))
                })
                .collect::<Vec<_>>()
        });
        Some(format!("{} · {}", format::clock_short(at), values.join(" · ")))
    };
    let cursor = move || {
        let index = hovered.get()?;
        let at = format::tenths(x(index, times.with(Vec::len)));
        Some(view! { <line class="cursor" x1=at.clone() x2=at y1="0" y2="60"></line> })
    };
    view! {
        <div class="chart" node_ref=node on:pointermove=hover on:pointerleave=move |_| hovered.set(None)>
            <svg viewBox="0 0 300 60" preserveAspectRatio="none" role="img" aria-label=summary>
                <line class="base" x1="0" x2="300" y1="60" y2="60"></line>
                {lines}
                {cursor}
            </svg>
            {move || note().map(|text| view! { <div class="chart-note">{text}</div> })}
        </div>
    }
    .into_any()
}

/// 1, 2 or 5 times a power of ten: a scale that does not jump with every point.
fn round_up(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let mut power = 1.0;
    while power * 10.0 <= highest {
        power *= 10.0;
    }
    while power > highest {
        power /= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= highest)
        .unwrap_or(highest)
}

/// The line, and the area below it. A missing value breaks the line.
fn paths(values: &[Option<f64>], top: f64, x: impl Fn(usize) -> f64) -> (String, String) {
    let mut line = String::with_capacity(values.len() * 12);
    let mut area = String::with_capacity(values.len() * 12);
    let mut last = None::<f64>;
    for (index, value) in values.iter().enumerate() {
        let at = x(index);
        match value {
            Some(value) => {
                let height = HEIGHT - 1.0 - (value / top).clamp(0.0, 1.0) * (HEIGHT - 3.0);
                let begins = last.is_none();
                step(&mut line, if begins { 'M' } else { 'L' }, at, height);
                if begins {
                    step(&mut area, 'M', at, HEIGHT);
                }
                step(&mut area, 'L', at, height);
                last = Some(at);
            }
            None => {
                if let Some(end) = last.take() {
                    step(&mut area, 'L', end, HEIGHT);
                    area.push('Z');
                }
            }
        }
    }
    if let Some(end) = last {
        step(&mut area, 'L', end, HEIGHT);
        area.push('Z');
    }
    (line, area)
}

fn step(path: &mut String, letter: char, x: f64, y: f64) {
    path.push(letter);
    path.push_str(&format::tenths(x));
    path.push(' ');
    path.push_str(&format::tenths(y));
}
