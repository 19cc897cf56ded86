//! The cases of the Autobahn test suite, sections 1 to 7, 9 and 10, as a table: what its client sends and what a server that
//! echoes must make of it. It stands in where the suite itself cannot run, and says by a case's number which rule broke.
//!
//! The numbers are Autobahn's. Its cases that differ only in how long they wait, or in echo timing, are not repeated.

mod support;

use support::*;

const MAX: usize = 1 << 24;

/// What the client sends and what must be heard.
struct Case {
    id: String,
    /// Separate writes: each is decoded before the next one is there.
    writes: Vec<Vec<u8>>,
    heard: Vec<Seen>,
}

fn case(id: impl Into<String>, writes: Vec<Vec<u8>>, heard: Vec<Seen>) -> Case {
    Case {
        id: id.into(),
        writes,
        heard,
    }
}

fn error(code: u16) -> Vec<Seen> {
    vec![Seen::Error(code)]
}

fn texts(all: &[&str]) -> Vec<Seen> {
    all.iter().map(|text| Seen::Text((*text).to_owned())).collect()
}

#[test]
fn framing_1() {
    let sizes = [0, 125, 126, 127, 128, 65_535, 65_536];
    let mut cases = Vec::new();
    for (place, size) in sizes.into_iter().enumerate() {
        let payload = vec![b'*'; size];
        cases.push(case(
            format!("1.1.{}", place + 1),
            vec![text(&payload)],
            texts(&["*".repeat(size).as_str()]),
        ));
        let payload = vec![0xfe; size];
        cases.push(case(
            format!("1.2.{}", place + 1),
            vec![binary(&payload)],
            vec![Seen::Binary(payload)],
        ));
    }
    let chopped = |bytes: Vec<u8>| bytes.chunks(997).map(<[u8]>::to_vec).collect();
    cases.push(case(
        "1.1.8",
        chopped(text(vec![b'*'; 65_536])),
        texts(&["*".repeat(65_536).as_str()]),
    ));
    cases.push(case(
        "1.2.8",
        chopped(binary(vec![0xfe; 65_536])),
        vec![Seen::Binary(vec![0xfe; 65_536])],
    ));
    check(cases);
}

#[test]
fn pings_and_pongs_2() {
    let bytes = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff".to_vec();
    let ten: Vec<_> = (0..10).map(|n| format!("payload-{n}")).collect();
    let pings: Vec<u8> = ten.iter().flat_map(ping).collect();
    let heard: Vec<_> = ten
        .iter()
        .map(|payload| Seen::Ping(payload.clone().into_bytes()))
        .collect();
    check(vec![
        case("2.1", vec![ping("")], vec![Seen::Ping(vec![])]),
        case(
            "2.2",
            vec![ping("Hello, world!")],
            vec![Seen::Ping(b"Hello, world!".to_vec())],
        ),
        case("2.3", vec![ping(&bytes)], vec![Seen::Ping(bytes)]),
        case("2.4", vec![ping([0xfe; 125])], vec![Seen::Ping(vec![0xfe; 125])]),
        case("2.5", vec![ping([0xfe; 126])], error(1002)),
        case(
            "2.6",
            one_byte_at_a_time(&ping([0xfe; 125])),
            vec![Seen::Ping(vec![0xfe; 125])],
        ),
        case("2.7", vec![frame(FIN | PONG, "")], vec![Seen::Pong(vec![])]),
        case(
            "2.8",
            vec![frame(FIN | PONG, "unsolicited")],
            vec![Seen::Pong(b"unsolicited".to_vec())],
        ),
        case(
            "2.9",
            vec![frame(FIN | PONG, "unsolicited"), ping("ping payload")],
            vec![
                Seen::Pong(b"unsolicited".to_vec()),
                Seen::Ping(b"ping payload".to_vec()),
            ],
        ),
        case("2.10", vec![pings.clone()], heard.clone()),
        case("2.11", one_byte_at_a_time(&pings), heard),
    ]);
}

