//! The rows of the log: as many elements as fit the window, whatever the log holds, written again at most a few times a second.
//!
//! The newest row is on top. Whoever scrolls down, moves into the list with the keyboard, or pauses, reads a list that stands still; what
//! came since is counted and one press away.

use crate::app::app;
use crate::browser::after;
use crate::format;
use crate::live::{Row, with_log};
use crate::text::{fill, t};
use crate::ui::{Tone, json_block, modal, pill};
use crate::view::prelude::*;
use hookcast_api::insight::{LogEntry, Origin};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// In step with the style sheet.
const ROW_PX: usize = 38;
/// One row more than can be seen at once, above and below.
const SLOTS: usize = 18;
/// Often enough to be live, seldom enough to be read; a write costs the page what its rows cost.
const WRITE_EVERY: Duration = Duration::from_millis(330);

#[derive(Clone, Copy)]
pub struct Rows {
    /// The rows that fit the filter, newest first, as they are shown.
    shown: RwSignal<Vec<Arc<Row>>>,
    filter: RwSignal<String>,
    held: RwSignal<bool>,
    /// The reader is somewhere else than at the top.
    away: RwSignal<bool>,
    /// How many the log had ever had when the list was last written.
    seen: RwSignal<u64>,
    all: RwSignal<u64>,
    added: RwSignal<u64>,
}

impl Rows {
    pub fn new(filter: RwSignal<String>, held: RwSignal<bool>) -> Rows {
        let rows = Rows {
            shown: RwSignal::new(Vec::new()),
            filter,
            held,
            away: RwSignal::new(false),
            seen: RwSignal::new(0),
            all: RwSignal::new(0),
            added: RwSignal::new(0),
        };
        rows.follow();
        rows
    }

    /// Rows shown, and rows there are.
    pub fn counts(self) -> (u64, u64) {
        (self.shown.with(|shown| shown.len() as u64), self.all.get())
    }

    fn follow(self) {
        let version = app().live.log_version;
        let waits = StoredValue::new(false);
        // A burst of messages becomes one write.
        effect(move || {
            version.track();
            if waits.get_value() {
                return;
            }
            waits.set_value(true);
            after(WRITE_EVERY, move || {
                if waits.try_set_value(false).is_none() {
                    self.look();
                }
            });
        });
        effect(move || {
            self.filter.track();
            self.write();
        });
        let before = StoredValue::new(false);
        effect(move || {
            let standing = self.held.get() || self.away.get();
            if before.get_value() && !standing {
                self.write();
            }
            before.set_value(standing);
        });
    }

    fn look(self) {
        let (all, added) = with_log(|log| (log.len() as u64, log.added));
        if self.all.try_set(all).is_some() {
            return;
        }
        self.added.set(added);
        let standing = self.held.get_untracked() || self.away.get_untracked();
        if !standing || all == 0 {
            self.write();
        }
    }

    /// Take what the log holds now.
    fn write(self) {
        let wanted = self.filter.get_untracked().trim().to_lowercase();
        let (rows, all, added) = with_log(|log| {
            let rows: Vec<_> = log
                .rows()
                .rev()
                .filter(|row| fits(&row.entry, &wanted))
                .cloned()
                .collect();
            (rows, log.len() as u64, log.added)
        });
        self.shown.set(rows);
        self.all.set(all);
        self.seen.set(added);
        self.added.set(added);
    }

    fn to_top(self, list: NodeRef<web_sys::HtmlDivElement>) {
        if let Some(list) = list.get_untracked() {
            list.set_scroll_top(0);
        }
        self.away.set(false);
        self.held.set(false);
        self.write();
    }

    pub fn view(self, names: Signal<HashMap<String, String>>, with_site: bool) -> impl IntoView {
        let e = &t().events;
        let list = NodeRef::<web_sys::HtmlDivElement>::new();
        let first = RwSignal::new(0_usize);
        let (open, chosen) = (RwSignal::new(false), RwSignal::new(None::<Arc<Row>>));
        let scrolled = move |_| {
            if let Some(list) = list.get_untracked() {
                let top = usize::try_from(list.scroll_top()).unwrap_or(0);
                first.set(top / ROW_PX);
                self.away.set(top > ROW_PX / 2);
            }
        };
        let waiting = move || self.added.get().saturating_sub(self.seen.get());
        let slot = move |nth: usize| {
            let index = memo(move || {
                let first = first.get();
                // Each slot keeps its place in a ring, so that scrolling moves few of them.
                first + (nth + SLOTS - first % SLOTS) % SLOTS
            });
            let row = memo(move || Same(self.shown.with(|shown| shown.get(index.get()).cloned())));
            slot_view(index, row, names, with_site, move |row| {
                chosen.set(Some(row));
                open.set(true);
            })
        };
        let height = move || format!("{}px", self.shown.with(Vec::len) * ROW_PX);
        view! {
            <div class="log-new">
                {move || (waiting() > 0).then(|| view! {
                    <button class="button small primary" type="button" on:click=move |_| self.to_top(list)>{move || fill(e.new_ones, &[("n", &format::count(waiting()))])}</button>
                })}
            </div>
            <div class="log" node_ref=list tabindex="0" role="region" aria-label=e.log on:scroll=scrolled
                style:max-height="608px" hidden=move || self.shown.with(Vec::is_empty)>
                <div class="log-inner" style:height=height>{(0..SLOTS).map(slot).collect_view()}</div>
            </div>
            {modal(open, e.event, move || chosen.get().map(|row| details(&row, names)))}
        }
    }
}

