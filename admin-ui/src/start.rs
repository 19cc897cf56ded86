//! What the page shows before the app is there (`index.html`, `start.js`), and the moment in which the app takes its place.

use crate::browser::{document, forget, keep};
use wasm_bindgen::JsCast as _;

const INSIDE: &str = "hookcast.inside";

fn element(id: &str) -> Option<web_sys::HtmlInputElement> {
    document()
        .get_element_by_id(id)
        .map(|element| element.unchecked_into())
}

/// What was typed into one of its fields.
pub fn typed(id: &str) -> String {
    element(id).map(|field| field.value()).unwrap_or_default()
}

pub fn has_focus(id: &str) -> bool {
    document()
        .active_element()
        .is_some_and(|active| active.id() == id)
}

/// The app's own view is there.
pub fn give_way() {
    let Some(start) = element("start") else { return };
    start.remove();
}

/// The reader goes somewhere else: pages appear from now on. The first one stood still, as if it had been there, and taking its stillness
/// away while it is shown would make it blink.
pub fn over() {
    if let Some(root) = document().document_element() {
        let _refused = root.remove_attribute("data-start");
    }
}

/// Remember for the next time whether this browser's user is inside.
pub fn remember(inside: bool) {
    match inside {
        true => keep(INSIDE, "1"),
        false => forget(INSIDE),
    }
}
