//! Every text of the web app, in every language that it speaks.
//!
//! A text stands beside its translations, so that one cannot be added without the other: a missing one does not compile. `{name}` is a place
//! that [`fill`] fills. To add a language: a column in [`texts!`], a variant in [`Lang`], and the compiler names every text that lacks it.

mod common;
mod events;
mod gate;
mod overview;
mod settings;
mod sites;
mod tokens;
mod triggers;

pub use common::Common;
pub use events::Events;
pub use gate::Gate;
pub use overview::Overview;
pub use settings::Settings;
pub use sites::Sites;
pub use tokens::Tokens;
pub use triggers::Triggers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    En,
    De,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::En, Lang::De];

    /// As `<html lang>` and `Intl` spell it.
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::De => "de",
        }
    }

    /// In the language itself.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "English",
            Lang::De => "Deutsch",
        }
    }

    /// The language that best serves a browser's wish, such as `de-AT`.
    pub fn of(wish: &str) -> Lang {
        let primary = wish.split(['-', '_']).next().unwrap_or_default();
        Lang::ALL
            .into_iter()
            .find(|lang| lang.code().eq_ignore_ascii_case(primary))
            .unwrap_or(Lang::En)
    }

    pub fn text(self) -> &'static Text {
        match self {
            Lang::En => &EN,
            Lang::De => &DE,
        }
    }
}

macro_rules! texts {
    ($name:ident { $($key:ident: $en:literal, $de:literal;)* }) => {
        pub struct $name { $(pub $key: &'static str,)* }

        impl $name {
            pub(crate) const EN: $name = $name { $($key: $en,)* };
            pub(crate) const DE: $name = $name { $($key: $de,)* };
            #[cfg(test)]
            pub(crate) const ALL: &[(&str, &str, &str)] = &[$((concat!(stringify!($name), ".", stringify!($key)), $en, $de),)*];
        }
    };
}
pub(crate) use texts;

/// One area a field.
pub struct Text {
    pub common: Common,
    pub gate: Gate,
    pub overview: Overview,
    pub sites: Sites,
    pub triggers: Triggers,
    pub events: Events,
    pub tokens: Tokens,
    pub settings: Settings,
}

macro_rules! all_areas {
    ($lang:ident) => {
        Text {
            common: Common::$lang,
            gate: Gate::$lang,
            overview: Overview::$lang,
            sites: Sites::$lang,
            triggers: Triggers::$lang,
            events: Events::$lang,
            tokens: Tokens::$lang,
            settings: Settings::$lang,
        }
    };
}

static EN: Text = all_areas!(EN);
static DE: Text = all_areas!(DE);

/// Replace each `{name}` by its value.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
        [
            Common::ALL,
            Gate::ALL,
            Overview::ALL,
            Sites::ALL,
            Triggers::ALL,
            Events::ALL,
            Tokens::ALL,
            Settings::ALL,
        ]
        .into_iter()
        .flatten()
    }

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('}')?.0))
            .collect()
    }

    #[test]
    fn every_text_is_there_in_every_language() {
        assert!(all().count() > 300, "the catalogue is not empty");
        for (key, en, de) in all() {
            assert!(!en.trim().is_empty() && !de.trim().is_empty(), "{key} is empty");
        }
    }

    #[test]
    fn a_translation_has_the_places_of_its_original() {
        for (key, en, de) in all() {
            assert_eq!(places(en), places(de), "{key}");
        }
    }

    #[test]
    fn a_sentence_ends_alike_in_every_language() {
        for (key, en, de) in all() {
            let end = |text: &str| text.chars().last().filter(|last| ".:?…!".contains(*last));
            assert_eq!(end(en), end(de), "{key}");
        }
    }

    #[test]
    fn a_wish_is_answered_with_the_nearest_language() {
        assert_eq!(Lang::of("de-AT"), Lang::De);
        assert_eq!(Lang::of("DE"), Lang::De);
        assert_eq!(Lang::of("fr-FR"), Lang::En);
        assert_eq!(Lang::of(""), Lang::En);
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(fill("{n} of {m}", &[("n", "1"), ("m", "2")]), "1 of 2");
    }
}
