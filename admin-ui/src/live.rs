//! The live stream: one `EventSource` for the whole app, opened anew when a page wants other things of it, when it was lost, and when it fell
//! silent. A snapshot comes first each time, so what is shown is never a mix of before and after.

mod log;

pub use log::{Log, Row};

use crate::app::app;
use crate::browser::{self, Timer, after, every, listen, window};
use crate::view::prelude::*;
use crate::{api, format};
use hookcast_api::insight::{
    Attention, Changed, Connections, EventLog, HISTORY_SECONDS, Point, RefusalEntry, Relay, Snapshot,
    StreamEvent, Tick,
};
use hookcast_api::routes::Op;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

/// The relay sends several ticks a second; this long without one means that the connection is dead without saying so.
const SILENCE_MAX_MS: u64 = 12_000;
/// The relay sends a tick each quarter of a second.
const TICK_MS_MIN: u64 = 400;
const RETRY_MS_MIN: u64 = 500;
const RETRY_MS_MAX: u64 = 5_000;
/// A tab that nobody has looked at for this long hangs up: a browser opens six connections to one host, and tabs that
/// wait in the background must not use them up.
const HIDDEN_MAX: Duration = Duration::from_secs(10);
/// Refusals kept here; the relay keeps its own.
const REFUSALS_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Off,
    Opening,
    On,
    Lost,
    /// Nobody looks at the tab.
    Resting,
}

/// What the pages that are open want of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    pub log: bool,
    pub connections: bool,
    pub site: Option<String>,
}

#[derive(Clone, Copy)]
pub struct Live {
    pub link: RwSignal<Link>,
    pub relay: RwSignal<Option<Relay>>,
    pub tick: RwSignal<Tick>,
    pub history: RwSignal<VecDeque<Point>>,
    pub attention: RwSignal<Vec<Attention>>,
    pub refusals: RwSignal<Vec<RefusalEntry>>,
    pub connections: RwSignal<Option<Connections>>,
    /// Grow when what is stored has changed, and after every return of the stream: whoever shows it reads it again.
    pub sites: RwSignal<u64>,
    pub triggers: RwSignal<u64>,
    pub users: RwSignal<u64>,
    pub keys: RwSignal<u64>,
    /// Grows when the log has new rows, at most once per message of the stream.
    pub log_version: RwSignal<u64>,
    want: RwSignal<Want>,
}

/// What belongs to the browser and so to no signal.
#[derive(Default)]
struct Wire {
    source: Option<web_sys::EventSource>,
    handlers: Vec<Closure<dyn FnMut(JsValue)>>,
    retry: Option<Timer>,
    /// Hangs up when nobody has looked for a while.
    resting: Option<Timer>,
    failures: u32,
    heard_at: u64,
    opened_once: bool,
    log: Log,
}

thread_local! {
    static WIRE: RefCell<Wire> = RefCell::default();
}

/// Read the log.
pub fn with_log<T>(read: impl FnOnce(&Log) -> T) -> T {
    WIRE.with_borrow(|wire| read(&wire.log))
}

impl Live {
    pub fn new() -> Live {
        Live {
            link: RwSignal::new(Link::Off),
            relay: RwSignal::new(None),
            tick: RwSignal::new(Tick::default()),
            history: RwSignal::new(VecDeque::new()),
            attention: RwSignal::new(Vec::new()),
            refusals: RwSignal::new(Vec::new()),
            connections: RwSignal::new(None),
            sites: RwSignal::new(0),
            triggers: RwSignal::new(0),
            users: RwSignal::new(0),
            keys: RwSignal::new(0),
            log_version: RwSignal::new(0),
            want: RwSignal::new(Want::default()),
        }
    }

    /// Start, once somebody is signed in. Watches for silence and for the network's return.
    pub fn watch(self) {
        self.open();
        keep_with_owner(every(Duration::from_secs(2), move || {
            let heard_at = WIRE.with_borrow(|wire| wire.heard_at);
            if self.link.get_untracked() == Link::On
                && format::now().saturating_sub(heard_at) > SILENCE_MAX_MS
            {
                self.lost();
            }
        }));
        let online = move |_| {
            if self.link.get_untracked() == Link::Lost {
                self.open();
            }
        };
        keep_with_owner(listen(window().into(), "online", Box::new(online)));
        let seen_or_hidden = move |_| self.seen_or_hidden();
        keep_with_owner(listen(
            browser::document().into(),
            "visibilitychange",
            Box::new(seen_or_hidden),
        ));
        on_cleanup(move || self.close());
    }

