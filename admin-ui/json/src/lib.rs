//! JSON for the web app: one parser, one printer, one step from a value to a type.
//!
//! serde compiles a visitor for each type and each way of reading it, which is fast and large; here each type is a few calls that look into a
//! [`Value`]. The app reads a few kilobytes a second, and every byte of it crosses the network first. The form is serde's: `Json` derives it
//! from the same attributes, and `api/tests` compares the two.

mod parse;
mod print;
mod types;
mod value;

pub use hookcast_ui_macros::Json;
pub use parse::{Misspelt, parse};
pub use types::{FromJson, ToJson, Wrong, field, field_or, field_or_default, known, read, tag};
pub use value::{Number, Value};
