//! As little HTTP as a client can do with, so that a test can also say what no client would.

use crate::{Stream, WAIT};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The stable code of a refusal.
    pub fn error(&self) -> String {
        let json = self.json();
        assert!(
            json["message"].as_str().is_some_and(|text| !text.is_empty()),
            "no message for people in {json}"
        );
        json["error"]
            .as_str()
            .unwrap_or_else(|| panic!("no error code in {json}"))
            .to_owned()
    }
}

pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection of which the kernel takes little that is not read.
pub fn connect_with_small_buffer(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = connect(to)?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096)?;
    Ok(stream)
}

pub fn try_get(to: SocketAddr, path: &str) -> io::Result<Answer> {
    request(to, "GET", path, &[], b"")
}

pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    request_over(
        Stream::Plain(connect(to)?),
        &to.to_string(),
        method,
        path,
        headers,
        body,
    )
}

/// Over a connection that is there, which ends with the answer.
pub fn request_over(
    mut stream: Stream,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    stream.write_all(&head(host, method, path, headers, body.len()))?;
    // A relay that refuses a large body answers before it has read it; what it says counts, not the broken pipe.
    let written = stream.write_all(body);
    read_answer(&mut BufReader::new(stream)).or_else(|error| written.and(Err(error)))
}

fn head(host: &str, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if length > 0 || method == "POST" {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Send bytes as they are; the answers until the relay closes the connection.
pub fn raw(to: SocketAddr, bytes: &[u8]) -> Vec<Answer> {
    let mut stream = connect(to).expect("a connection");
    // The relay may refuse and close before it took everything.
    let _refused_early = stream.write_all(bytes);
    let mut reader = BufReader::new(stream);
    let mut answers = Vec::new();
    while let Ok(answer) = read_answer(&mut reader) {
        answers.push(answer);
    }
    answers
}

/// Status line and header lines.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Answer> {
    let status_line = read_line(reader)?;
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(format!("not a status line: {status_line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(Answer {
                status,
                headers,
                body: Vec::new(),
            });
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| io::Error::other(format!("not a header: {line:?}")))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

pub fn read_answer(reader: &mut impl BufRead) -> io::Result<Answer> {
    let mut answer = read_head(reader)?;
    let chunked = answer
        .header("Transfer-Encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    if chunked {
        while let Some(chunk) = read_chunk(reader)? {
            answer.body.extend(chunk);
        }
    } else if let Some(length) = answer
        .header("Content-Length")
        .and_then(|length| length.parse().ok())
    {
        answer.body = vec![0; length];
        reader.read_exact(&mut answer.body)?;
    } else if !matches!(answer.status, 101 | 204 | 304) {
        reader.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

/// One chunk of a chunked body; nothing at its end.
pub fn read_chunk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let line = read_line(reader)?;
    let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
        .map_err(|_| io::Error::other(format!("not a chunk's length: {line:?}")))?;
    let mut chunk = vec![0; length];
    reader.read_exact(&mut chunk)?;
    read_line(reader)?;
    Ok((length > 0).then_some(chunk))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.by_ref().take(256 * 1024).read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8(line).map_err(io::Error::other)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