    fn seen_or_hidden(self) {
        let hidden = || browser::document().visibility_state() == web_sys::VisibilityState::Hidden;
        if hidden() {
            let hang_up = after(HIDDEN_MAX, move || {
                if hidden() && self.link.get_untracked() == Link::On {
                    WIRE.with_borrow_mut(Wire::hang_up);
                    self.link.set(Link::Resting);
                }
            });
            WIRE.with_borrow_mut(|wire| {
                if let Some(earlier) = wire.resting.replace(hang_up) {
                    earlier.clear();
                }
            });
        } else if self.link.get_untracked() == Link::Resting {
            self.open();
        }
    }

    /// Say what this page wants; what it wanted before is forgotten.
    pub fn want(self, want: Want) {
        if self.want.with_untracked(|now| *now == want) {
            return;
        }
        let site_changed = self.want.with_untracked(|now| now.site != want.site);
        self.want.set(want);
        if site_changed {
            self.clear_log();
            self.connections.set(None);
        }
        if self.link.get_untracked() != Link::Off {
            self.open();
        }
    }

    pub fn clear_log(self) {
        WIRE.with_borrow_mut(|wire| wire.log.clear());
        self.log_version.update(|version| *version += 1);
    }

    pub fn close(self) {
        WIRE.with_borrow_mut(Wire::hang_up);
        self.link.set(Link::Off);
    }

