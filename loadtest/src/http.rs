//! As much of HTTP/1.1 as a load test reads: the head of an answer, and a chunked body.

use memchr::memmem;

/// The head of an answer, once all of it is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Bytes of the head; the body begins there.
    pub bytes: usize,
    pub content_length: Option<usize>,
    pub chunked: bool,
    pub close: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Head(Head),
    More,
    Broken,
}

/// More head than any relay sends.
const HEAD_BYTES_MAX: usize = 16 * 1024;

#[must_use]
pub fn head(bytes: &[u8]) -> Answer {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX {
            Answer::Broken
        } else {
            Answer::More
        };
    };
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else {
        return Answer::Broken;
    };
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1."))
        .and_then(|line| line.get(2..5));
    let Some(status) = status.and_then(|status| status.parse().ok()) else {
        return Answer::Broken;
    };
    let mut head = Head {
        status,
        bytes: end + 4,
        content_length: None,
        chunked: false,
        close: false,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.content_length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            head.close = value.eq_ignore_ascii_case("close");
        }
    }
    Answer::Head(head)
}

/// Takes the chunk headers out of a body that arrives in pieces.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Bytes of the present chunk still to come, its line end included.
    missing: usize,
    /// A chunk's size line that is not whole yet.
    line: Vec<u8>,
    ended: bool,
}

/// A chunk's size line with extensions that nobody sends.
const SIZE_LINE_BYTES_MAX: usize = 256;

impl Chunks {
    /// Appends the body's bytes to `out`. False once the body is over, or is no chunked body.
    pub fn decode(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> bool {
        while !bytes.is_empty() && !self.ended {
            if self.missing > 0 {
                let taken = bytes.len().min(self.missing);
                // The last two bytes of a chunk are its line end.
                let data = taken.min(self.missing.saturating_sub(2));
                out.extend_from_slice(&bytes[..data]);
                self.missing -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            let (line, rest) = match memchr::memchr(b'\n', bytes) {
                Some(end) => bytes.split_at(end + 1),
                None => (bytes, &[][..]),
            };
            self.line.extend_from_slice(line);
            bytes = rest;
            if !self.line.ends_with(b"\n") {
                self.ended = self.line.len() > SIZE_LINE_BYTES_MAX;
                continue;
            }
            let digits = self
                .line
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let size = std::str::from_utf8(&self.line[..digits])
                .ok()
                .and_then(|text| usize::from_str_radix(text, 16).ok());
            self.line.clear();
            match size {
                Some(size) if size > 0 => self.missing = size.saturating_add(2),
                _ => self.ended = true,
            }
        }
        !self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}";
        assert_eq!(head(&bytes[..20]), Answer::More);
        let expected = Head {
            status: 200,
            bytes: 58,
            content_length: Some(11),
            chunked: false,
            close: true,
        };
        assert_eq!(head(bytes), Answer::Head(expected));
        assert_eq!(head(b"SSH-2.0-OpenSSH\r\n\r\n"), Answer::Broken);
    }

    #[test]
    fn chunks_cut_anywhere_give_the_same_body() {
        let body = b"5\r\nhello\r\nb;x=y\r\n, chunked w\r\n4\r\norld\r\n";
        for cut in 0..body.len() {
            let (mut chunks, mut out) = (Chunks::default(), Vec::new());
            assert!(chunks.decode(&body[..cut], &mut out));
            assert!(chunks.decode(&body[cut..], &mut out));
            assert_eq!(out, b"hello, chunked world", "cut at {cut}");
        }
        let (mut chunks, mut out) = (Chunks::default(), Vec::new());
        assert!(!chunks.decode(b"1\r\nx\r\n0\r\n\r\n", &mut out));
    }
}
