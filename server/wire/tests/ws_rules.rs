//! One rule of RFC 6455 (or of our own bounds) a test.

mod support;

use support::*;
use wire::ws::{Decoder, EMPTY_FRAGMENTS_MAX, Event, Input};

const MAX: usize = 1 << 16;

#[test]
fn a_text_frame_is_text() {
    assert_eq!(decode(MAX, &text("Grüße")), [Seen::Text("Grüße".into())]);
}

#[test]
fn frames_in_one_buffer_come_out_one_by_one() {
    let bytes = wire_bytes(&[
        text("a"),
        ping("p"),
        binary([0, 255]),
        frame(FIN | PONG, "q"),
        text(""),
    ]);
    let expected = [
        Seen::Text("a".into()),
        Seen::Ping(b"p".to_vec()),
        Seen::Binary(vec![0, 255]),
        Seen::Pong(b"q".to_vec()),
        Seen::Text(String::new()),
    ];
    assert_eq!(decode(MAX, &bytes), expected);
}

#[test]
fn a_whole_frame_is_lent_from_the_buffer_without_a_copy() {
    let mut scratch = wire_bytes(&[text("in place"), binary("too")]);
    let range = scratch.as_ptr_range();
    let mut input = Input::new(&mut scratch);
    let mut decoder = Decoder::new(MAX);
    for _ in 0..2 {
        let event = decoder.next(&mut input).unwrap().unwrap();
        let (Event::Text(_) | Event::Binary(_)) = event else {
            panic!("{event:?}")
        };
        let lent = match event {
            Event::Text(text) => text.as_ptr(),
            Event::Binary(bytes) => bytes.as_ptr(),
            other => panic!("{other:?}"),
        };
        assert!(range.contains(&lent), "the event lies in the caller's buffer");
    }
    assert!(decoder.is_idle());
}

#[test]
fn an_idle_decoder_is_small_and_holds_no_buffer() {
    assert!(size_of::<Decoder>() <= 32, "{} bytes", size_of::<Decoder>());
    let mut decoder = Decoder::new(MAX);
    let message = [
        frame(TEXT, "a"),
        frame(CONTINUATION, "b"),
        ping(""),
        frame(FIN | CONTINUATION, "c"),
    ]
    .concat();
    for byte in message {
        feed(&mut decoder, &[byte]);
    }
    assert!(decoder.is_idle(), "everything was given out, nothing is kept");
}

#[test]
fn a_message_in_fragments_is_one_message() {
    let bytes = wire_bytes(&[
        frame(TEXT, "Hel"),
        frame(CONTINUATION, "l"),
        frame(FIN | CONTINUATION, "o"),
    ]);
    assert_eq!(decode(MAX, &bytes), [Seen::Text("Hello".into())]);
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = wire_bytes(&[frame(BINARY, "a"), ping("now"), frame(FIN | CONTINUATION, "b")]);
    assert_eq!(
        decode(MAX, &bytes),
        [Seen::Ping(b"now".to_vec()), Seen::Binary(b"ab".to_vec())]
    );
}

#[test]
fn an_unmasked_frame_is_refused() {
    assert_eq!(decode(MAX, b"\x81\x02hi"), [Seen::Error(1002)]);
    assert_eq!(decode(MAX, b"\x81\x00"), [Seen::Error(1002)]);
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x40, 0x20, 0x10, 0x70] {
        assert_eq!(
            decode(MAX, &frame(FIN | bit | TEXT, "x")),
            [Seen::Error(1002)],
            "{bit:#x}"
        );
        assert_eq!(
            decode(MAX, &frame(FIN | bit | PING, "x")),
            [Seen::Error(1002)],
            "{bit:#x}"
        );
    }
}

#[test]
fn unknown_opcodes_are_refused() {
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        assert_eq!(
            decode(MAX, &frame(FIN | opcode, "x")),
            [Seen::Error(1002)],
            "{opcode:#x}"
        );
    }
}

#[test]
fn a_control_frame_is_at_most_125_bytes_long() {
    for opcode in [PING, PONG, CLOSE] {
        assert_eq!(
            decode(MAX, &frame(FIN | opcode, [b'x'; 126])),
            [Seen::Error(1002)]
        );
    }
    assert_eq!(decode(MAX, &ping([7; 125])), [Seen::Ping(vec![7; 125])]);
}

#[test]
fn a_control_frame_is_not_fragmented() {
    for opcode in [PING, PONG, CLOSE] {
        assert_eq!(decode(MAX, &frame(opcode, "")), [Seen::Error(1002)]);
    }
}

