//! `view!`: elements, texts and `{expressions}`.
//!
//! * `<tag name=value …>children</tag>`, `<tag … />`; a tag or name may have dashes;
//! * `on:event=handler`, `prop:name=value`, `style:name=value`, `class:name=condition`, `node_ref=node`;
//! * a value is an expression up to the next `name=` or `>`; one that compares or has generics stands in parentheses.
//!
//! Properties are set after the children: a `<select>` can take a value only once it has its options.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Error, Result};

/// Elements of SVG are made in another namespace.
const SVG: &[&str] = &["svg", "path", "line"];

pub fn expand(input: TokenStream) -> Result<TokenStream> {
    let mut tokens = Tokens {
        all: input.into_iter().collect(),
        at: 0,
    };
    let nodes = nodes(&mut tokens)?;
    if let Some(token) = tokens.peek() {
        return Err(Error::new(token.span(), "this closes nothing"));
    }
    match &nodes[..] {
        [one] => Ok(quote! { crate::view::IntoView::into_view(#one) }),
        many => Ok(quote! { crate::view::Element::fragment()#(.child(#many))*.done() }),
    }
}

struct Tokens {
    all: Vec<TokenTree>,
    at: usize,
}

impl Tokens {
    fn peek_at(&self, ahead: usize) -> Option<&TokenTree> {
        self.all.get(self.at + ahead)
    }

    fn peek(&self) -> Option<&TokenTree> {
        self.peek_at(0)
    }

    fn take(&mut self) -> Result<TokenTree> {
        let token = self
            .peek()
            .cloned()
            .ok_or_else(|| Error::new(Span::call_site(), "the view ends too early"))?;
        self.at += 1;
        Ok(token)
    }

    fn is_punct(&self, ahead: usize, wanted: char) -> bool {
        matches!(self.peek_at(ahead), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        let token = self.take()?;
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == wanted => Ok(()),
            other => Err(Error::new(other.span(), format!("`{wanted}` is expected here"))),
        }
    }

    /// `aria-label`, `on:click`, `div`: identifiers joined by dashes and colons.
    fn name(&mut self) -> Result<(String, Span)> {
        let (length, name) = self.name_ahead(0).ok_or_else(|| {
            let span = self.peek().map_or_else(Span::call_site, TokenTree::span);
            Error::new(span, "a name is expected here")
        })?;
        let span = self.take()?.span();
        self.at += length - 1;
        Ok((name, span))
    }

    /// The name that begins `ahead`, with the number of its tokens.
    fn name_ahead(&self, ahead: usize) -> Option<(usize, String)> {
        let Some(TokenTree::Ident(first)) = self.peek_at(ahead) else {
            return None;
        };
        let mut name = first.to_string().trim_start_matches("r#").to_owned();
        let mut length = 1;
        while let (Some(TokenTree::Punct(joint)), Some(TokenTree::Ident(part))) =
            (self.peek_at(ahead + length), self.peek_at(ahead + length + 1))
        {
            let joint = joint.as_char();
            if joint != '-' && joint != ':' {
                break;
            }
            name.push(joint);
            name.push_str(&part.to_string());
            length += 2;
        }
        Some((length, name))
    }

    /// An attribute's name and `=` come next, and `before` can end an expression.
    fn attribute_begins(&self, before: Option<&TokenTree>) -> bool {
        let ends = match before {
            Some(TokenTree::Ident(word)) => !matches!(
                &*word.to_string(),
                "let" | "move" | "mut" | "ref" | "if" | "match" | "in" | "else" | "return"
            ),
            Some(TokenTree::Punct(_)) | None => false,
            Some(_) => true,
        };
        let Some((length, _)) = self.name_ahead(0) else {
            return false;
        };
        let Some(TokenTree::Punct(equals)) = self.peek_at(length) else {
            return false;
        };
        let compares = self.is_punct(length + 1, '=') || self.is_punct(length + 1, '>');
        ends && equals.as_char() == '=' && !(equals.spacing() == proc_macro2::Spacing::Joint && compares)
    }

    /// The tokens of an attribute's value.
    fn value(&mut self) -> Result<TokenStream> {
        let mut value = Vec::new();
        loop {
            if self.is_punct(0, '>')
                && !matches!(value.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == '-')
            {
                break;
            }
            if (self.is_punct(0, '/') && self.is_punct(1, '>')) || self.attribute_begins(value.last()) {
                break;
            }
            value.push(self.take()?);
        }
        match value.first() {
            Some(_) => Ok(value.into_iter().collect()),
            None => Err(Error::new(
                self.peek().map_or_else(Span::call_site, TokenTree::span),
                "a value is expected here",
            )),
        }
    }
}

/// Siblings, up to the end or to a closing tag.
fn nodes(tokens: &mut Tokens) -> Result<Vec<TokenStream>> {
    let mut nodes = Vec::new();
    while let Some(token) = tokens.peek() {
        match token {
            TokenTree::Literal(text) => {
                nodes.push(quote! { #text });
                tokens.at += 1;
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner = group.stream();
                let statements = inner
                    .clone()
                    .into_iter()
                    .any(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';'));
                nodes.push(if statements {
                    quote! { { #inner } }
                } else {
                    inner
                });
                tokens.at += 1;
            }
            TokenTree::Punct(punct) if punct.as_char() == '<' => {
                if tokens.is_punct(1, '/') {
                    break;
                }
                nodes.push(element(tokens)?);
            }
            other => {
                return Err(Error::new(
                    other.span(),
                    "an element, a text in quotes or a `{block}` is expected here",
                ));
            }
        }
    }
    Ok(nodes)
}

fn element(tokens: &mut Tokens) -> Result<TokenStream> {
    tokens.expect('<')?;
    let (tag, span) = tokens.name()?;
    let svg = SVG.contains(&&*tag);
    let mut new = TokenStream::new();
    let mut before = Vec::new();
    let mut after = Vec::new();
    while !tokens.is_punct(0, '>') && !tokens.is_punct(0, '/') {
        let (name, span) = tokens.name()?;
        tokens.expect('=')?;
        let value = tokens.value()?;
        match name.split_once(':') {
            Some(("on", event)) => {
                let on = Ident::new(&format!("on_{event}"), span);
                before.push(quote! { .#on(#value) });
            }
            Some(("prop", name)) => after.push(quote! { .property(#name, #value) }),
            Some(("style", name)) => before.push(quote! { .style(#name, #value) }),
            Some(("class", name)) => before.push(quote! { .class(#name, #value) }),
            Some((other, _)) => return Err(Error::new(span, format!("`{other}:` is unknown"))),
            None if name == "node_ref" => before.push(quote! { .node_ref(#value) }),
            None if name == "class" && !svg && new.is_empty() && value.to_string().starts_with('"') => {
                new = quote! { crate::view::Element::of_class(#tag, #value) };
            }
            None => before.push(quote! { .attribute(#name, #value) }),
        }
    }
    let mut children = Vec::new();
    if tokens.is_punct(0, '/') {
        tokens.at += 1;
        tokens.expect('>')?;
    } else {
        tokens.expect('>')?;
        children = nodes(tokens)?;
        tokens.expect('<')?;
        tokens.expect('/')?;
        let (closed, span) = tokens.name()?;
        if closed != tag {
            return Err(Error::new(span, format!("`<{tag}>` is open here")));
        }
        tokens.expect('>')?;
    }
    if new.is_empty() {
        new = if svg {
            quote!(crate::view::Element::svg(#tag))
        } else {
            quote!(crate::view::Element::new(#tag))
        };
    }
    Ok(quote_spanned! { span=> #new #(#before)*#(.child(#children))*#(#after)*.done() })
}
