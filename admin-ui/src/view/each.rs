//! A list whose rows stay while their items do. A row is made once, from its item; an item with another key is another row.

use super::{AnyView, IntoView, follow};
use crate::browser::document;
use leptos::prelude::{Owner, untrack};
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// A row that is to be shown: made only if no row with its key is there.
type Wanted = (u64, Box<dyn FnOnce() -> AnyView>);

struct Row {
    key: u64,
    node: web_sys::Node,
    owner: Owner,
}

/// A row per item. Keys are told apart by their hash.
pub fn each<T, K, V>(
    mut items: impl FnMut() -> Vec<T> + 'static,
    key: impl Fn(&T) -> K + 'static,
    row: impl Fn(T) -> V + Clone + 'static,
) -> AnyView
where
    T: 'static,
    K: Hash,
    V: IntoView,
{
    rows(Box::new(move || {
        let wanted = items().into_iter().map(|item| {
            let mut hasher = DefaultHasher::new();
            key(&item).hash(&mut hasher);
            let row = row.clone();
            let make: Box<dyn FnOnce() -> AnyView> = Box::new(move || row(item).into_view());
            (hasher.finish(), make)
        });
        wanted.collect()
    }))
}

fn rows(mut wanted: Box<dyn FnMut() -> Vec<Wanted>>) -> AnyView {
    let fragment = document().create_document_fragment();
    let end: web_sys::Node = document().create_text_node("").into();
    let _refused = fragment.append_child(&end);
    // Rows outlive a run of the effect, so they belong to whom the list belongs.
    let list_owner = Owner::current().unwrap_or_default();
    let mut shown: Vec<Row> = Vec::new();
    follow(Box::new(move || {
        let wanted = wanted();
        let Some(parent) = end.parent_node() else { return };
        if wanted.len() == shown.len() && wanted.iter().zip(&shown).all(|((key, _), row)| *key == row.key) {
            return;
        }
        let mut before = std::mem::take(&mut shown);
        for (key, make) in wanted {
            // Mostly the order is the old one, and the row is the first.
            let row = match before.iter().position(|row| row.key == key) {
                Some(at) => before.remove(at),
                None => {
                    let owner = list_owner.child();
                    let view = untrack(|| owner.with(make));
                    let node = view.into_node().expect("a row is an element");
                    Row { key, node, owner }
                }
            };
            shown.push(row);
        }
        for row in before {
            row.owner.cleanup();
            let _refused = parent.remove_child(&row.node);
        }
        let mut next = end.clone();
        for row in shown.iter().rev() {
            if row.node.next_sibling().as_ref() != Some(&next) {
                let _refused = parent.insert_before(&row.node, Some(&next));
            }
            next = row.node.clone();
        }
    }));
    AnyView::Node(fragment.into())
}