#[test]
fn a_continuation_needs_a_beginning() {
    assert_eq!(decode(MAX, &frame(CONTINUATION, "x")), [Seen::Error(1002)]);
    assert_eq!(decode(MAX, &frame(FIN | CONTINUATION, "x")), [Seen::Error(1002)]);
    let after_the_end = wire_bytes(&[
        frame(TEXT, "a"),
        frame(FIN | CONTINUATION, "b"),
        frame(FIN | CONTINUATION, "c"),
    ]);
    assert_eq!(
        decode(MAX, &after_the_end),
        [Seen::Text("ab".into()), Seen::Error(1002)]
    );
}

#[test]
fn a_fragmented_message_ends_before_the_next_begins() {
    for opcode in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
        let bytes = wire_bytes(&[frame(TEXT, "a"), frame(opcode, "b")]);
        assert_eq!(decode(MAX, &bytes), [Seen::Error(1002)], "{opcode:#x}");
    }
}

#[test]
fn a_length_is_in_its_shortest_form() {
    for head in [
        &b"\x81\xfe\x00\x05"[..],
        b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05",
    ] {
        assert_eq!(
            decode(MAX, &[head, b"\0\0\0\0Hello"].concat()),
            [Seen::Error(1002)]
        );
    }
}

#[test]
fn the_size_is_refused_from_the_head_alone() {
    let head_only = |len: u64| [&[FIN | BINARY, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat();
    for len in [MAX as u64 + 1, u64::from(u32::MAX), u64::MAX / 2, u64::MAX] {
        let mut decoder = Decoder::new(MAX);
        assert_eq!(feed(&mut decoder, &head_only(len)), [Seen::Error(1009)], "{len}");
    }
    assert_eq!(decode(MAX, &head_only(MAX as u64)), []);
    assert_eq!(decode(MAX, &binary(vec![1; MAX])), [Seen::Binary(vec![1; MAX])]);
}

#[test]
fn the_size_of_a_fragmented_message_is_its_sum() {
    let half = vec![b'x'; MAX / 2];
    let whole = wire_bytes(&[frame(TEXT, &half), frame(FIN | CONTINUATION, &half)]);
    assert_eq!(decode(MAX, &whole), [Seen::Text("x".repeat(MAX))]);
    let over = wire_bytes(&[
        frame(TEXT, &half),
        frame(CONTINUATION, &half),
        frame(FIN | CONTINUATION, "y"),
    ]);
    assert_eq!(decode(MAX, &over), [Seen::Error(1009)]);
}

#[test]
fn empty_fragments_do_not_go_on_for_ever() {
    let empty = frame(CONTINUATION, "");
    let mut decoder = Decoder::new(MAX);
    assert_eq!(feed(&mut decoder, &frame(TEXT, "a")), []);
    for _ in 0..EMPTY_FRAGMENTS_MAX {
        assert_eq!(feed(&mut decoder, &empty), []);
    }
    assert_eq!(feed(&mut decoder, &empty), [Seen::Error(1008)]);
}

#[test]
fn empty_fragments_up_to_the_bound_are_fine() {
    let mut frames = vec![frame(TEXT, "")];
    frames.extend((1..EMPTY_FRAGMENTS_MAX).map(|_| frame(CONTINUATION, "")));
    frames.push(frame(FIN | CONTINUATION, "end"));
    assert_eq!(decode(MAX, &wire_bytes(&frames)), [Seen::Text("end".into())]);
}

#[test]
fn many_small_fragments_are_one_message() {
    let mut frames = vec![frame(TEXT, "x")];
    frames.extend((0..5000).map(|_| frame(CONTINUATION, "x")));
    frames.push(frame(FIN | CONTINUATION, ""));
    assert_eq!(decode(MAX, &wire_bytes(&frames)), [Seen::Text("x".repeat(5001))]);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    assert_eq!(decode(MAX, &text(b"ab\xff")), [Seen::Error(1007)]);
    assert_eq!(decode(MAX, &text(b"\xe2\x82")), [Seen::Error(1007)]);
    assert_eq!(decode(MAX, &binary(b"\xff")), [Seen::Binary(vec![0xff])]);
}

#[test]
fn a_character_may_be_cut_between_fragments() {
    let euro = "€".as_bytes();
    let bytes = wire_bytes(&[
        frame(TEXT, &euro[..1]),
        frame(CONTINUATION, &euro[1..2]),
        ping(""),
        frame(FIN | CONTINUATION, &euro[2..]),
    ]);
    assert_eq!(decode(MAX, &bytes), [Seen::Ping(vec![]), Seen::Text("€".into())]);
}

#[test]
fn a_character_left_incomplete_at_the_end_is_refused() {
    let bytes = wire_bytes(&[frame(TEXT, "a"), frame(FIN | CONTINUATION, b"\xe2\x82")]);
    assert_eq!(decode(MAX, &bytes), [Seen::Error(1007)]);
}

#[test]
fn bad_utf8_is_refused_before_the_message_ends() {
    let mut decoder = Decoder::new(MAX);
    assert_eq!(
        feed(&mut decoder, &frame(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83")),
        []
    );
    // F4 90 would be beyond the last code point: nothing that follows can mend it.
    assert_eq!(feed(&mut decoder, &frame(CONTINUATION, b"\xf4")), []);
    assert_eq!(
        feed(&mut decoder, &frame(CONTINUATION, b"\x90")),
        [Seen::Error(1007)]
    );
}

#[test]
fn bad_utf8_is_refused_inside_a_frame_that_is_still_arriving() {
    let bytes = text([b"good \xff".as_slice(), &[b'x'; 100]].concat());
    let mut decoder = Decoder::new(MAX);
    assert_eq!(feed(&mut decoder, &bytes[..8]), []);
    assert_eq!(feed(&mut decoder, &bytes[8..14]), [Seen::Error(1007)]);
}

#[test]
fn close_says_its_code_and_reason() {
    assert_eq!(
        decode(MAX, &close(1000, "bye")),
        [Seen::Close(Some(1000), "bye".into())]
    );
    assert_eq!(
        decode(MAX, &frame(FIN | CLOSE, "")),
        [Seen::Close(None, String::new())]
    );
}

#[test]
fn close_codes_that_must_not_be_sent_are_refused() {
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        assert_eq!(decode(MAX, &close(code, "")), [Seen::Error(1002)], "{code}");
    }
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ] {
        assert_eq!(
            decode(MAX, &close(code, "")),
            [Seen::Close(Some(code), String::new())],
            "{code}"
        );
    }
}

#[test]
fn half_a_close_code_is_refused() {
    assert_eq!(decode(MAX, &frame(FIN | CLOSE, [3])), [Seen::Error(1002)]);
}

#[test]
fn a_close_reason_is_utf8() {
    assert_eq!(decode(MAX, &close(1000, b"\xff")), [Seen::Error(1007)]);
}

#[test]
fn nothing_follows_a_close_or_an_error() {
    assert_eq!(
        decode(
            MAX,
            &[close(1000, ""), text("late"), frame(FIN | 0x3, "")].concat()
        ),
        [Seen::Close(Some(1000), "".into())]
    );
    let mut decoder = Decoder::new(MAX);
    assert_eq!(
        feed(
            &mut decoder,
            &[frame(TEXT, "a"), frame(FIN | 0x3, ""), text("late")].concat()
        ),
        [Seen::Error(1002)]
    );
    assert_eq!(feed(&mut decoder, &text("later")), []);
    assert!(decoder.is_idle(), "a broken connection keeps nothing");
}

#[test]
fn a_session_stops_in_the_middle_of_a_buffer_and_goes_on() {
    let mut scratch = wire_bytes(&[text("one"), text("two"), frame(TEXT, "th")]);
    let mut decoder = Decoder::new(MAX);
    {
        let mut input = Input::new(&mut scratch);
        assert_eq!(decoder.next(&mut input).unwrap(), Some(Event::Text("one")));
        decoder.save_rest(&mut input);
        assert!(input.is_empty());
    }
    assert!(decoder.has_saved());
    scratch.fill(0);

    let mut empty = Input::new(&mut []);
    assert_eq!(decoder.next(&mut empty).unwrap(), Some(Event::Text("two")));
    decoder.save_rest(&mut empty);
    assert_eq!(decoder.next(&mut empty).unwrap(), None);
    assert!(!decoder.has_saved());
    assert_eq!(
        feed(&mut decoder, &frame(FIN | CONTINUATION, "ree")),
        [Seen::Text("three".into())]
    );
}

#[test]
fn saved_input_comes_before_new_input() {
    let mut decoder = Decoder::new(MAX);
    let mut first = wire_bytes(&[text("1"), text("2"), text("3")]);
    let mut input = Input::new(&mut first);
    assert_eq!(decoder.next(&mut input).unwrap(), Some(Event::Text("1")));
    decoder.save_rest(&mut input);
    let mut second = text("4");
    let mut input = Input::new(&mut second);
    assert_eq!(decoder.next(&mut input).unwrap(), Some(Event::Text("2")));
    decoder.save_rest(&mut input);
    let mut empty = Input::new(&mut []);
    assert_eq!(decoder.next(&mut empty).unwrap(), Some(Event::Text("3")));
    assert_eq!(decoder.next(&mut empty).unwrap(), Some(Event::Text("4")));
    assert_eq!(decoder.next(&mut empty).unwrap(), None);
}
