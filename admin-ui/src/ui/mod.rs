//! The pieces that pages are built of.

pub mod chart;
pub mod code;
pub mod dialog;
pub mod field;
pub mod icon;
pub mod load;
pub mod pieces;
pub mod submit;
pub mod toast;

pub use chart::{Series, chart};
pub use code::{code_block, copy_button, json_block};
pub use dialog::{modal, password_again, wide_modal};
pub use field::{TextField, check, select, switch};
pub use icon::{Icon, icon};
pub use load::{Loaded, Loader, load, load_then};
pub use pieces::*;
pub use submit::Submit;

use std::cell::Cell;

thread_local! {
    static IDS: Cell<u32> = const { Cell::new(0) };
}

/// An id that no other element of this page has.
pub fn fresh_id(stem: &str) -> String {
    let id = IDS.get() + 1;
    IDS.set(id);
    format!("{stem}-{id}")
}
