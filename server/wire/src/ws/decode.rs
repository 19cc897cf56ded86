//! Bytes from a client to events, pulled one at a time.
//!
//! A frame that lies whole in the caller's buffer is unmasked there and lent out: no copy, no allocation. Only what a buffer's
//! end cuts off — a head, a frame, a message in fragments — is kept here, boxed, because an idle connection must stay small.
//! What is kept never exceeds the largest message, and grows with what has arrived, not with what a head announces.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::mask::apply_mask;
use super::utf8::Utf8Check;
use crate::close::CloseCode;

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Empty fragments in one message, after which it is refused: they cost work and bring nothing.
pub const EMPTY_FRAGMENTS_MAX: u32 = 128;
/// A masked head with a 64-bit length.
const HEAD_BYTES_MAX: usize = 14;

/// What a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// The client closes, with its code and reason if it gave any. Nothing follows.
    Close(Option<u16>, &'a str),
}

/// The client broke a rule: the connection is to be closed with this code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    pub close: CloseCode,
    pub reason: &'static str,
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.close.code())
    }
}

impl std::error::Error for ProtocolError {}

const fn violation(reason: &'static str) -> ProtocolError {
    ProtocolError {
        close: CloseCode::Protocol,
        reason,
    }
}

const NOT_UTF8: ProtocolError = ProtocolError {
    close: CloseCode::InvalidPayload,
    reason: "text is not UTF-8",
};

/// Bytes received and not yet decoded. Decoding changes them.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Bytes not yet decoded.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// One connection's decoder.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// After a close or a broken rule: whatever else arrives is thrown away.
    closed: bool,
    assembly: Option<Box<Assembly>>,
    saved: Option<Box<Saved>>,
}

/// What a buffer's end cut off.
#[derive(Debug, Default)]
struct Assembly {
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    frame: Option<Frame>,
    /// The payload of a control frame that came in pieces.
    control: Vec<u8>,
    message: Option<Message>,
    /// What the last event was lent from; freed by the next call.
    lent: Lent,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Lent {
    #[default]
    Nothing,
    Control,
    Message,
}

/// A frame whose payload is still arriving.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    last: bool,
    mask: [u8; 4],
    received: usize,
    payload_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    Continuation,
    Close,
    Ping,
    Pong,
}

impl Kind {
    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A message of which not everything has arrived.
#[derive(Debug)]
struct Message {
    text: bool,
    bytes: Vec<u8>,
    utf8: Utf8Check,
    empty_fragments: u32,
}

/// Input that a session left for later.
#[derive(Debug, Default)]
struct Saved {
    bytes: Vec<u8>,
    at: usize,
}

/// What one round of decoding came to.
enum Step {
    /// Everything given was taken.
    NeedMore,
    /// A frame's whole payload, unmasked, lies in the input.
    InPlace { kind: Kind, start: usize, end: usize },
    /// A control frame was put together in the assembly.
    Control(Kind),
    /// A message was put together in the assembly.
    Message,
}

impl Decoder {
    /// A message over `message_bytes_max` is refused with 1009 as soon as a head announces it.
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            closed: false,
            assembly: None,
            saved: None,
        }
    }

    /// The next event from what was saved, then from `input`; `None` when both are used up. After an error or a
    /// [`Event::Close`] there are no more events.
    pub fn next<'a>(&'a mut self, input: &'a mut Input<'_>) -> Result<Option<Event<'a>>, ProtocolError> {
        self.free_lent();
        if self.closed {
            self.saved = None;
            input.at = input.bytes.len();
            return Ok(None);
        }
        if let Some(saved) = &mut self.saved {
            let step = advance(
                &mut self.assembly,
                &mut saved.bytes,
                &mut saved.at,
                self.message_bytes_max,
            );
            if !matches!(step, Ok(Step::NeedMore)) {
                let bytes = self.saved.as_ref().map_or(&[][..], |saved| &saved.bytes);
                return lend(step, bytes, &mut self.assembly, &mut self.closed);
            }
            self.saved = None;
        }
        let step = advance(
            &mut self.assembly,
            input.bytes,
            &mut input.at,
            self.message_bytes_max,
        );
        lend(step, input.bytes, &mut self.assembly, &mut self.closed)
    }

    /// Keeps the rest of `input` for the following calls of [`next`](Self::next), so that a session can stop in the middle of a
    /// buffer that is not its own. It reads nothing more before [`has_saved`](Self::has_saved) is false: one buffer is the bound.
    pub fn save_rest(&mut self, input: &mut Input<'_>) {
        if input.is_empty() || self.closed {
            return;
        }
        let saved = self.saved.get_or_insert_default();
        saved.bytes.drain(..std::mem::take(&mut saved.at));
        saved.bytes.extend_from_slice(&input.bytes[input.at..]);
        input.at = input.bytes.len();
    }

    /// Whether [`next`](Self::next) has something to look at without new input.
    pub fn has_saved(&self) -> bool {
        self.saved.is_some()
    }

    /// Whether nothing is kept: no partial frame, no fragments, no saved input, and so no memory on the heap.
    pub fn is_idle(&self) -> bool {
        self.assembly.is_none() && self.saved.is_none()
    }

    fn free_lent(&mut self) {
        let Some(assembly) = &mut self.assembly else {
            return;
        };
        match std::mem::take(&mut assembly.lent) {
            Lent::Nothing => {}
            Lent::Control => assembly.control = Vec::new(),
            Lent::Message => assembly.message = None,
        }
        if self.closed || (assembly.head_len == 0 && assembly.frame.is_none() && assembly.message.is_none()) {
            self.assembly = None;
        }
    }
}

