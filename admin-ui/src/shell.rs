//! The frame around the pages: who may see which, the navigation, the banners.

mod navigation;

pub use navigation::appearance;

use crate::app::App;
use crate::live::Link;
use crate::pages;
use crate::route::Route;
use crate::start;
use crate::text::t;
use crate::ui::{Icon, Tone, empty, icon, link_button, note};
use crate::view::prelude::*;

/// What the whole window shows.
#[derive(Clone, Copy, PartialEq)]
enum Window {
    Waiting,
    Unreachable,
    Setup,
    Login,
    Connect,
    Inside,
}

pub fn root(app: App) -> AnyView {
    let window = memo(move || {
        let (signed_in, needs_setup) = match app.state.get() {
            None => return Window::Waiting,
            Some(Err(_)) => return Window::Unreachable,
            Some(Ok(state)) => (state.me.is_some(), state.needs_setup),
        };
        match app.route.get() {
            Route::Setup { .. } if !signed_in => Window::Setup,
            _ if !signed_in && needs_setup => Window::Setup,
            _ if !signed_in => Window::Login,
            Route::Connect => Window::Connect,
            _ => Window::Inside,
        }
    });
    view! {
        {move || {
            let shown = window.get();
            let view = match shown {
                // What the page itself shows stays until there is something better.
                Window::Waiting => return ().into_any(),
                Window::Unreachable => unreachable(app).into_any(),
                Window::Setup => pages::setup::page().into_any(),
                Window::Login => pages::login::page().into_any(),
                Window::Connect => pages::connect::page().into_any(),
                Window::Inside => inside(app).into_any(),
            };
            start::give_way();
            if shown != Window::Unreachable {
                start::remember(matches!(shown, Window::Inside | Window::Connect));
            }
            view
        }}
        {app.toasts.view()}
    }
}

fn unreachable(app: App) -> impl IntoView {
    let message = move || match app.state.get() {
        Some(Err(failure)) => failure.message,
        _ => String::new(),
    };
    view! {
        <main class="gate">
            <div class="gate-main">
                <h1 class="sr">"hookcast"</h1>
                {note(Tone::Bad, view! { <p role="alert">{message}</p> })}
                <button class="button primary full" type="button" on:click=move |_| app.look()>{t().common.try_again}</button>
            </div>
        </main>
    }
}

fn inside(app: App) -> impl IntoView {
    app.live.watch();
    let content = move || match app.route.get() {
        Route::Overview => pages::overview::page().into_any(),
        Route::Guide { site } => pages::guide::page(site).into_any(),
        Route::Sites => pages::sites::page().into_any(),
        Route::Site { key, tab } => pages::site::page(key, tab).into_any(),
        Route::Triggers { site } => pages::triggers::page(site).into_any(),
        Route::Trigger { site, id } => pages::triggers::builder::page(site, id).into_any(),
        Route::Events { site } => pages::events::page(site).into_any(),
        Route::Connections { site } => pages::connections::page(site).into_any(),
        Route::Tokens => pages::tokens::page().into_any(),
        Route::Settings { tab } => pages::settings::page(tab).into_any(),
        Route::Login | Route::Setup { .. } | Route::Connect | Route::Unknown => unknown().into_any(),
    };
    view! {
        <a class="skip button" href="#main" on:click=skip>{t().common.skip}</a>
        <div class="shell">
            {navigation::side(app)}
            <div class="frame">
                {navigation::top(app)}
                <main class="main" id="main" tabindex="-1">
                    <div class="banners">{banners(app)}</div>
                    {content}
                </main>
            </div>
            {navigation::bottom(app)}
        </div>
    }
}

/// The page's `<base>` would lead `#main` elsewhere.
fn skip(event: web_sys::MouseEvent) {
    use wasm_bindgen::JsCast as _;
    event.prevent_default();
    if let Some(main) = crate::browser::document().get_element_by_id("main") {
        let _gone = main.unchecked_into::<web_sys::HtmlElement>().focus();
    }
}

fn banners(app: App) -> impl IntoView {
    let reload = |_| {
        let _refused = crate::browser::window().location().reload();
    };
    view! {
        <div role="status">
            {move || (app.live.link.get() == Link::Lost).then(|| view! {
                <div class="banner">{icon(Icon::Warning)}<span class="grow">{t().common.lost_banner}</span></div>
            })}
            {move || app.outdated.get().then(|| view! {
                <div class="banner">{icon(Icon::Info)}<span class="grow">{t().common.outdated_banner}</span>
                    <button class="link" type="button" on:click=reload>{t().common.reload_page}</button></div>
            })}
        </div>
    }
}

fn unknown() -> impl IntoView {
    crate::browser::set_title(t().common.not_found);
    view! {
        <div class="page">
            <h1 class="sr">{t().common.not_found}</h1>
            {empty(Icon::Search, t().common.not_found, t().common.not_found_text, link_button(&Route::Overview, "button primary", t().common.to_overview))}
        </div>
    }
}
