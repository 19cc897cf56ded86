//! `Json`: for structs with named fields, for enums of plain words, and for enums with an inner tag. What serde's attributes say about the form
//! is followed; what is not understood is refused, so that the two cannot drift apart unseen.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Fields, LitStr, Path, Result, Token};

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let container = Attributes::read(&input.attrs)?;
    let name = &input.ident;
    let (read, write) = match &input.data {
        Data::Struct(data) => {
            let parts = parts(&data.fields, &container)?;
            let (known, read, write) = (
                known(&parts, &container, None),
                read(&parts),
                write(&parts, &quote!(&self.)),
            );
            (
                quote! { #known ::core::option::Option::Some(Self { #read }) },
                quote! { let mut object = ::hookcast_json::Value::object(); #write object },
            )
        }
        Data::Enum(data) => variants(data, &container)?,
        Data::Union(_) => return Err(Error::new(Span::call_site(), "a union has no JSON")),
    };
    Ok(quote! {
        impl ::hookcast_json::FromJson for #name {
            fn from_json(value: &::hookcast_json::Value, wrong: &mut ::hookcast_json::Wrong) -> ::core::option::Option<Self> {
                #read
            }
        }
        impl ::hookcast_json::ToJson for #name {
            fn to_json(&self) -> ::hookcast_json::Value {
                #write
            }
        }
    })
}

fn variants(data: &syn::DataEnum, container: &Attributes) -> Result<(TokenStream, TokenStream)> {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        let attributes = Attributes::read(&variant.attrs)?;
        let ident = &variant.ident;
        let word = attributes
            .rename
            .unwrap_or_else(|| snake_case(&ident.to_string()));
        match (&container.tag, &variant.fields) {
            (None, Fields::Unit) => {
                reads.push(quote! { #word => ::core::option::Option::Some(Self::#ident), });
                writes.push(quote! { Self::#ident => #word, });
            }
            (Some(_), Fields::Unit) => {
                reads.push(quote! { #word => ::core::option::Option::Some(Self::#ident), });
                writes.push(quote! { Self::#ident => (#word, ::hookcast_json::Value::object()), });
            }
            (Some(tag), fields @ Fields::Named(_)) => {
                let parts = parts(fields, container)?;
                let names = parts.iter().map(|part| part.ident);
                let (known, read, write) = (
                    known(&parts, container, Some(tag)),
                    read(&parts),
                    write(&parts, &quote!()),
                );
                reads.push(
                    quote! { #word => { #known ::core::option::Option::Some(Self::#ident { #read }) } },
                );
                writes.push(quote! {
                    Self::#ident { #(#names),* } => { let mut object = ::hookcast_json::Value::object(); #write (#word, object) }
                });
            }
            _ => {
                return Err(Error::new_spanned(
                    variant,
                    "only plain words, or an inner tag with named fields",
                ));
            }
        }
    }
    Ok(match &container.tag {
        None => (
            quote! { match value.as_str()? { #(#reads)* _ => ::core::option::Option::None } },
            quote! { ::hookcast_json::Value::from(match self { #(#writes)* }) },
        ),
        Some(tag) => (
            quote! { match ::hookcast_json::tag(value, #tag, wrong)? { #(#reads)* _ => ::core::option::Option::None } },
            quote! { let (word, object) = match self { #(#writes)* }; object.tagged(#tag, word) },
        ),
    })
}

struct Part<'a> {
    ident: &'a syn::Ident,
    name: String,
    attributes: Attributes,
}

fn parts<'a>(fields: &'a Fields, container: &Attributes) -> Result<Vec<Part<'a>>> {
    let Fields::Named(fields) = fields else {
        return Err(Error::new_spanned(fields, "only named fields"));
    };
    fields
        .named
        .iter()
        .map(|field| {
            let mut attributes = Attributes::read(&field.attrs)?;
            if let (Default::Plain, Default::None) = (&container.default, &attributes.default) {
                attributes.default = Default::Plain;
            }
            let ident = field.ident.as_ref().expect("a named field has a name");
            let name = attributes
                .rename
                .clone()
                .unwrap_or_else(|| ident.to_string().trim_start_matches("r#").to_owned());
            Ok(Part {
                ident,
                name,
                attributes,
            })
        })
        .collect()
}

fn known(parts: &[Part<'_>], container: &Attributes, tag: Option<&String>) -> TokenStream {
    if !container.deny_unknown_fields {
        return quote!();
    }
    let names = parts.iter().map(|part| &part.name).chain(tag);
    quote! { ::hookcast_json::known(value, &[#(#names),*], wrong)?; }
}

fn read(parts: &[Part<'_>]) -> TokenStream {
    let fields = parts.iter().map(
        |Part {
             ident,
             name,
             attributes,
         }| match &attributes.default {
            Default::None => quote! { #ident: ::hookcast_json::field(value, #name, wrong)?, },
            Default::Plain => quote! { #ident: ::hookcast_json::field_or_default(value, #name, wrong)?, },
            Default::Call(path) => quote! { #ident: ::hookcast_json::field_or(value, #name, wrong, #path)?, },
        },
    );
    quote! { #(#fields)* }
}

fn write(parts: &[Part<'_>], owner: &TokenStream) -> TokenStream {
    let fields = parts.iter().map(
        |Part {
             ident,
             name,
             attributes,
         }| {
            let push = quote! { object.push(#name, ::hookcast_json::ToJson::to_json(#owner #ident)); };
            match &attributes.skip_serializing_if {
                Some(path) => quote! { if !#path(#owner #ident) { #push } },
                None => push,
            }
        },
    );
    quote! { #(#fields)* }
}

enum Default {
    None,
    Plain,
    Call(Path),
}

struct Attributes {
    tag: Option<String>,
    rename: Option<String>,
    default: Default,
    deny_unknown_fields: bool,
    skip_serializing_if: Option<Path>,
}

impl Attributes {
    fn read(all: &[Attribute]) -> Result<Attributes> {
        let mut read = Attributes {
            tag: None,
            rename: None,
            default: Default::None,
            deny_unknown_fields: false,
            skip_serializing_if: None,
        };
        for attribute in all.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            for meta in attribute.parse_args_with(Punctuated::<syn::Meta, Token![,]>::parse_terminated)? {
                let name = meta.path().require_ident()?.to_string();
                let text = || -> Result<LitStr> {
                    match &meta.require_name_value()?.value {
                        syn::Expr::Lit(syn::ExprLit {
                            lit: syn::Lit::Str(text),
                            ..
                        }) => Ok(text.clone()),
                        other => Err(Error::new_spanned(other, "a text is expected here")),
                    }
                };
                match (name.as_str(), &meta) {
                    ("tag", _) => read.tag = Some(text()?.value()),
                    ("rename", _) => read.rename = Some(text()?.value()),
                    ("rename_all", _) if text()?.value() == "snake_case" => {}
                    ("default", syn::Meta::Path(_)) => read.default = Default::Plain,
                    ("default", _) => read.default = Default::Call(text()?.parse()?),
                    ("deny_unknown_fields", _) => read.deny_unknown_fields = true,
                    ("skip_serializing_if", _) => read.skip_serializing_if = Some(text()?.parse()?),
                    _ => return Err(Error::new_spanned(&meta, "this attribute is not understood here")),
                }
            }
        }
        Ok(read)
    }
}

/// As serde does it for the names of variants.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
