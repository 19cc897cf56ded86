//! Listening to an element. The listener ends with the owner that the element was made in.

use super::{Element, keep_with_owner};
use crate::browser::listen;
use wasm_bindgen::JsCast;
use web_sys::{Event, MouseEvent, PointerEvent, SubmitEvent};

macro_rules! events {
    ($($method:ident $name:literal $event:ty;)*) => {
        impl Element {
            $(pub fn $method(self, mut handler: impl FnMut($event) + 'static) -> Element {
                self.listen($name, Box::new(move |event| handler(event.unchecked_into())))
            })*
        }
    };
}

events! {
    on_click "click" MouseEvent;
    on_mousedown "mousedown" MouseEvent;
    on_pointermove "pointermove" PointerEvent;
    on_pointerleave "pointerleave" PointerEvent;
    on_submit "submit" SubmitEvent;
    on_change "change" Event;
    on_input "input" Event;
    on_scroll "scroll" Event;
    on_close "close" Event;
}

impl Element {
    fn listen(self, name: &'static str, handler: Box<dyn FnMut(Event)>) -> Element {
        let listener = listen(self.target().clone().into(), name, handler);
        keep_with_owner(listener);
        self
    }
}

/// The element that an event happened to. The caller knows its type: it wrote the element.
pub fn event_target<T: JsCast>(event: &Event) -> T {
    event
        .target()
        .expect("an element's event has a target")
        .unchecked_into()
}

pub fn event_target_value(event: &Event) -> String {
    // `value` is the same property on every field.
    event_target::<web_sys::HtmlInputElement>(event).value()
}

pub fn event_target_checked(event: &Event) -> bool {
    event_target::<web_sys::HtmlInputElement>(event).checked()
}
