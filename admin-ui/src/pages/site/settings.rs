//! A site's settings: what it is called, how much it may, who may connect, and the ways to stop it.

use super::SiteLoader;
use crate::api::{Failure, ask, send};
use crate::app::app;
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, Submit, TextField, card, modal, viewers_only_look};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::{ArchiveRequest, Site, SiteChange, SiteLimits, SiteStatus};
use hookcast_api::{FieldError, code};

pub fn tab(site: SiteLoader) -> impl IntoView {
    let app = app();
    move || match app.is_owner() {
        false => viewers_only_look(),
        true => view! {
            <div class="two">
                {general(site)}
                {limits(site)}
                {origins(site)}
                {danger(site)}
            </div>
        }
        .into_any(),
    }
}

fn now(site: SiteLoader) -> Site {
    site.get_untracked()
        .expect("the tab is shown once the site is there")
}

/// Send a change, show what the site is then, say that it is saved.
fn change(site: SiteLoader, submit: Submit, change: SiteChange) {
    let key = now(site).site_key;
    submit.run(send::<Site>(Op::ChangeSite, &[&key], &change), move |changed| {
        site.put(changed);
        app().toasts.ok(t().common.saved);
    });
}

fn general(site: SiteLoader) -> impl IntoView {
    let s = &t().sites;
    let Site { name, url, .. } = now(site);
    let (name, url) = (RwSignal::new(name), RwSignal::new(url));
    let submit = Submit::new();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        change(
            site,
            submit,
            SiteChange {
                name: Some(name.get_untracked()),
                url: Some(url.get_untracked()),
                ..SiteChange::default()
            },
        );
    };
    card(
        s.general,
        (),
        view! {
            <form class="form" on:submit=save>
                {TextField::new(s.name, name).error(submit.error("name")).view()}
                {TextField::new(s.url, url).kind("url").error(submit.error("url")).view()}
                {submit.note()}
                <div class="form-foot">{submit.button(t().common.save)}</div>
            </form>
        },
    )
}

/// Empty is `None`; what is no number is the field's own error.
fn number(text: &str, field: &str) -> Result<Option<u64>, FieldError> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| FieldError {
            field: field.to_owned(),
            message: t().sites.not_a_number.to_owned(),
        }),
    }
}

fn narrow(value: Option<u64>, field: &str) -> Result<Option<u32>, FieldError> {
    value
        .map(|value| {
            u32::try_from(value).map_err(|_| FieldError {
                field: field.to_owned(),
                message: t().sites.not_a_number.to_owned(),
            })
        })
        .transpose()
}

fn limits(site: SiteLoader) -> impl IntoView {
    let s = &t().sites;
    let SiteLimits {
        connections,
        publishes_per_second,
        messages_per_month,
    } = now(site).limits;
    let shown = |value: Option<u64>| RwSignal::new(value.map(|value| value.to_string()).unwrap_or_default());
    let connections = shown(connections.map(u64::from));
    let rate = shown(publishes_per_second.map(u64::from));
    let month = shown(messages_per_month);
    let submit = Submit::new();
    let read = move || -> Result<SiteLimits, FieldError> {
        let (c, r) = ("limits.connections", "limits.publishes_per_second");
        Ok(SiteLimits {
            connections: narrow(number(&connections.get_untracked(), c)?, c)?,
            publishes_per_second: narrow(number(&rate.get_untracked(), r)?, r)?,
            messages_per_month: number(&month.get_untracked(), "limits.messages_per_month")?,
        })
    };
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        match read() {
            Ok(limits) => change(
                site,
                submit,
                SiteChange {
                    limits: Some(limits),
                    ..SiteChange::default()
                },
            ),
            Err(wrong) => submit.failure.set(Some(Failure {
                status: 0,
                code: code::INVALID_REQUEST.to_owned(),
                message: wrong.message.clone(),
                fields: vec![wrong],
            })),
        }
    };
    let field = |label: &'static str, value, name: &'static str| {
        TextField::new(label, value)
            .placeholder(s.limit_default)
            .error(submit.error(name))
            .view()
    };
    card(
        s.limits,
        (),
        view! {
            <form class="form" on:submit=save>
                <p class="muted">{s.limits_text}</p>
                {field(s.limit_connections, connections, "limits.connections")}
                {field(s.limit_rate, rate, "limits.publishes_per_second")}
                {field(s.limit_month, month, "limits.messages_per_month")}
                {submit.note()}
                <div class="form-foot">{submit.button(t().common.save)}</div>
            </form>
        },
    )
}

