//! The server's side of WebSocket (RFC 6455): bytes from a client to events, and frames for it.
//!
//! Header layout and the accept key are tungstenite's; the rules of the protocol are in [`Decoder`].

mod decode;
mod encode;
mod mask;
mod utf8;

pub use decode::{CONTROL_BYTES_MAX, Decoder, EMPTY_FRAGMENTS_MAX, Event, Input, ProtocolError};
pub use encode::{Head, Opcode, binary_frame, close_echo, close_frame, ping_frame, pong_frame, text_frame};
pub use mask::apply_mask;
pub use tungstenite::handshake::derive_accept_key;
