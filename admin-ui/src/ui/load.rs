//! Reading something from the API and showing it: skeleton, failure with a way on, content that stays while it is read again.

use super::icon::{Icon, large_icon};
use crate::api::{Failure, Outcome};
use crate::live::Link;
use crate::text::t;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::future::Future;

pub struct Loader<T: Send + Sync + 'static> {
    value: RwSignal<Option<T>>,
    failure: RwSignal<Option<Failure>>,
    again: RwSignal<u32>,
}

impl<T: Send + Sync + 'static> Clone for Loader<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Loader<T> {}

/// Read now, and again whenever a signal that `fetch` reads (before its first await) changes.
pub fn load<T, F>(fetch: impl Fn() -> F + 'static) -> Loader<T>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Outcome<T>> + 'static,
{
    let loader = Loader {
        value: RwSignal::new(None),
        failure: RwSignal::new(None),
        again: RwSignal::new(0),
    };
    let latest = StoredValue::new(0_u32);
    Effect::new(move |_| {
        loader.again.track();
        let work = fetch();
        let turn = latest.get_value() + 1;
        latest.set_value(turn);
        spawn_local(async move {
            let outcome = work.await;
            // Another read has begun, or the page is gone: this answer is old.
            if latest.try_get_value() != Some(turn) {
                return;
            }
            match outcome {
                Ok(value) => {
                    loader.failure.set(None);
                    loader.value.set(Some(value));
                }
                Err(failure) => loader.failure.set(Some(failure)),
            }
        });
    });
    // What could not be reached is read again as soon as the relay is back.
    let link = crate::app::app().live.link;
    Effect::new(move |before: Option<Link>| {
        let now = link.get();
        if before.is_some_and(|before| before != Link::On)
            && now == Link::On
            && loader.failure.with_untracked(Option::is_some)
        {
            loader.reload();
        }
        now
    });
    loader
}

impl<T: Clone + Send + Sync + 'static> Loader<T> {
    pub fn reload(self) {
        let _gone = self.again.try_update(|again| *again += 1);
    }

    /// Replace what is shown, with what a change was answered with.
    pub fn put(self, value: T) {
        let _gone = self.value.try_set(Some(value));
    }

    /// Change what is shown in place.
    pub fn update(self, change: impl FnOnce(&mut T)) {
        let _gone = self.value.try_update(|value| value.as_mut().map(change));
    }

    pub fn get(self) -> Option<T> {
        self.value.get()
    }

    pub fn get_untracked(self) -> Option<T> {
        self.value.get_untracked()
    }

    /// Something derived from the content, or the default until it is there.
    pub fn map<U: Default>(self, read: impl FnOnce(&T) -> U) -> U {
        self.value
            .with(|value| value.as_ref().map(read).unwrap_or_default())
    }

    /// The content's view is made once; it follows the signal that it is given.
    pub fn view<V: IntoView + 'static>(
        self,
        content: impl Fn(Signal<T>) -> V + Send + Sync + 'static,
    ) -> AnyView {
        #[derive(Clone, Copy, PartialEq)]
        enum Shown {
            Waiting,
            Failed,
            Content,
        }
        let shown = Memo::new(move |_| {
            match (
                self.value.with(Option::is_some),
                self.failure.with(Option::is_some),
            ) {
                (true, _) => Shown::Content,
                (false, true) => Shown::Failed,
                (false, false) => Shown::Waiting,
            }
        });
        let kept = self.value;
        (move || match shown.get() {
            Shown::Waiting => skeleton().into_any(),
            Shown::Failed => self.failed().into_any(),
            Shown::Content => {
                let value = Signal::derive(move || {
                    kept.with(|value| value.clone().expect("shown only once it is there"))
                });
                content(value).into_any()
            }
        })
        .into_any()
    }

    fn failed(self) -> impl IntoView {
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

fn skeleton() -> impl IntoView {
    view! {
        <div class="stack" role="status" aria-label=t().common.loading>
            <div class="skeleton w40"></div>
            <div class="skeleton block"></div>
            <div class="skeleton w70"></div>
        </div>
    }
}
