//! Peers that do not speak TLS, or do it badly, cost a handshake's time-out and nothing else.

use crate::{TlsRelay, start, start_with};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use testkit::{http, until};

/// All that the relay sends until it ends the connection; a reset is an end too.
fn until_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the relay keeps the connection: {error}"),
        }
    }
}

fn send(to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = http::connect(to).expect("a connection");
    // The relay may refuse before it took everything.
    let _refused_early = stream.write_all(bytes);
    stream
}

fn still_serves(tls: &TlsRelay) {
    let answer = tls.request("GET", "/healthz", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn garbage_instead_of_a_handshake_ends_the_connection() {
    let tls = start_with("metrics.token = \"metrics-token\"");
    let failures = tls.metric("hookcast_tls_handshake_failures_total");
    let mut client_hello_cut = vec![0x16, 3, 1, 0x40, 0];
    client_hello_cut.extend(vec![0xaa; 0x4000]);
    let garbage: [&[u8]; 5] = [
        b"\0\0\0\0\0\0\0\0",
        &[0xff; 100_000],
        // A record of a length that TLS does not have.
        &[0x16, 3, 1, 0xff, 0xff, 0, 0, 0],
        // A handshake message that is no ClientHello.
        &client_hello_cut,
        // Application data before any handshake.
        &[0x17, 3, 3, 0, 4, 1, 2, 3, 4],
    ];
    for bytes in garbage {
        let _alert = until_the_end(send(tls.address, bytes));
    }
    assert_eq!(
        tls.metric("hookcast_tls_handshake_failures_total") - failures,
        garbage.len() as u64
    );
    still_serves(&tls);
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let tls = start();
    let answers = http::raw(tls.address, b"GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n");
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(
        (answers[0].status, answers[0].error()),
        (400, "tls_required".to_owned())
    );
    still_serves(&tls);
}

#[test]
fn tls_on_the_plain_port_is_refused_by_http() {
    let tls = start();
    assert!(tls.client.connect(tls.relay.address()).is_err());
    still_serves(&tls);
}

#[test]
fn a_handshake_that_never_ends_is_ended() {
    let tls = start_with("http.handshake_timeout_ms = 300");
    let silent = http::connect(tls.address).expect("a connection");
    // The beginning of a ClientHello, and no more.
    let half = send(tls.address, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    until_the_end(silent);
    until_the_end(half);
    still_serves(&tls);
}

#[test]
fn a_request_that_never_comes_after_the_handshake_is_ended() {
    let tls = start_with("http.head_timeout_ms = 300");
    let mut stream = tls.client.connect(tls.address).expect("a TLS connection");
    let mut rest = Vec::new();
    // The answer that says why, over TLS; the end behind it is not the polite one.
    let _cut = stream.read_to_end(&mut rest);
    assert!(
        rest.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

#[test]
fn many_that_hang_in_the_handshake_do_not_keep_others_out() {
    let tls = start();
    let hanging: Vec<_> = (0..200).map(|_| send(tls.address, &[0x16, 3, 1, 2, 0])).collect();
    for _ in 0..20 {
        still_serves(&tls);
    }
    drop(hanging);
}

#[test]
fn bytes_damaged_under_way_end_the_session() {
    let tls = start();
    let mut socket = tls.ws(&tls.site.token().v1());
    socket.subscribe(&["events"]);
    let mut tcp = socket.stream().try_clone().expect("a second handle");
    // A record that nobody signed.
    let mut record = vec![0x17, 3, 3, 0, 64];
    record.extend([0x55; 64]);
    tcp.write_all(&record).expect("sent");
    until("the session to end", || {
        (tls.relay.active_connections(&tls.site) == 0).then_some(())
    });
    still_serves(&tls);
}
