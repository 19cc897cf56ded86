//! Triggers, the pure part: which input fires one and what it publishes. No store, no socket, no clock.
//!
//! The relay evaluates webhook and dispatch triggers, and any trigger under test; WordPress evaluates the others by the
//! same rules (`hookcast_api::trigger`).

mod conditions;
mod evaluate;
mod path;
mod validate;
mod webhook;

pub use evaluate::{Outcome, evaluate};
pub use validate::{NameLimits, TRIGGERS_PER_SITE_MAX, validate};
pub use webhook::{Unproven, prove};
