//! Reading something from the API and showing it: skeleton, failure with a way on, content that stays while it is read again.

use super::icon::{Icon, large_icon};
use crate::api::{self, Call, Failure, Outcome, Request};
use crate::live::Link;
use crate::text::t;
use crate::view::prelude::*;
use leptos::task::spawn_local;
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

/// What was read, as something of type `T`. One kind of signal holds whatever is loaded: a kind for each would be the larger part of this app.
pub struct Loader<T> {
    reading: Reading,
    kind: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy)]
struct Reading {
    value: RwSignal<Option<Arc<dyn Any + Send + Sync>>>,
    failure: RwSignal<Option<Failure>>,
    again: RwSignal<u64>,
    /// Grows with each read, so that an answer that came late is told from the latest.
    turn: StoredValue<u64>,
}

impl<T> Clone for Loader<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loader<T> {}

/// Read now, and again whenever a signal that `fetch` reads changes.
pub fn load<T: Send + Sync + 'static>(fetch: impl Fn() -> Request<T> + 'static) -> Loader<T> {
    load_then(fetch, |_| {})
}

/// The same, with a look at each failure.
pub fn load_then<T: Send + Sync + 'static>(
    fetch: impl Fn() -> Request<T> + 'static,
    failed: impl Fn(&Failure) + Copy + 'static,
) -> Loader<T> {
    let loader = Loader {
        reading: Reading {
            value: RwSignal::new(None),
            failure: RwSignal::new(None),
            again: RwSignal::new(0),
            turn: StoredValue::new(0),
        },
        kind: PhantomData,
    };
    loader.reading.start(Box::new(move || {
        let Request { call, read } = fetch();
        let arrived: Arrived =
            Box::new(
                move |answer| match answer.and_then(|(status, text)| read(status, text)) {
                    Ok(value) => {
                        loader.put(value);
                        None
                    }
                    Err(failure) => {
                        failed(&failure);
                        Some(failure)
                    }
                },
            );
        (call, arrived)
    }));
    loader
}

/// Takes the answer in, or says why it cannot.
type Arrived = Box<dyn FnOnce(Outcome<(u16, String)>) -> Option<Failure>>;

impl Reading {
    fn start(self, fetch: Box<dyn Fn() -> (Call, Arrived)>) {
        effect(move || {
            self.again.track();
            let (call, arrived) = fetch();
            let turn = self.turn.get_value() + 1;
            self.turn.set_value(turn);
            spawn_local(async move {
                let answer = api::answer(call).await;
                // Another read has begun, or the page is gone: this answer is old.
                if self.turn.try_get_value() == Some(turn) {
                    let failure = arrived(answer);
                    self.failure.set(failure);
                }
            });
        });
        // What could not be reached is read again as soon as the relay is back.
        let link = crate::app::app().live.link;
        let before = StoredValue::new(link.get_untracked());
        effect(move || {
            let now = link.get();
            if before.get_value() != Link::On
                && now == Link::On
                && self.failure.with_untracked(Option::is_some)
            {
                self.reload();
            }
            before.set_value(now);
        });
    }

    fn reload(self) {
        let _gone = self.again.try_update(|again| *again += 1);
    }

    /// Skeleton, failure or content, whichever there is.
    fn view(self, content: Box<dyn Fn() -> AnyView>) -> AnyView {
        let failed = memo(move || self.failure.with(Option::is_some));
        let there = memo(move || self.value.with(Option::is_some));
        (move || match (there.get(), failed.get()) {
            (true, _) => untrack(&content),
            (false, true) => self.failed(),
            (false, false) => skeleton(),
        })
        .into_any()
    }

    fn failed(self) -> AnyView {
        let message = move || {
            self.failure
                .with(|failure| failure.as_ref().map(|failure| failure.message.clone()))
        };
        view! {
            <div class="empty" role="alert">
                {large_icon(Icon::Warning)}
                <h2>{t().common.could_not_load}</h2>
                <p>{message}</p>
                <button class="button" type="button" on:click=move |_| self.reload()>{t().common.try_again}</button>
            </div>
        }
    }
}

impl<T: Send + Sync + 'static> Loader<T> {
    pub fn reload(self) {
        self.reading.reload();
    }

    /// Replace what is shown, with what a change was answered with.
    pub fn put(self, value: T) {
        let _gone = self.reading.value.try_set(Some(Arc::new(value)));
    }

    /// Change what is shown in place.
    pub fn update(self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        if let Some(mut value) = self.get_untracked() {
            change(&mut value);
            self.put(value);
        }
    }

    fn held(self) -> Option<Arc<T>> {
        self.reading.value.get()?.downcast().ok()
    }

    pub fn get(self) -> Option<T>
    where
        T: Clone,
    {
        self.held().map(Arc::unwrap_or_clone)
    }

    pub fn get_untracked(self) -> Option<T>
    where
        T: Clone,
    {
        untrack(|| self.get())
    }

    /// Something derived from the content, or the default until it is there.
    pub fn map<U: Default>(self, read: impl FnOnce(&T) -> U) -> U {
        self.held().map(|value| read(&value)).unwrap_or_default()
    }

    /// The content's view is made once; it follows what it is given.
    pub fn view<V: IntoView + 'static>(self, content: impl Fn(Loaded<T>) -> V + 'static) -> AnyView {
        self.reading
            .view(Box::new(move || content(Loaded(self)).into_any()))
    }
}

/// What has been read, for views that are shown once it has.
pub struct Loaded<T>(Loader<T>);

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

impl<T: Send + Sync + 'static> Loaded<T> {
    pub fn with<U>(self, read: impl FnOnce(&T) -> U) -> U {
        read(&self.0.held().expect("shown only once it is there"))
    }

    pub fn with_untracked<U>(self, read: impl FnOnce(&T) -> U) -> U {
        untrack(|| self.with(read))
    }

    pub fn get(self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    pub fn get_untracked(self) -> T
    where
        T: Clone,
    {
        untrack(|| self.get())
    }
}

fn skeleton() -> AnyView {
    view! {
        <div class="stack" role="status" aria-label=t().common.loading>
            <div class="skeleton w40"></div>
            <div class="skeleton block"></div>
            <div class="skeleton w70"></div>
        </div>
    }
}
