//! A place whose content changes. It ends with a text node of its own, which is also where a mere text goes; nodes stand before it, behind a
//! comment that says where they begin.

use super::{AnyView, follow};
use crate::browser::document;

pub fn dynamic(mut make: Box<dyn FnMut() -> AnyView>) -> AnyView {
    let document = document();
    let fragment = document.create_document_fragment();
    let end = document.create_text_node("");
    let _refused = fragment.append_child(&end);
    let mut begin: Option<web_sys::Node> = None;
    let mut said = String::new();
    follow(Box::new(move || {
        let view = make();
        let text = match &view {
            AnyView::Text(text) => &**text,
            _ => "",
        };
        if said != text {
            end.set_data(text);
            said = text.to_owned();
        }
        if let Some(begin) = &begin {
            empty(begin, &end);
        }
        if let AnyView::Node(node) = view
            && let Some(parent) = end.parent_node()
        {
            if begin.is_none() {
                let comment = document.create_comment("").into();
                let _refused = parent.insert_before(&comment, Some(&end));
                begin = Some(comment);
            }
            let _refused = parent.insert_before(&node, Some(&end));
        }
    }));
    AnyView::Node(fragment.into())
}

/// Remove what stands between two siblings.
fn empty(begin: &web_sys::Node, end: &web_sys::Node) {
    let Some(parent) = begin.parent_node() else { return };
    while let Some(node) = begin.next_sibling() {
        if node == *end {
            break;
        }
        let _refused = parent.remove_child(&node);
    }
}
