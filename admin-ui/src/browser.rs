//! The few things of the browser that the rest asks for, each in a line: storage, the clipboard, the theme, downloads.

use js_sys::{Array, Promise};
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// Undefined where the page is not a secure context: `catch` turns the exception into a value.
    #[wasm_bindgen(js_namespace = ["navigator", "clipboard"], js_name = writeText, catch)]
    fn write_clipboard(text: &str) -> Result<Promise, JsValue>;
}

pub fn window() -> web_sys::Window {
    web_sys::window().expect("the app runs in a page")
}

pub fn document() -> web_sys::Document {
    window().document().expect("a window has a document")
}

/// A line in the browser's console.
pub fn complain(text: &str) {
    web_sys::console::error_1(&text.into());
}

/// A call that is to come.
#[derive(Clone, Copy)]
pub struct Timer(i32);

impl Timer {
    pub fn clear(self) {
        window().clear_timeout_with_handle(self.0);
    }
}

/// Call once, later.
pub fn after(delay: Duration, run: impl FnOnce() + 'static) -> Timer {
    after_boxed(delay, Box::new(run))
}

fn after_boxed(delay: Duration, run: Box<dyn FnOnce()>) -> Timer {
    let callback = Closure::once_into_js(run);
    let millis = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
    let timer =
        window().set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), millis);
    Timer(timer.unwrap_or_default())
}

/// Calls again and again, until it is dropped.
pub struct Ticking {
    timer: i32,
    _run: Closure<dyn FnMut()>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        window().clear_interval_with_handle(self.timer);
    }
}

pub fn every(period: Duration, run: impl FnMut() + 'static) -> Ticking {
    let run = Closure::wrap(Box::new(run) as Box<dyn FnMut()>);
    let millis = i32::try_from(period.as_millis()).unwrap_or(i32::MAX);
    let timer =
        window().set_interval_with_callback_and_timeout_and_arguments_0(run.as_ref().unchecked_ref(), millis);
    Ticking {
        timer: timer.unwrap_or_default(),
        _run: run,
    }
}

/// A listener, taken off its target when it is dropped: what comes after finds nobody.
pub struct Listener {
    target: web_sys::EventTarget,
    name: &'static str,
    handler: Closure<dyn FnMut(web_sys::Event)>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let handler = self.handler.as_ref().unchecked_ref();
        let _refused = self
            .target
            .remove_event_listener_with_callback(self.name, handler);
    }
}

pub fn listen(
    target: web_sys::EventTarget,
    name: &'static str,
    handler: Box<dyn FnMut(web_sys::Event)>,
) -> Listener {
    let handler = Closure::wrap(handler);
    let _refused = target.add_event_listener_with_callback(name, handler.as_ref().unchecked_ref());
    Listener {
        target,
        name,
        handler,
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// What was kept under this name; nothing where storage is switched off.
pub fn kept(name: &str) -> Option<String> {
    storage()?.get_item(name).ok().flatten()
}

pub fn keep(name: &str, value: &str) {
    if let Some(storage) = storage() {
        let _full = storage.set_item(name, value);
    }
}

pub fn forget(name: &str) {
    if let Some(storage) = storage() {
        let _refused = storage.remove_item(name);
    }
}

/// Over plain http browsers offer no clipboard; the old way, through a selection, still works there.
pub async fn copy(text: &str) -> bool {
    if let Ok(promise) = write_clipboard(text)
        && JsFuture::from(promise).await.is_ok()
    {
        return true;
    }
    copy_by_selection(text).unwrap_or(false)
}

fn copy_by_selection(text: &str) -> Option<bool> {
    let document = document();
    let area: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_value(text);
    area.set_class_name("sr");
    // A modal dialog makes the rest of the page inert, so the helper must stand inside it.
    let host = document
        .query_selector("dialog[open]")
        .ok()
        .flatten()
        .or_else(|| document.body().map(Into::into))?;
    let focused = document.active_element();
    host.append_child(&area).ok()?;
    area.select();
    let command = js_sys::Reflect::get(&document, &"execCommand".into())
        .ok()?
        .dyn_into::<js_sys::Function>()
        .ok()?;
    let copied = command
        .call1(&document, &"copy".into())
        .is_ok_and(|done| done.is_truthy());
    area.remove();
    if let Some(element) = focused.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _gone = element.focus();
    }
    Some(copied)
}

/// What an exception says.
pub fn said(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| error.message().into())
        .unwrap_or_default()
}

/// Offer text as a file to save.
pub fn save_file(name: &str, media: &str, text: &str) {
    let save = || -> Result<(), JsValue> {
        let options = web_sys::BlobPropertyBag::new();
        options.set_type(media);
        let blob = web_sys::Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &options)?;
        let url = web_sys::Url::create_object_url_with_blob(&blob)?;
        let link: web_sys::HtmlAnchorElement = document().create_element("a")?.unchecked_into();
        link.set_href(&url);
        link.set_download(name);
        link.click();
        web_sys::Url::revoke_object_url(&url)
    };
    if let Err(error) = save() {
        complain(&format!("saving {name}: {}", said(&error)));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

const THEME: &str = "hookcast.theme";

pub fn theme() -> Theme {
    match kept(THEME).as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

pub fn set_theme(theme: Theme) {
    let name = match theme {
        Theme::System => "system",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    keep(THEME, name);
    if let Some(root) = document().document_element() {
        let _refused = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            _ => root.set_attribute("data-theme", name),
        };
    }
}

/// The page's title, as the tab shows it.
pub fn set_title(title: &str) {
    document().set_title(&format!("{title} · hookcast"));
}

/// Where the relay's root is, without a trailing slash: the page's `<base>` without `/dashboard/`.
pub fn root() -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    base.trim_end_matches('/')
        .trim_end_matches("/dashboard")
        .to_owned()
}
