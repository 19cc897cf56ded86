//! Which language is spoken here: the reader's choice, else the browser's. Changing it loads the page anew, so no view follows it.

use crate::browser;
use hookcast_strings::{Lang, Text};
use std::cell::Cell;

pub use hookcast_strings::fill;

thread_local! {
    static CHOSEN: Cell<Lang> = const { Cell::new(Lang::En) };
}

const KEPT_AS: &str = "hookcast.lang";

pub fn choose() {
    let wish = browser::kept(KEPT_AS)
        .or_else(|| browser::window().navigator().language())
        .unwrap_or_default();
    let lang = Lang::of(&wish);
    CHOSEN.set(lang);
    if let Some(root) = browser::document().document_element() {
        let _refused = root.set_attribute("lang", lang.code());
    }
}

pub fn lang() -> Lang {
    CHOSEN.get()
}

pub fn t() -> &'static Text {
    lang().text()
}

pub fn speak(lang: Lang) {
    browser::keep(KEPT_AS, lang.code());
    let _refused = browser::window().location().reload();
}
