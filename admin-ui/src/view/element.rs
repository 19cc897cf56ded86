//! An element on its way: made, given its attributes and children, done. `view!` writes these calls.

use super::attribute::{Attribute, IntoAttribute};
use super::{AnyView, IntoView, NodeRef, follow};
use crate::browser::document;
use wasm_bindgen::{JsCast as _, JsValue};

pub struct Element(web_sys::Node);

impl Element {
    pub fn new(tag: &str) -> Element {
        Element(
            document()
                .create_element(tag)
                .expect("views name elements that exist")
                .into(),
        )
    }

    /// Nearly every element has a class that stays: in one call.
    pub fn of_class(tag: &str, class: &str) -> Element {
        let element = Element::new(tag);
        element.target().set_class_name(class);
        element
    }

    pub fn svg(tag: &str) -> Element {
        let made = document().create_element_ns(Some("http://www.w3.org/2000/svg"), tag);
        Element(made.expect("views name elements that exist").into())
    }

    pub fn fragment() -> Element {
        Element(document().create_document_fragment().into())
    }

    pub fn done(self) -> AnyView {
        AnyView::Node(self.0)
    }

    pub(super) fn target(&self) -> &web_sys::Element {
        self.0.unchecked_ref()
    }

    pub fn child(self, child: impl IntoView) -> Element {
        self.append(child.into_view())
    }

    fn append(self, child: AnyView) -> Element {
        match child {
            // The only text of its parent, mostly: no node of its own to be made and passed.
            AnyView::Text(text)
                if self.0.first_child().is_none() && self.0.node_type() == web_sys::Node::ELEMENT_NODE =>
            {
                self.0.set_text_content(Some(&text));
            }
            child => child.mount(&self.0),
        }
        self
    }

    pub fn attribute(self, name: &'static str, value: impl IntoAttribute) -> Element {
        self.put(name, value.into_attribute(), set_attribute)
    }

    /// A property of the element's object, such as `value`: what the reader changes and no attribute follows.
    pub fn property(self, name: &'static str, value: impl IntoAttribute) -> Element {
        self.put(name, value.into_attribute(), set_property)
    }

    /// One declaration of its style. The page's policy lets no `style` attribute in, but this.
    pub fn style(self, name: &'static str, value: impl IntoAttribute) -> Element {
        self.put(name, value.into_attribute(), set_style)
    }

    /// A class that is there while the condition holds.
    pub fn class(self, name: &'static str, condition: impl IntoAttribute) -> Element {
        self.put(name, condition.into_attribute(), set_class)
    }

    pub fn node_ref<T: wasm_bindgen::JsCast>(self, node: NodeRef<T>) -> Element {
        node.set(self.target().clone());
        self
    }

    fn put(self, name: &'static str, value: Attribute, set: Setter) -> Element {
        match value {
            Attribute::Live(mut value) => {
                let element = self.target().clone();
                let mut last = None;
                follow(Box::new(move || {
                    let now = value();
                    if last.as_ref() != Some(&now) {
                        set(&element, name, &now);
                        last = Some(now);
                    }
                }));
            }
            value => set(self.target(), name, &value),
        }
        self
    }
}

type Setter = fn(&web_sys::Element, &'static str, &Attribute);

fn set_attribute(element: &web_sys::Element, name: &'static str, value: &Attribute) {
    let _refused = match value.text() {
        Some(text) => element.set_attribute(name, text),
        None => element.remove_attribute(name),
    };
}

fn set_property(element: &web_sys::Element, name: &'static str, value: &Attribute) {
    let name = JsValue::from_str(name);
    let value = match value {
        Attribute::Text(text) => JsValue::from_str(text),
        other => JsValue::from_bool(other.text().is_some()),
    };
    // A field that holds it already keeps its cursor.
    if js_sys::Reflect::get(element, &name).ok().as_ref() != Some(&value) {
        let _refused = js_sys::Reflect::set(element, &name, &value);
    }
}

fn set_style(element: &web_sys::Element, name: &'static str, value: &Attribute) {
    let style = element.unchecked_ref::<web_sys::HtmlElement>().style();
    let _refused = style.set_property(name, value.text().unwrap_or_default());
}

fn set_class(element: &web_sys::Element, name: &'static str, value: &Attribute) {
    let _refused = element
        .class_list()
        .toggle_with_force(name, value.text().is_some());
}
