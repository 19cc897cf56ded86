//! hookcast's web app: what the operator sees. Compiled to WebAssembly, served by the relay itself under `/dashboard`.

mod api;
mod app;
mod browser;
mod format;
mod live;
mod pages;
mod route;
mod shell;
mod text;
mod ui;

fn main() {
    std::panic::set_hook(Box::new(|panic| leptos::logging::error!("{panic}")));
    text::choose();
    if let Some(start) = browser::document().get_element_by_id("start") {
        start.remove();
    }
    // Inside, since mounting starts what signals and requests run on.
    leptos::mount::mount_to_body(|| shell::root(app::App::start()));
}
