//! A test connection: a real WebSocket from this browser, with every frame shown.

use crate::browser;
use crate::format;
use crate::text::{fill, t};
use crate::ui::{TextField, Tone, card, status_pill};
use crate::view::prelude::*;
use hookcast_json::{ToJson as _, object};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

const FRAMES_MAX: usize = 200;

#[derive(Clone, PartialEq)]
enum State {
    Closed(Option<(u16, String)>),
    Opening,
    Open,
}

#[derive(Clone, PartialEq)]
struct Frame {
    seq: u64,
    at: u64,
    sent: bool,
    text: String,
}

/// The socket with the closures that it calls: dropped together.
#[derive(Default)]
struct Open {
    socket: Option<web_sys::WebSocket>,
    handlers: Vec<Closure<dyn FnMut(JsValue)>>,
}

impl Open {
    fn end(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.set_onopen(None);
            socket.set_onmessage(None);
            socket.set_onclose(None);
            let _closing = socket.close();
        }
        self.handlers.clear();
    }
}

/// Ends the connection when it is dropped.
struct Ending(Rc<RefCell<Open>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.borrow_mut().end();
    }
}

#[derive(Clone, Copy)]
struct Test {
    state: RwSignal<State>,
    frames: RwSignal<VecDeque<Frame>>,
    count: RwSignal<u64>,
    open: StoredValue<Rc<RefCell<Open>>, LocalStorage>,
}

impl Test {
    fn note(self, sent: bool, text: String) {
        let Some(seq) = self.count.try_update(|count| {
            *count += 1;
            *count
        }) else {
            return;
        };
        self.frames.update(|frames| {
            frames.push_front(Frame {
                seq,
                at: format::now(),
                sent,
                text,
            });
            frames.truncate(FRAMES_MAX);
        });
    }

    fn connect(self, token: &str, channel: String) {
        // The page's own origin: its policy allows no other, and it is the same relay.
        let url = format!(
            "{}/ws?token={}",
            browser::root().replacen("http", "ws", 1),
            js_sys::encode_uri_component(token.trim())
        );
        let Ok(socket) = web_sys::WebSocket::new(&url) else {
            return;
        };
        socket.set_binary_type(web_sys::BinaryType::Arraybuffer);
        self.state.set(State::Opening);
        self.frames.set(VecDeque::new());
        let on = |handler: Box<dyn FnMut(JsValue)>| Closure::wrap(handler);
        let opened = on(Box::new(move |_| {
            let _gone = self.state.try_set(State::Open);
            if !channel.trim().is_empty() {
                self.subscribe(&channel);
            }
        }));
        let message = on(Box::new(move |event| {
            let data = event.unchecked_into::<web_sys::MessageEvent>().data();
            match data.as_string() {
                Some(text) => self.note(false, text),
                None => {
                    let length = data
                        .dyn_into::<js_sys::ArrayBuffer>()
                        .map_or(0, |buffer| buffer.byte_length());
                    self.note(
                        false,
                        fill(t().tokens.binary_frame, &[("n", &length.to_string())]),
                    );
                }
            }
        }));
        let closed = on(Box::new(move |event| {
            let event: web_sys::CloseEvent = event.unchecked_into();
            let _gone = self
                .state
                .try_set(State::Closed(Some((event.code(), event.reason()))));
        }));
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        self.open.with_value(|open| {
            let mut open = open.borrow_mut();
            open.end();
            *open = Open {
                socket: Some(socket),
                handlers: vec![opened, message, closed],
            };
        });
    }

    fn subscribe(self, channel: &str) {
        let channels: Vec<String> = super::listed(channel);
        self.send(&object! { "type": "subscribe", "channels": channels.to_json() }.to_text());
    }

    fn send(self, text: &str) {
        let sent = self.open.try_with_value(|open| {
            open.borrow()
                .socket
                .as_ref()
                .is_some_and(|socket| socket.send_with_str(text).is_ok())
        });
        if sent == Some(true) {
            self.note(true, text.to_owned());
        }
    }

    fn close(self) {
        self.open.with_value(|open| open.borrow_mut().end());
        self.state.set(State::Closed(None));
    }
}

pub fn card_of(token: RwSignal<String>) -> impl IntoView {
    let k = &t().tokens;
    let open = Rc::new(RefCell::new(Open::default()));
    let test = Test {
        state: RwSignal::new(State::Closed(None)),
        frames: RwSignal::new(VecDeque::new()),
        count: RwSignal::new(0),
        open: StoredValue::new_local(Rc::clone(&open)),
    };
    // Leaving the page closes the connection.
    keep_with_owner(Ending(open));
    let channel = RwSignal::new("events".to_owned());
    let has_token = move || token.with(|token| !token.trim().is_empty());
    let is_closed = move || test.state.with(|state| matches!(state, State::Closed(_)));
    let state = move || match test.state.get() {
        State::Closed(None) => status_pill(k.state_closed, Tone::Plain),
        State::Closed(Some((code, reason))) => status_pill(
            fill(k.closed_with, &[("code", &code.to_string()), ("reason", &reason)]),
            Tone::Bad,
        ),
        State::Opening => status_pill(k.state_opening, Tone::Warn),
        State::Open => status_pill(k.state_open, Tone::Ok),
    };
    let connect = move |_| test.connect(&token.get_untracked(), channel.get_untracked());
    let again = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        channel.with_untracked(|channel| test.subscribe(channel));
    };
    let row = move |frame: Frame| {
        view! {
            <li class="frame">
                <span class="row small muted"><span class="mono">{format::clock(frame.at)}</span><span class="pill" class:accent=!frame.sent>{if frame.sent { k.frame_out } else { k.frame_in }}</span></span>
                <code class="frame-text">{frame.text}</code>
            </li>
        }
    };
    card(
        k.test,
        view! { <span role="status">{state}</span> },
        view! {
            <p class="muted small">{k.test_text}</p>
            <form class="row top wrap" on:submit=again>
                <div class="grow">{TextField::new(k.subscribe_to, channel).mono().view()}</div>
                <div class="row under-label">
                    {move || (!is_closed()).then(|| view! { <button class="button" type="submit">{k.subscribe}</button> })}
                    {move || match is_closed() {
                        true => view! { <button class="button primary" type="button" disabled=move || !has_token() on:click=connect>{k.open}</button> }.into_any(),
                        false => view! { <button class="button" type="button" on:click=move |_| test.close()>{k.close}</button> }.into_any(),
                    }}
                </div>
            </form>
            {move || (!has_token()).then(|| view! { <p class="hint">{k.test_no_token}</p> })}
            <ul class="plain frames" role="log" aria-label=k.frames tabindex="0">
                {each(move || test.frames.get().into(), |frame| frame.seq, row)}
            </ul>
            {move || (test.frames.with(VecDeque::is_empty) && !is_closed()).then(|| view! { <p class="hint">{k.no_frames}</p> })}
        },
    )
}
