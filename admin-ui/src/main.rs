//! hookcast's web app: what the operator sees. Compiled to WebAssembly, served by the relay itself under `/dashboard`.

mod api;
mod app;
mod browser;
mod format;
mod live;
mod pages;
mod route;
mod shell;
mod start;
mod text;
mod ui;
mod view;

fn main() {
    std::panic::set_hook(Box::new(|panic| browser::complain(&panic.to_string())));
    text::choose();
    // Inside, since mounting starts what signals and requests run on. The views are ours, see `view`.
    leptos::mount::mount_to_body(|| {
        let body = browser::document().body().expect("a page has a body");
        shell::root(app::App::start()).mount(&body);
    });
}