#[test]
fn reserved_bits_3() {
    let hello = "Hello, world!";
    let with = |bits: u8, opcode: u8| frame(FIN | bits << 4 | opcode, hello);
    let echo_then_error = || vec![Seen::Text(hello.into()), Seen::Error(1002)];
    check(vec![
        case("3.1", vec![with(1, TEXT)], error(1002)),
        case(
            "3.2",
            vec![text(hello), with(2, TEXT), ping("")],
            echo_then_error(),
        ),
        case(
            "3.3",
            vec![[text(hello), with(3, TEXT), ping("")].concat()],
            echo_then_error(),
        ),
        case(
            "3.4",
            one_byte_at_a_time(&[text(hello), with(4, TEXT), ping("")].concat()),
            echo_then_error(),
        ),
        case("3.5", vec![with(5, BINARY)], error(1002)),
        case("3.6", vec![with(6, PING)], error(1002)),
        case("3.7", vec![with(7, CLOSE)], error(1002)),
    ]);
}

#[test]
fn opcodes_4() {
    let mut cases = Vec::new();
    for (section, first) in [(1, 3u8), (2, 11)] {
        for step in 0..5 {
            let bad = frame(
                FIN | (first + step),
                if step % 2 == 0 {
                    ""
                } else {
                    "reserved opcode payload"
                },
            );
            let id = format!("4.{section}.{}", step + 1);
            cases.push(case(format!("{id} alone"), vec![bad.clone()], error(1002)));
            let heard = vec![Seen::Text("Hello, world!".into()), Seen::Error(1002)];
            cases.push(case(
                id,
                one_byte_at_a_time(&[text("Hello, world!"), bad, ping("")].concat()),
                heard,
            ));
        }
    }
    check(cases);
}

#[test]
fn fragmentation_5() {
    let (start, middle, end) = (TEXT, CONTINUATION, FIN | CONTINUATION);
    let two = || vec![frame(start, "fragment1"), frame(end, "fragment2")];
    let around = |between: Vec<u8>| vec![frame(start, "fragment1"), between, frame(end, "fragment2")];
    let joined = || texts(&["fragment1fragment2"]);
    let with_ping = || {
        vec![
            Seen::Ping(b"ping payload".to_vec()),
            Seen::Text("fragment1fragment2".into()),
        ]
    };
    let together = |writes: Vec<Vec<u8>>| vec![writes.concat()];
    let bytewise = |writes: Vec<Vec<u8>>| one_byte_at_a_time(&writes.concat());
    let five = || {
        vec![
            frame(start, "fragment1"),
            frame(middle, "fragment2"),
            ping("pongme 1!"),
            frame(middle, "fragment3"),
            frame(middle, "fragment4"),
            ping("pongme 2!"),
            frame(end, "fragment5"),
        ]
    };
    let five_heard = || {
        vec![
            Seen::Ping(b"pongme 1!".to_vec()),
            Seen::Ping(b"pongme 2!".to_vec()),
            Seen::Text("fragment1fragment2fragment3fragment4fragment5".into()),
        ]
    };
    let lone = |first: u8| vec![frame(first, "non-continuation payload"), text("Hello, world!")];
    check(vec![
        case(
            "5.1",
            vec![frame(PING, "fragment1"), frame(end, "fragment2")],
            error(1002),
        ),
        case(
            "5.2",
            vec![frame(PONG, "fragment1"), frame(end, "fragment2")],
            error(1002),
        ),
        case("5.3", two(), joined()),
        case("5.4", together(two()), joined()),
        case("5.5", bytewise(two()), joined()),
        case("5.6", around(ping("ping payload")), with_ping()),
        case("5.7", together(around(ping("ping payload"))), with_ping()),
        case("5.8", bytewise(around(ping("ping payload"))), with_ping()),
        case("5.9", lone(end), error(1002)),
        case("5.10", together(lone(end)), error(1002)),
        case("5.11", bytewise(lone(end)), error(1002)),
        case("5.12", lone(middle), error(1002)),
        case("5.13", together(lone(middle)), error(1002)),
        case("5.14", bytewise(lone(middle)), error(1002)),
        case(
            "5.15",
            [two(), vec![frame(middle, "fragment3"), text("fragment4")]].concat(),
            [joined(), error(1002)].concat(),
        ),
        case(
            "5.16",
            [lone(middle), two(), lone(middle), two()].concat(),
            error(1002),
        ),
        case("5.17", [lone(end), two()].concat(), error(1002)),
        case(
            "5.18",
            vec![frame(start, "fragment1"), frame(FIN | TEXT, "fragment2")],
            error(1002),
        ),
        case("5.19", five(), five_heard()),
        case("5.20", together(five()), five_heard()),
    ]);
}

