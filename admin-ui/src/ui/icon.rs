//! Icons: strokes on a grid of 20, drawn for this app.

use crate::view::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Hook,
    Overview,
    Sites,
    Triggers,
    Events,
    Connections,
    Token,
    Settings,
    More,
    Plus,
    Copy,
    Check,
    Cross,
    Warning,
    Info,
    Search,
    Back,
    Down,
    Up,
    Pause,
    Play,
    Trash,
    Download,
    Upload,
    Eye,
    Rotate,
    Sun,
    Moon,
    Half,
    SignOut,
    Send,
    Globe,
    Key,
    Edit,
    Archive,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Hook => {
                "M10 6.2V12a3 3 0 1 1-6 0M13 8a4 4 0 0 1 0 5M15.6 5.8a7.5 7.5 0 0 1 0 9.4M10 4.4a.9.9 0 1 0 0 1.8.9.9 0 0 0 0-1.8"
            }
            Icon::Overview => "M3 11h4v6H3zM8 3h4v14H8zM13 7h4v10h-4z",
            Icon::Sites => {
                "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M2.7 8h14.6M2.7 12.5h14.6M10 2.5c-4 4.5-4 10.5 0 15M10 2.5c4 4.5 4 10.5 0 15"
            }
            Icon::Triggers => "M11 2 4 11.5h5L8.5 18 16 8.5h-5z",
            Icon::Events => "M3 5h2M3 10h2M3 15h2M8 5h9M8 10h9M8 15h6",
            Icon::Connections => {
                "M6.5 13.5a2.8 2.8 0 1 1-2-4.7M15.5 4.2a2.8 2.8 0 1 1-2 4.8M7 11l6-4M14.5 13a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6M7 13l5.3 1.7"
            }
            Icon::Token => "M3 5.5h14v9H3zM6 8.5h4M6 11.5h2.5M13 10a1.5 1.5 0 1 0 .01 0",
            Icon::Settings => "M3 6h8M15 6h2M13 4.2v3.6M3 14h2M9 14h8M7 12.2v3.6M3 10h14",
            Icon::More => "M4 10h.01M10 10h.01M16 10h.01",
            Icon::Plus => "M10 4v12M4 10h12",
            Icon::Copy => "M7 7h9.5v9.5H7zM4 13H3.5V3.5H13V4",
            Icon::Check => "m4 10.5 4 4 8-9",
            Icon::Cross => "m5 5 10 10M15 5 5 15",
            Icon::Warning => "M10 3 1.8 16.5h16.4zM10 8v4M10 14.2v.01",
            Icon::Info => "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M10 9.5v4M10 6.5v.01",
            Icon::Search => "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M13 13l4 4",
            Icon::Back => "m12 4-6 6 6 6",
            Icon::Down => "m5 8 5 5 5-5",
            Icon::Up => "m5 12 5-5 5 5",
            Icon::Pause => "M7 4v12M13 4v12",
            Icon::Play => "M6 4v12l10-6z",
            Icon::Trash => "M3.5 5.5h13M8 5.5V3h4v2.5M5 5.5l.8 11.5h8.4L15 5.5M8.5 9v5M11.5 9v5",
            Icon::Download => "M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13",
            Icon::Upload => "M10 13V3.5M6 7l4-4 4 4M3.5 16.5h13",
            Icon::Eye => {
                "M1.8 10S5 4.5 10 4.5 18.2 10 18.2 10 15 15.5 10 15.5 1.8 10 1.8 10M10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5"
            }
            Icon::Rotate => "M16 7A7 7 0 0 0 3.5 8M3.5 3.5V8H8M4 13a7 7 0 0 0 12.5-1M16.5 16.5V12H12",
            Icon::Sun => {
                "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M16 4l-1.4 1.4M5.4 14.6 4 16"
            }
            Icon::Moon => "M16.5 11.5A7 7 0 0 1 8.5 3.5a7 7 0 1 0 8 8",
            Icon::Half => "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M10 2.5v15M12.5 4v12M15 6v8",
            Icon::SignOut => "M8 3.5H3.5v13H8M7.5 10H17M13.5 6.5 17 10l-3.5 3.5",
            Icon::Send => "m17 3-7.5 14L8 11.5 3 9.5zM8 11.5 17 3",
            Icon::Globe => {
                "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M2.5 10h15M10 2.5c-3.5 4-3.5 11 0 15M10 2.5c3.5 4 3.5 11 0 15"
            }
            Icon::Key => "M6.5 9a4 4 0 1 0 .01 0M9.5 10.5 17 3M14 6l2 2M12 8l1.5 1.5",
            Icon::Edit => "m3.5 16.5.8-3.8L13.5 3.5l3 3-9.2 9.2zM11.5 5.5l3 3",
            Icon::Archive => "M2.5 4h15v3.5h-15zM4 7.5V16.5h12V7.5M8 11h4",
        }
    }
}

/// An icon of the text's size. It says nothing to a screen reader: what it stands beside, or its button's label, does.
pub fn icon(icon: Icon) -> AnyView {
    sized(icon, "18")
}

pub fn small_icon(icon: Icon) -> AnyView {
    sized(icon, "15")
}

pub fn large_icon(icon: Icon) -> AnyView {
    sized(icon, "34")
}

fn sized(icon: Icon, size: &'static str) -> AnyView {
    view! {
        <svg width=size height=size viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width=if size == "34" { "1.2" } else { "1.7" }
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d=icon.path() />
        </svg>
    }
    .into_any()
}