/// Two shown rows are the same when they are the same allocation: nothing to compare, nothing to write.
#[derive(Clone)]
struct Same(Option<Arc<Row>>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (None, None) => true,
            _ => false,
        }
    }
}

fn fits(entry: &LogEntry, wanted: &str) -> bool {
    wanted.is_empty()
        || entry.channel.to_lowercase().contains(wanted)
        || entry.event.to_lowercase().contains(wanted)
        || entry
            .payload
            .as_ref()
            .is_some_and(|payload| payload.to_lowercase().contains(wanted))
}

fn event_name(entry: &LogEntry) -> String {
    let e = &t().events;
    match (entry.binary, entry.event.as_str()) {
        (true, _) => e.binary.to_owned(),
        (false, "encrypted") => e.encrypted.to_owned(),
        (false, name) => name.to_owned(),
    }
}

fn origin(origin: Origin) -> (&'static str, Tone) {
    let e = &t().events;
    match origin {
        Origin::WordPress => (e.origin_word_press, Tone::Accent),
        Origin::Browser => (e.origin_browser, Tone::Plain),
        Origin::Trigger => (e.origin_trigger, Tone::Ok),
        Origin::Dispatch => (e.origin_dispatch, Tone::Warn),
        Origin::Operator => (e.origin_operator, Tone::Plain),
    }
}

fn took(entry: &LogEntry) -> String {
    let e = &t().events;
    match (entry.recipients, entry.last_write_us) {
        (_, Some(us)) => format::micros(us),
        (0, None) => e.nobody.to_owned(),
        (_, None) => e.on_its_way.to_owned(),
    }
}

fn slot_view(
    index: Memo<usize>,
    row: Memo<Same>,
    names: Signal<HashMap<String, String>>,
    with_site: bool,
    open: impl Fn(Arc<Row>) + 'static,
) -> impl IntoView {
    let read = move |read: fn(&LogEntry) -> String| {
        move || row.with(|row| row.0.as_ref().map(|row| read(&row.entry)))
    };
    let place = move || format!("translateY({}px)", index.get() * ROW_PX);
    let site = move || {
        row.with(|row| row.0.as_ref().map(|row| row.entry.site_key.clone()))
            .map(|key| names.with(|names| names.get(&key).cloned()).unwrap_or_default())
    };
    let from = move || row.with(|row| row.0.as_ref().map(|row| origin(row.entry.origin)));
    view! {
        <button class="log-row" type="button" aria-haspopup="dialog" style:transform=place hidden=move || row.with(|row| row.0.is_none())
            on:click=move |_| if let Some(row) = row.get_untracked().0 { open(row) }>
            <span class="mono muted log-time">{read(|entry| format::clock(entry.at))}</span>
            <span class="log-name"><span class="strong">{read(event_name)}</span><span class="chip">{read(|entry| entry.channel.clone())}</span></span>
            {with_site.then(|| view! { <span class="wide clip muted log-site">{site}</span> })}
            <span class="wide log-from">{move || from().map(|(name, tone)| pill(name, tone))}</span>
            <span class="num muted log-size wide">{read(|entry| format::bytes(entry.bytes))}</span>
            <span class="num log-to">{read(|entry| fill(t().events.recipients_short, &[("n", &format::count(entry.recipients.into()))]))}</span>
            <span class="num muted log-took wide">{read(took)}</span>
        </button>
    }
}

fn details(row: &Row, names: Signal<HashMap<String, String>>) -> impl IntoView + use<> {
    let e = &t().events;
    let entry = row.entry.clone();
    let key = entry.site_key.clone();
    let (from, tone) = origin(entry.origin);
    let payload = entry
        .payload
        .clone()
        .map(|text| match hookcast_json::parse(&text) {
            Ok(value) => json_block(e.payload, Signal::stored(value)),
            // Cut, or no JSON at all: as it came.
            Err(_) => {
                view! { <div class="code"><pre class="fold" tabindex="0"><code>{text}</code></pre></div> }
                    .into_any()
            }
        });
    view! {
        <dl class="facts">
            <dt>{e.event}</dt><dd class="strong">{event_name(&entry)}</dd>
            <dt>{e.channel}</dt><dd><span class="chip">{entry.channel.clone()}</span></dd>
            <dt>{t().common.site}</dt><dd>{move || names.with(|names| names.get(&key).cloned())}</dd>
            <dt>{e.at}</dt><dd>{format::moment(entry.at)}" · "<span class="mono">{format::clock(entry.at)}</span></dd>
            <dt>{e.origin}</dt><dd>{pill(from, tone)}</dd>
            <dt>{e.size}</dt><dd class="num">{format::bytes(entry.bytes)}</dd>
            <dt>{e.recipients}</dt><dd class="num">{format::count(entry.recipients.into())}</dd>
            <dt>{e.took}</dt><dd class="num">{took(&entry)}<span class="cell-sub">{e.took_hint}</span></dd>
            <dt>{e.sequence}</dt><dd class="num">{entry.seq.to_string()}</dd>
        </dl>
        <h3>{e.payload}</h3>
        {payload.unwrap_or_else(|| view! { <p class="muted small">{e.payload_off}</p> }.into_any())}
    }
}