#[test]
fn utf8_across_frames_6_1_to_6_4() {
    let (start, middle, end) = (TEXT, CONTINUATION, FIN | CONTINUATION);
    let mixed = "Hello-µ@ßöäüàá-UTF-8!!";
    let split = |at: usize| {
        vec![
            frame(start, &mixed.as_bytes()[..at]),
            frame(end, &mixed.as_bytes()[at..]),
        ]
    };
    let bytewise_frames: Vec<_> = mixed
        .bytes()
        .map(|byte| frame(middle, [byte]))
        .chain([frame(end, "")])
        .collect();
    let mut each_byte = vec![frame(start, "")];
    each_byte.extend(bytewise_frames);
    // κόσμε, then a code point beyond the last one, then text that no longer matters.
    let (good, bad, rest) = (
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"[..],
        &b"\xf4\x90\x80\x80"[..],
        b"edited",
    );
    let whole = [good, bad, rest].concat();
    let inside_one_frame = |cuts: &[usize]| {
        let bytes = text(&whole);
        let head = bytes.len() - whole.len();
        let mut writes = Vec::new();
        let mut from = 0;
        for cut in cuts {
            writes.push(bytes[from..head + cut].to_vec());
            from = head + cut;
        }
        // The rest of the frame is never sent: the error has to come without it.
        writes
    };
    let three = |at: [usize; 2]| vec![frame(start, &whole[..at[0]]), frame(middle, &whole[at[0]..at[1]])];
    check(vec![
        case("6.1.1", vec![text("")], texts(&[""])),
        case(
            "6.1.2",
            vec![frame(start, ""), frame(middle, ""), frame(end, "")],
            texts(&[""]),
        ),
        case(
            "6.1.3",
            vec![
                frame(start, ""),
                frame(middle, "middle frame payload"),
                frame(end, ""),
            ],
            texts(&["middle frame payload"]),
        ),
        case("6.2.1", vec![text(mixed)], texts(&[mixed])),
        case("6.2.2", split(13), texts(&[mixed])),
        case("6.2.3", each_byte, texts(&[mixed])),
        case("6.2.4", one_byte_at_a_time(&text("κόσμε")), texts(&["κόσμε"])),
        case(
            "6.3.1",
            vec![text(
                b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
            )],
            error(1007),
        ),
        case(
            "6.3.2",
            one_byte_at_a_time(&text(
                b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
            )),
            error(1007),
        ),
        case("6.4.1", three([11, 15]), error(1007)),
        case("6.4.2", three([12, 13]), error(1007)),
        case("6.4.3", inside_one_frame(&[11, 15]), error(1007)),
        case("6.4.4", inside_one_frame(&[12, 13]), error(1007)),
    ]);
}