fn origins(site: SiteLoader) -> impl IntoView {
    let s = &t().sites;
    let origins = RwSignal::new(now(site).origins.join("\n"));
    let submit = Submit::new();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let lines = origins.with_untracked(|origins| {
            origins
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect()
        });
        change(
            site,
            submit,
            SiteChange {
                origins: Some(lines),
                ..SiteChange::default()
            },
        );
    };
    card(
        s.origins,
        (),
        view! {
            <form class="form" on:submit=save>
                {TextField::new(s.origins, origins).rows(4).mono().hint(s.origins_text).error(submit.error("origins")).view()}
                {submit.note()}
                <div class="form-foot">{submit.button(t().common.save)}</div>
            </form>
        },
    )
}

fn danger(site: SiteLoader) -> impl IntoView {
    let s = &t().sites;
    let status = memo(move || site.get().map(|site| site.status));
    let submit = Submit::new();
    let archiving = RwSignal::new(false);
    let switch = move |off: bool| {
        change(
            site,
            submit,
            SiteChange {
                deactivated: Some(off),
                ..SiteChange::default()
            },
        )
    };
    let restore = move |_| {
        let key = now(site).site_key;
        submit.run(ask::<Site>(Op::RestoreSite, &[&key]), move |back| {
            site.put(back);
            app().toasts.ok(s.restored);
        });
    };
    view! {
        <section class="card danger-zone">
            <div class="card-head"><h2>{s.danger}</h2></div>
            <div class="card-body">
                {move || match status.get() {
                    Some(SiteStatus::Archived) => view! {
                        <div><button class="button primary" type="button" disabled=move || submit.busy.get() on:click=restore>{s.restore}</button></div>
                    }.into_any(),
                    now => {
                        let off = now == Some(SiteStatus::AccountDeactivated);
                        view! {
                            <p class="muted">{s.deactivate_text}</p>
                            <div><button class="button" type="button" disabled=move || submit.busy.get() on:click=move |_| switch(!off)>{if off { s.reactivate } else { s.deactivate }}</button></div>
                            <p class="muted">{s.archive_text}</p>
                            <div><button class="button danger" type="button" on:click=move |_| archiving.set(true)>{small_icon(Icon::Archive)}{s.archive}</button></div>
                        }.into_any()
                    }
                }}
                {submit.note()}
            </div>
            {modal(archiving, s.archive, move || archive_form(site, archiving))}
        </section>
    }
}

fn archive_form(site: SiteLoader, open: RwSignal<bool>) -> impl IntoView {
    let s = &t().sites;
    let Site { name, site_key, .. } = now(site);
    let confirm = RwSignal::new(String::new());
    let submit = Submit::new();
    let archive = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let key = site_key.clone();
        let request = ArchiveRequest {
            confirm: confirm.get_untracked(),
        };
        submit.run(
            send::<Site>(Op::ArchiveSite, &[&key], &request),
            move |archived| {
                open.set(false);
                site.put(archived);
                app().toasts.ok(s.archive_done);
            },
        );
    };
    view! {
        <form class="form" on:submit=archive>
            <p>{s.archive_text}</p>
            {TextField::new(fill(s.archive_confirm, &[("name", &name)]), confirm).error(submit.error("confirm")).focused().view()}
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button_of_class(s.archive, "button danger")}
            </div>
        </form>
    }
}
