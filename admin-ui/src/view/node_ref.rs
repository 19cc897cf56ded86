//! A view's element, for what only the element itself can do: focus, measure, open.

use leptos::prelude::{Get as _, GetUntracked as _, RwSignal, Set as _};
use send_wrapper::SendWrapper;
use std::marker::PhantomData;
use wasm_bindgen::JsCast;

pub struct NodeRef<T> {
    node: RwSignal<Option<SendWrapper<web_sys::Element>>>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for NodeRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for NodeRef<T> {}

impl<T: JsCast> NodeRef<T> {
    pub fn new() -> NodeRef<T> {
        NodeRef {
            node: RwSignal::new(None),
            kind: PhantomData,
        }
    }

    pub(super) fn set(self, element: web_sys::Element) {
        self.node.set(Some(SendWrapper::new(element)));
    }

    /// The element once it is there; follows it.
    pub fn get(self) -> Option<T> {
        self.node.get().map(|node| node.take().unchecked_into())
    }

    pub fn get_untracked(self) -> Option<T> {
        self.node.get_untracked().map(|node| node.take().unchecked_into())
    }
}