/// Markus Kuhn's UTF-8 stress test, by Autobahn's sections: the sequences that are text, and those that are not.
const UTF8: &[(&str, bool, &[&[u8]])] = &[
    ("6.5", true, &[b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"]),
    ("6.5", false, &[b"\xce", b"\xce\xba\xe1", b"\xce\xba\xe1\xbd", b"\xce\xba\xe1\xbd\xb9\xcf"]),
    ("6.6", true, &[b"\xce\xba", b"\xce\xba\xe1\xbd\xb9", b"\xce\xba\xe1\xbd\xb9\xcf\x83"]),
    ("6.7", true, &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]),
    ("6.8", false, &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
    ("6.9", true, &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]),
    ("6.10", false, &[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
    ("6.11", true, &[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"]),
    ("6.11", false, &[b"\xf4\x90\x80\x80"]),
    (
        "6.12",
        false,
        &[b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf", b"\x80\xbf\x80\xbf\x80", b"\x80\xbf\x80\xbf\x80\xbf"],
    ),
    ("6.13", false, &[b"\xc0 \xc1 \xc2 \xdf ", b"\xe0 \xe1 \xef ", b"\xf0 \xf1 \xf7 ", b"\xf8 \xf9 \xfb ", b"\xfc \xfd "]),
    (
        "6.14",
        false,
        &[
            b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf",
            b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf",
        ],
    ),
    ("6.15", false, &[b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"]),
    ("6.16", false, &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    ("6.17", false, &[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"]),
    ("6.18", false, &[b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"]),
    ("6.19", false, &[b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"]),
    (
        "6.20",
        false,
        &[
            b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf",
        ],
    ),
    (
        "6.21",
        false,
        &[
            b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xa0\x80\xed\xbf\xbf", b"\xed\xad\xbf\xed\xb0\x80", b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80", b"\xed\xae\x80\xed\xbf\xbf", b"\xed\xaf\xbf\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
    ),
    ("6.22", true, &[b"\xef\xbf\xbe", b"\xef\xbf\xbf"]),
    ("6.23", true, &[b"\xef\xbf\xbd", b"\xf0\x9f\xbf\xbe", b"\xf0\xbf\xbf\xbf", b"\xf3\xaf\xbf\xbe", b"\xf4\x8f\xbf\xbe"]),
];

#[test]
fn utf8_sequences_6_5_to_6_23() {
    for (section, is_text, sequences) in UTF8 {
        for (place, sequence) in sequences.iter().enumerate() {
            let heard = match str::from_utf8(sequence) {
                Ok(text) => texts(&[text]),
                Err(_) => error(1007),
            };
            assert_eq!(
                *is_text,
                heard != error(1007),
                "the table itself is wrong: {section}.{}",
                place + 1
            );
            let halves = sequence.split_at(sequence.len() / 2);
            check(vec![
                case(
                    format!("{section}.{}", place + 1),
                    vec![text(sequence)],
                    heard.clone(),
                ),
                case(
                    format!("{section}.{} bytewise", place + 1),
                    one_byte_at_a_time(&text(sequence)),
                    heard.clone(),
                ),
                case(
                    format!("{section}.{} fragmented", place + 1),
                    vec![[frame(TEXT, halves.0), frame(FIN | CONTINUATION, halves.1)].concat()],
                    heard,
                ),
            ]);
        }
    }
}

#[test]
fn closing_7() {
    let closed = |code: u16, reason: &str| vec![Seen::Close(Some(code), reason.to_owned())];
    let longest = "*".repeat(123);
    let mut cases = vec![
        case(
            "7.1.1",
            vec![text("Hello World!"), close(1000, "")],
            [texts(&["Hello World!"]), closed(1000, "")].concat(),
        ),
        case("7.1.2", vec![close(1000, ""), close(1000, "")], closed(1000, "")),
        case("7.1.3", vec![close(1000, ""), ping("")], closed(1000, "")),
        case(
            "7.1.4",
            vec![close(1000, ""), text("Hello World!")],
            closed(1000, ""),
        ),
        case(
            "7.1.5",
            vec![
                frame(TEXT, "fragment1"),
                close(1000, ""),
                frame(FIN | CONTINUATION, "fragment2"),
            ],
            closed(1000, ""),
        ),
        case(
            "7.1.6",
            vec![
                text(vec![b'B'; 1 << 18]),
                text("Hello World!"),
                close(1000, ""),
                ping(""),
            ],
            [
                texts(&["B".repeat(1 << 18).as_str(), "Hello World!"]),
                closed(1000, ""),
            ]
            .concat(),
        ),
        case(
            "7.3.1",
            vec![frame(FIN | CLOSE, "")],
            vec![Seen::Close(None, String::new())],
        ),
        case("7.3.2", vec![frame(FIN | CLOSE, "a")], error(1002)),
        case("7.3.3", vec![close(1000, "")], closed(1000, "")),
        case(
            "7.3.4",
            vec![close(1000, "Hello World!")],
            closed(1000, "Hello World!"),
        ),
        case("7.3.5", vec![close(1000, &longest)], closed(1000, &longest)),
        case("7.3.6", vec![close(1000, "*".repeat(124))], error(1002)),
        case(
            "7.5.1",
            vec![close(
                1000,
                b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
            )],
            error(1007),
        ),
    ];
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ];
    for (place, code) in valid.into_iter().enumerate() {
        cases.push(case(
            format!("7.7.{}", place + 1),
            vec![close(code, "")],
            closed(code, ""),
        ));
    }
    for (place, code) in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
        .into_iter()
        .enumerate()
    {
        cases.push(case(
            format!("7.9.{}", place + 1),
            vec![close(code, "")],
            error(1002),
        ));
    }
    for (place, code) in [5000, 65535].into_iter().enumerate() {
        cases.push(case(
            format!("7.13.{}", place + 1),
            vec![close(code, "")],
            error(1002),
        ));
    }
    check(cases);
}

#[test]
fn limits_9_and_10() {
    let mib = 1 << 20;
    let body = vec![b'*'; 4 * mib];
    let in_fragments = |opcode: u8, size: usize| {
        let mut opcode = opcode;
        let last = body.chunks(size).len() - 1;
        let mut writes = Vec::new();
        for (place, part) in body.chunks(size).enumerate() {
            writes.push(frame(if place == last { FIN } else { 0 } | opcode, part));
            opcode = CONTINUATION;
        }
        writes
    };
    let as_text = || texts(&["*".repeat(4 * mib).as_str()]);
    let as_binary = || vec![Seen::Binary(body.clone())];
    let chopped = |bytes: Vec<u8>, size: usize| bytes.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    check(vec![
        case("9.1.4", vec![text(&body)], as_text()),
        case(
            "9.1.6",
            vec![text(vec![b'*'; 16 * mib])],
            texts(&["*".repeat(16 * mib).as_str()]),
        ),
        case("9.2.4", vec![binary(&body)], as_binary()),
        case("9.3.1", in_fragments(TEXT, 64), as_text()),
        case("9.3.5", in_fragments(TEXT, 16 * 1024), as_text()),
        case("9.4.1", in_fragments(BINARY, 64), as_binary()),
        case(
            "9.5.1",
            chopped(text(&body[..mib]), 64),
            texts(&["*".repeat(mib).as_str()]),
        ),
        case(
            "9.6.1",
            chopped(binary(&body[..mib]), 64),
            vec![Seen::Binary(body[..mib].to_vec())],
        ),
        case(
            "9.7",
            vec![text("*").repeat(1000)],
            vec![Seen::Text("*".into()); 1000],
        ),
        case("10.1.1", in_fragments(TEXT, 1300), as_text()),
    ]);
}

fn one_byte_at_a_time(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.iter().map(|byte| vec![*byte]).collect()
}

fn check(cases: Vec<Case>) {
    for Case { id, writes, heard } in cases {
        let seen = decode_in_chunks(MAX, writes.iter().map(Vec::as_slice));
        assert!(
            seen == heard,
            "case {id}: heard {:?}, expected {:?}",
            brief(&seen),
            brief(&heard)
        );
    }
}

/// Long payloads would bury the message.
fn brief(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .map(|seen| format!("{seen:?}").chars().take(80).collect())
        .collect()
}
