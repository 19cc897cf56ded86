//! How signals become elements: Leptos' reactive system below, the browser's DOM above, and as little as possible between.
//!
//! Leptos' own view layer gives every element, attribute and closure of the app a type of its own; for this app that was more than a megabyte of
//! WebAssembly. Here an element is made at once, by calls that are compiled once, and whatever changes is a boxed closure in an effect. What a
//! closure made belongs to its effect: it is disposed of before the closure runs again, and with its owner.

mod attribute;
mod dynamic;
mod each;
mod element;
mod event;
mod node_ref;

pub use each::each;
pub use element::Element;
pub use event::{event_target, event_target_checked, event_target_value};
pub use hookcast_ui_macros::view;
pub use node_ref::NodeRef;

use leptos::prelude::{Effect, Get as _, Memo, RenderEffect, Signal, on_cleanup};
use send_wrapper::SendWrapper;
use std::borrow::Cow;

/// Something to be shown.
pub enum AnyView {
    Nothing,
    Text(Cow<'static, str>),
    /// A node, or a fragment of several, in no document yet.
    Node(web_sys::Node),
}

impl AnyView {
    fn into_node(self) -> Option<web_sys::Node> {
        match self {
            AnyView::Nothing => None,
            AnyView::Text(text) => Some(crate::browser::document().create_text_node(&text).into()),
            AnyView::Node(node) => Some(node),
        }
    }

    /// Put it at the end of `parent`.
    pub fn mount(self, parent: &web_sys::Node) {
        if let Some(node) = self.into_node() {
            let _refused = parent.append_child(&node);
        }
    }
}

pub trait IntoView: Sized {
    fn into_view(self) -> AnyView;

    /// One type for branches of several.
    fn into_any(self) -> AnyView {
        self.into_view()
    }
}

impl IntoView for AnyView {
    fn into_view(self) -> AnyView {
        self
    }
}

impl IntoView for () {
    fn into_view(self) -> AnyView {
        AnyView::Nothing
    }
}

impl IntoView for &'static str {
    fn into_view(self) -> AnyView {
        AnyView::Text(Cow::Borrowed(self))
    }
}

impl IntoView for String {
    fn into_view(self) -> AnyView {
        AnyView::Text(Cow::Owned(self))
    }
}

impl<V: IntoView> IntoView for Option<V> {
    fn into_view(self) -> AnyView {
        self.map_or(AnyView::Nothing, V::into_view)
    }
}

impl<V: IntoView> IntoView for Vec<V> {
    fn into_view(self) -> AnyView {
        self.collect_view()
    }
}

impl IntoView for Memo<String> {
    fn into_view(self) -> AnyView {
        (move || self.get()).into_view()
    }
}

impl IntoView for Signal<String> {
    fn into_view(self) -> AnyView {
        (move || self.get()).into_view()
    }
}

/// A closure is shown as what it returns, anew whenever a signal that it read has changed.
impl<F, V> IntoView for F
where
    F: FnMut() -> V + 'static,
    V: IntoView,
{
    fn into_view(mut self) -> AnyView {
        dynamic::dynamic(Box::new(move || self().into_view()))
    }
}

pub trait CollectView {
    /// One after the other.
    fn collect_view(self) -> AnyView;
}

impl<I, V> CollectView for I
where
    I: IntoIterator<Item = V>,
    V: IntoView,
{
    fn collect_view(self) -> AnyView {
        let mut all = Element::fragment();
        for one in self {
            all = all.child(one);
        }
        all.done()
    }
}

/// Run now and whenever a signal that it read has changed, as long as the current owner lives.
fn follow(mut run: Box<dyn FnMut()>) {
    let effect = RenderEffect::new(move |_: Option<()>| run());
    keep_with_owner(effect);
}

/// Keep until the current owner ends.
pub fn keep_with_owner(kept: impl std::any::Any) {
    // The page has one thread; the library asks clean-ups to be free to move between threads.
    let kept: SendWrapper<Box<dyn std::any::Any>> = SendWrapper::new(Box::new(kept));
    on_cleanup(move || drop(kept));
}

/// Run soon, once what is being made is in the page, and whenever a signal that it read has changed.
pub fn effect(run: impl FnMut() + 'static) {
    effect_boxed(Box::new(run));
}

fn effect_boxed(mut run: Box<dyn FnMut()>) {
    Effect::new(move |_: Option<()>| run());
}

/// A value that is computed when a signal that it read has changed, and tells of it only when it differs.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    compute: impl Fn() -> T + Send + Sync + 'static,
) -> Memo<T> {
    memo_boxed(Box::new(compute))
}

fn memo_boxed<T: PartialEq + Send + Sync + 'static>(compute: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
    Memo::new(move |_| compute())
}

pub mod prelude {
    //! What pages need: Leptos' signals, and views of these.
    pub use super::{
        AnyView, CollectView as _, IntoView, NodeRef, each, effect, event_target, event_target_checked,
        event_target_value, keep_with_owner, memo, view,
    };
    pub use leptos::prelude::{
        Callable as _, Callback, Get as _, GetUntracked as _, GetValue as _, LocalStorage, Memo, ReadSignal,
        RwSignal, Set as _, SetValue as _, Signal, StoredValue, Track as _, Update as _, With as _,
        WithUntracked as _, WithValue as _, on_cleanup, signal, untrack,
    };
}