    fn open(self) {
        let want = self.want.get_untracked();
        let mut url = format!(
            "{}{}?api={}",
            browser::root(),
            Op::Stream.path(),
            hookcast_api::API_VERSION
        );
        if want.log {
            url.push_str("&log=1");
        }
        if want.connections {
            url.push_str("&connections=1");
        }
        if let Some(site) = &want.site {
            url.push_str("&site=");
            url.push_str(site);
        }
        WIRE.with_borrow_mut(Wire::hang_up);
        if self.link.get_untracked() == Link::Off {
            self.link.set(Link::Opening);
        }
        let Ok(source) = web_sys::EventSource::new(&url) else {
            return self.lost();
        };
        let message = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let event: web_sys::MessageEvent = event.unchecked_into();
            if let Some(text) = event.data().as_string() {
                self.heard(&text);
            }
        });
        let error = Closure::<dyn FnMut(JsValue)>::new(move |_| self.lost());
        source.set_onmessage(Some(message.as_ref().unchecked_ref()));
        source.set_onerror(Some(error.as_ref().unchecked_ref()));
        WIRE.with_borrow_mut(|wire| {
            wire.source = Some(source);
            wire.handlers = vec![message, error];
        });
    }

    /// The browser would retry by itself, but not after a refusal, and without telling the reader.
    fn lost(self) {
        self.link.set(Link::Lost);
        // The handlers are running: they are dropped when the stream opens again.
        let delay = WIRE.with_borrow_mut(|wire| {
            if let Some(source) = &wire.source {
                source.close();
            }
            if let Some(retry) = wire.retry.take() {
                retry.clear();
            }
            wire.failures += 1;
            let delay = (RETRY_MS_MIN << wire.failures.min(8)).min(RETRY_MS_MAX);
            // Spread, so that the pages of a whole office do not return in one instant.
            delay / 2 + (js_sys::Math::random() * (delay / 2) as f64) as u64
        });
        let retry = after(Duration::from_millis(delay), move || {
            spawn_local(async move {
                // A refusal (the session ended) is told apart from a relay that is away.
                match api::ask::<hookcast_api::account::Me>(Op::Me, &[]).await {
                    Ok(me) => {
                        app().renewed(me);
                        self.open();
                    }
                    Err(failure) if failure.status == 401 => {}
                    Err(_) => self.lost(),
                }
            });
        });
        WIRE.with_borrow_mut(|wire| wire.retry = Some(retry));
    }

    fn heard(self, text: &str) {
        let event = match hookcast_json::read::<StreamEvent>(text) {
            Ok(event) => event,
            Err(error) => {
                browser::complain(&format!("the stream said something unknown: {error}"));
                return app().version_differs();
            }
        };
        WIRE.with_borrow_mut(|wire| wire.heard_at = format::now());
        match event {
            StreamEvent::Snapshot {
                api_version,
                snapshot,
            } => {
                if hookcast_api::check_version(api_version).is_err() {
                    app().version_differs();
                }
                self.begin(*snapshot);
            }
            StreamEvent::Tick { tick } => self.ticked(tick),
            StreamEvent::Attention { attention } => self.attention.set(attention),
            StreamEvent::Log { entries, missed } => {
                WIRE.with_borrow_mut(|wire| wire.log.add(entries, missed));
                self.log_version.update(|version| *version += 1);
            }
            StreamEvent::LogWritten { entries } => {
                WIRE.with_borrow_mut(|wire| wire.log.written(&entries));
                self.log_version.update(|version| *version += 1);
            }
            StreamEvent::Refusals { entries, .. } => self.refusals.update(|refusals| {
                // The stream speaks in order of time, the list shows the newest first.
                for entry in entries {
                    if refusals.first().is_none_or(|newest| newest.seq < entry.seq) {
                        refusals.insert(0, entry);
                    }
                }
                refusals.truncate(REFUSALS_MAX);
            }),
            StreamEvent::Connections { connections } => self.connections.set(Some(connections)),
            StreamEvent::Changed { what, .. } => self.revision(what).update(|revision| *revision += 1),
            StreamEvent::TooSlow | StreamEvent::Closing { .. } => self.lost(),
        }
    }

    fn revision(self, what: Changed) -> RwSignal<u64> {
        match what {
            Changed::Sites => self.sites,
            Changed::Triggers => self.triggers,
            Changed::Users => self.users,
            Changed::Keys => self.keys,
        }
    }

    fn begin(self, snapshot: Snapshot) {
        let returned = WIRE.with_borrow_mut(|wire| {
            wire.failures = 0;
            wire.log.run(snapshot.relay.started_at);
            std::mem::replace(&mut wire.opened_once, true)
        }) && matches!(self.link.get_untracked(), Link::Lost | Link::Resting);
        self.link.set(Link::On);
        self.relay.set(Some(snapshot.relay));
        self.history.set(snapshot.history.into());
        self.attention.set(snapshot.attention);
        self.refusals.set(snapshot.refusals);
        self.tick.set(snapshot.tick);
        if returned {
            for revision in [self.sites, self.triggers, self.users, self.keys] {
                revision.update(|revision| *revision += 1);
            }
            // Another release may run now.
            app().look();
        }
        if self.want.with_untracked(|want| want.log) {
            self.fill_log();
        }
        // It may have come back while nobody looks.
        self.seen_or_hidden();
    }

    /// What happened before the stream opened, from the relay's memory.
    fn fill_log(self) {
        let want = self.want.get_untracked();
        let after = WIRE.with_borrow(|wire| wire.log.last_seq());
        spawn_local(async move {
            let mut query = format!("?limit=500&after={after}");
            if let Some(site) = &want.site {
                query.push_str("&site=");
                query.push_str(site);
            }
            if let Ok(log) = api::ask_with::<EventLog>(Op::EventLog, &[], &query).await
                && self.want.with_untracked(|now| *now == want)
            {
                WIRE.with_borrow_mut(|wire| {
                    wire.log.add(log.entries, if after > 0 { log.missed } else { 0 })
                });
                self.log_version.update(|version| *version += 1);
            }
        });
    }

    fn ticked(self, tick: Tick) {
        // Each tick is whole, and two a second are as many as one can read.
        if (1..TICK_MS_MIN).contains(&tick.at.saturating_sub(self.tick.with_untracked(|shown| shown.at))) {
            return;
        }
        self.history.update(|history| {
            let second = tick.at / 1000;
            if history.back().is_none_or(|last| last.at / 1000 < second) {
                let Tick {
                    at, totals, rates, ..
                } = &tick;
                history.push_back(Point {
                    at: *at,
                    sockets: totals.sockets,
                    streams: totals.streams,
                    rates: *rates,
                });
                while history.len() > HISTORY_SECONDS {
                    history.pop_front();
                }
            }
        });
        self.tick.set(tick);
    }
}

impl Wire {
    fn hang_up(&mut self) {
        if let Some(source) = self.source.take() {
            source.set_onmessage(None);
            source.set_onerror(None);
            source.close();
        }
        if let Some(retry) = self.retry.take() {
            retry.clear();
        }
        // A handler that is running now cannot be dropped: it goes on the next turn of the event loop.
        let handlers = std::mem::take(&mut self.handlers);
        if !handlers.is_empty() {
            let later = Closure::once_into_js(move || drop(handlers));
            let _refused = window().set_timeout_with_callback(later.unchecked_ref());
        }
    }
}
