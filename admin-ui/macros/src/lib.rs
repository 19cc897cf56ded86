//! The web app's two macros. Both exist for the size of what they write: Leptos' own `view!` gives every element, attribute and closure a type
//! of its own, and serde every struct a visitor, which together were two thirds of the app.

mod json;
mod view;

use proc_macro::TokenStream;

/// Elements as Leptos' `view!` spells them, written as calls of `crate::view`. See [`view`](mod@view) for what is understood.
#[proc_macro]
pub fn view(input: TokenStream) -> TokenStream {
    view::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// `FromJson` and `ToJson` of `hookcast-json`, in the form that the type's `#[serde(…)]` attributes describe.
#[proc_macro_derive(Json, attributes(serde))]
pub fn json(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    json::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