/// Turns a step into the event that borrows from where the step left it.
fn lend<'a>(
    step: Result<Step, ProtocolError>,
    input: &'a [u8],
    assembly: &'a mut Option<Box<Assembly>>,
    closed: &mut bool,
) -> Result<Option<Event<'a>>, ProtocolError> {
    let event = step.and_then(|step| match step {
        Step::NeedMore => Ok(None),
        Step::InPlace { kind, start, end } => event(kind, &input[start..end]).map(Some),
        Step::Control(kind) => {
            let assembly = assembly.as_mut().expect("a control frame was put together in it");
            assembly.lent = Lent::Control;
            event(kind, &assembly.control).map(Some)
        }
        Step::Message => {
            let assembly = assembly.as_mut().expect("a message was put together in it");
            assembly.lent = Lent::Message;
            let message = assembly.message.as_ref().expect("it is complete");
            event(
                if message.text { Kind::Text } else { Kind::Binary },
                &message.bytes,
            )
            .map(Some)
        }
    });
    *closed = matches!(event, Err(_) | Ok(Some(Event::Close(..))));
    event
}

fn event(kind: Kind, payload: &[u8]) -> Result<Event<'_>, ProtocolError> {
    Ok(match kind {
        Kind::Text => Event::Text(simdutf8::basic::from_utf8(payload).map_err(|_| NOT_UTF8)?),
        Kind::Binary | Kind::Continuation => Event::Binary(payload),
        Kind::Ping => Event::Ping(payload),
        Kind::Pong => Event::Pong(payload),
        Kind::Close => match payload.split_first_chunk::<2>() {
            None if payload.is_empty() => Event::Close(None, ""),
            None => return Err(violation("a close frame with half a code")),
            Some((&code, reason)) => {
                let code = u16::from_be_bytes(code);
                if !may_be_sent(code) {
                    return Err(violation("a close code that must not be sent"));
                }
                Event::Close(
                    Some(code),
                    simdutf8::basic::from_utf8(reason).map_err(|_| NOT_UTF8)?,
                )
            }
        },
    })
}

/// Close codes that an endpoint may put in a frame: RFC 6455 section 7.4 and the IANA registry.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Decodes until something is complete or the bytes are used up.
fn advance(
    assembly: &mut Option<Box<Assembly>>,
    bytes: &mut [u8],
    at: &mut usize,
    message_bytes_max: usize,
) -> Result<Step, ProtocolError> {
    loop {
        let mut frame = match assembly.as_mut().and_then(|assembly| assembly.frame.take()) {
            Some(frame) => frame,
            None => {
                let Some((header, payload_len)) = head(assembly, bytes, at)? else {
                    return Ok(Step::NeedMore);
                };
                let message = assembly.as_ref().and_then(|assembly| assembly.message.as_ref());
                check_head(&header, payload_len, message, message_bytes_max)?
            }
        };
        let start = *at;
        let end = bytes.len().min(start + (frame.payload_len - frame.received));
        let payload = &mut bytes[start..end];
        apply_mask(payload, frame.mask, frame.received);
        *at = end;

        let whole = payload.len() == frame.payload_len;
        if whole && frame.last && frame.kind != Kind::Continuation {
            return Ok(Step::InPlace {
                kind: frame.kind,
                start,
                end,
            });
        }
        if payload.is_empty() && frame.payload_len > 0 {
            // Its first byte may still find the frame whole in the next buffer: nothing is begun for it yet.
            assembly.get_or_insert_default().frame = Some(frame);
            return Ok(Step::NeedMore);
        }
        frame.received += payload.len();
        let complete = frame.received == frame.payload_len;
        let assembly = assembly.get_or_insert_default();
        if frame.kind.is_control() {
            assembly.control.extend_from_slice(payload);
        } else {
            let message = assembly.message.get_or_insert_with(|| Message {
                text: frame.kind == Kind::Text,
                bytes: Vec::new(),
                utf8: Utf8Check::default(),
                empty_fragments: 0,
            });
            message.append(payload, message_bytes_max)?;
            if complete && !frame.last && frame.payload_len == 0 {
                message.count_empty()?;
            }
        }
        match (complete, frame.last) {
            (false, _) => {
                assembly.frame = Some(frame);
                return Ok(Step::NeedMore);
            }
            (true, true) if frame.kind.is_control() => return Ok(Step::Control(frame.kind)),
            (true, true) => return Ok(Step::Message),
            // A fragment: the message goes on with the next frame.
            (true, false) => {}
        }
    }
}

