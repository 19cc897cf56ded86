//! Bytes to values and back: WebSocket frames, SSE, messages, close codes. No I/O, no clock.
//!
//! Whatever is parsed here was written by a stranger. No input panics, no input makes a parser allocate more than a small
//! multiple of what has arrived, and no nesting depth reaches the stack.

pub mod binary;
pub mod channel;
pub mod client;
pub mod close;
pub mod id;
mod json;
pub mod publish;
pub mod server;
pub mod sse;
pub mod ws;