impl Message {
    fn append(&mut self, payload: &[u8], message_bytes_max: usize) -> Result<(), ProtocolError> {
        let needed = self.bytes.len() + payload.len();
        if needed > self.bytes.capacity() {
            // Doubled, so that it is seldom moved, but never beyond what a message may have.
            let capacity = (2 * self.bytes.capacity()).min(message_bytes_max).max(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(payload);
        if self.text && !self.utf8.extend(&self.bytes) {
            return Err(NOT_UTF8);
        }
        Ok(())
    }

    fn count_empty(&mut self) -> Result<(), ProtocolError> {
        self.empty_fragments += 1;
        if self.empty_fragments > EMPTY_FRAGMENTS_MAX {
            return Err(ProtocolError {
                close: CloseCode::Policy,
                reason: "too many empty fragments",
            });
        }
        Ok(())
    }
}

/// The next frame's head, from the input or from what was kept of it and the input; `None` keeps what is there.
fn head(
    assembly: &mut Option<Box<Assembly>>,
    bytes: &[u8],
    at: &mut usize,
) -> Result<Option<(FrameHeader, u64)>, ProtocolError> {
    let rest = &bytes[*at..];
    if rest.is_empty() {
        return Ok(None);
    }
    let mut joined = [0; HEAD_BYTES_MAX];
    let kept = assembly.as_ref().map_or(0, |assembly| assembly.head_len);
    let (source, source_len) = match assembly {
        Some(assembly) if kept > 0 => {
            let taken = rest.len().min(HEAD_BYTES_MAX - kept);
            joined[..kept].copy_from_slice(&assembly.head[..kept]);
            joined[kept..kept + taken].copy_from_slice(&rest[..taken]);
            (&joined[..kept + taken], kept + taken)
        }
        _ => (rest, rest.len()),
    };
    let mut cursor = Cursor::new(source);
    // The one thing that makes parsing fail is an opcode without a meaning.
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| violation("an unknown opcode"))?;
    let Some((header, payload_len)) = parsed else {
        let assembly = assembly.get_or_insert_default();
        assembly.head[..source_len].copy_from_slice(source);
        assembly.head_len = source_len;
        *at = bytes.len();
        return Ok(None);
    };
    let head_len = cursor.position() as usize;
    if head_len != header.len(payload_len) {
        return Err(violation("a length that is not in its shortest form"));
    }
    if let Some(assembly) = assembly {
        assembly.head_len = 0;
    }
    *at += head_len - kept;
    Ok(Some((header, payload_len)))
}

/// Checks everything that a head can break, before any of its payload is looked at or room is made for it.
fn check_head(
    header: &FrameHeader,
    payload_len: u64,
    message: Option<&Message>,
    message_bytes_max: usize,
) -> Result<Frame, ProtocolError> {
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(violation("a reserved bit is set"));
    }
    let mask = header.mask.ok_or(violation("a frame is not masked"))?;
    let kind = match header.opcode {
        OpCode::Data(Data::Text) => Kind::Text,
        OpCode::Data(Data::Binary) => Kind::Binary,
        OpCode::Data(Data::Continue) => Kind::Continuation,
        OpCode::Control(Control::Close) => Kind::Close,
        OpCode::Control(Control::Ping) => Kind::Ping,
        OpCode::Control(Control::Pong) => Kind::Pong,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            return Err(violation("an unknown opcode"));
        }
    };
    let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
    if kind.is_control() {
        if !header.is_final {
            return Err(violation("a control frame is fragmented"));
        }
        if payload_len > CONTROL_BYTES_MAX {
            return Err(violation("a control frame is longer than 125 bytes"));
        }
    } else {
        match (kind, message) {
            (Kind::Continuation, None) => return Err(violation("a continuation without a beginning")),
            (Kind::Text | Kind::Binary, Some(_)) => {
                return Err(violation("a new message inside a fragmented one"));
            }
            _ => {}
        }
        let before = message.map_or(0, |message| message.bytes.len());
        if payload_len > message_bytes_max.saturating_sub(before) {
            return Err(ProtocolError {
                close: CloseCode::TooBig,
                reason: "the message is too big",
            });
        }
    }
    Ok(Frame {
        kind,
        last: header.is_final,
        mask,
        received: 0,
        payload_len,
    })
}
