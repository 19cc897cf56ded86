//! The command line's own client: where a relay is, a connection to it (TLS or not), and one HTTP request over it.
//!
//! Blocking, with a bound on every wait and every answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::{Host, Url};

use super::CliError;
use crate::config::Config;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: u64 = 64 * 1024;
const HEADERS_MAX: usize = 100;
const BODY_BYTES_MAX: u64 = 4 << 20;

/// A relay's address, path prefix included.
#[derive(Clone, Debug)]
pub struct Target {
    secure: bool,
    host: String,
    port: u16,
    /// Without a trailing slash.
    prefix: String,
}

impl Target {
    pub fn parse(text: &str) -> Result<Target, CliError> {
        let wrong = || {
            CliError::usage(format!(
                "--url takes an address such as http://127.0.0.1:8080, not `{text}`"
            ))
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        let secure = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong()),
        };
        // An IPv6 address stands in brackets in a URL, and without them in a socket address.
        let host = match url.host().ok_or_else(wrong)? {
            Host::Ipv6(ip) => ip.to_string(),
            other => other.to_string(),
        };
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        Ok(Target {
            secure,
            host,
            port,
            prefix: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The relay that these settings describe, on this machine.
    pub fn local(config: &Config) -> Target {
        let address = config.server.listen[0];
        let host = match address.ip() {
            ip if ip.is_unspecified() && ip.is_ipv6() => "::1".to_owned(),
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            ip => ip.to_string(),
        };
        Target {
            secure: false,
            host,
            port: address.port(),
            prefix: config.server.base_path.as_str().to_owned(),
        }
    }

    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// As a resolver takes them.
    pub fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// For people, and for the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let default = if self.secure { 443 } else { 80 };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub fn web_socket_url(&self, path_and_query: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority(), self.path(path_and_query))
    }

    /// A connection to the relay whose reads and writes wait for `timeout` at most.
    pub fn connect(&self, timeout: Duration) -> Result<Stream, CliError> {
        self.dial(timeout).map_err(|e| {
            let advice = match e.kind() {
                io::ErrorKind::ConnectionRefused => ": is the relay running there (`hookcast serve`)?",
                _ => "",
            };
            CliError::failed(format!("cannot connect to {}: {e}{advice}", self.authority()))
        })
    }

    /// The same, to whatever is there.
    pub fn dial(&self, timeout: Duration) -> io::Result<Stream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let mut connected = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(socket) => {
                    connected = Some(socket);
                    break;
                }
                Err(e) => last = e,
            }
        }
        let socket = connected.ok_or(last)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
        if !self.secure {
            return Ok(Stream::Plain(socket));
        }
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| io::Error::other(format!("{} cannot have a certificate", self.host)))?;
        let session = ClientConnection::new(tls_config()?, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// One request to the relay, and the head of its answer.
    pub fn request(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        timeout: Duration,
    ) -> Result<Answer, CliError> {
        let stream = self.connect(timeout)?;
        self.request_over(stream, method, path_and_query, headers, body)
            .map_err(|e| CliError::failed(format!("no answer from {}: {e}", self.authority())))
    }

    /// The same, over a connection that is there.
    pub fn request_over(
        &self,
        mut stream: Stream,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hookcast/{}\r\nConnection: close\r\n",
            self.path(path_and_query),
            self.authority(),
            env!("CARGO_PKG_VERSION")
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(method, "GET" | "HEAD") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()?;
        Answer::read(stream)
    }
}

/// The machine's own certificates, so that a private authority works here as in every other program.
fn tls_config() -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(io::Error::other(
            "no certificate authorities on this machine: install ca-certificates",
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A connection, encrypted or not.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// The other side's own certificate, in DER.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        match self {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream.conn.peer_certificates()?.first()?.to_vec()),
        }
    }

    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.set_read_timeout(Some(timeout)),
            Stream::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buf),
            Stream::Tls(stream) => match stream.read(buf) {
                // Many servers end a connection without the TLS good-bye.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(buf),
            Stream::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// An answer: its head, and its body as it comes.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Answer {
    fn read(stream: Stream) -> io::Result<Answer> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let left = HEAD_BYTES_MAX.saturating_sub(head.len() as u64);
            if (&mut reader).take(left).read_until(b'\n', &mut head)? == 0 {
                let why = if left == 0 {
                    "the head is too large"
                } else {
                    "the connection ended early"
                };
                return Err(invalid(why));
            }
        }
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed
            .parse(&head)
            .map_err(|e| invalid(&format!("not HTTP: {e}")))?;
        let status = parsed.code.ok_or_else(|| invalid("no status"))?;
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|field| {
                (
                    field.name.to_ascii_lowercase(),
                    String::from_utf8_lossy(field.value).into_owned(),
                )
            })
            .collect();
        let named = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let left = if named("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            Left::Chunk(0)
        } else {
            named("content-length")
                .and_then(|n| n.parse().ok())
                .map_or(Left::UntilEnd, Left::Bytes)
        };
        Ok(Answer {
            status,
            headers,
            body: Body { reader, left },
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The whole body; more than 4 MiB is cut.
    pub fn text(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        (&mut self.body).take(BODY_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The body of an answer, whichever way its end is told.
pub struct Body {
    reader: BufReader<Stream>,
    left: Left,
}

enum Left {
    Bytes(u64),
    /// Of the current chunk; 0: a chunk's head comes next.
    Chunk(u64),
    UntilEnd,
    Nothing,
}

impl Body {
    fn chunk_bytes(&mut self) -> io::Result<u64> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a malformed chunk");
        let mut line = String::new();
        // The end of the chunk before is an empty line.
        for _ in 0..2 {
            line.clear();
            (&mut self.reader).take(1024).read_line(&mut line)?;
            if !line.trim().is_empty() {
                break;
            }
        }
        let size = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(size, 16).map_err(|_| invalid())
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunk(0) = self.left {
            self.left = match self.chunk_bytes()? {
                0 => Left::Nothing,
                bytes => Left::Chunk(bytes),
            };
        }
        let max = match self.left {
            Left::Nothing => 0,
            Left::UntilEnd => buf.len(),
            Left::Bytes(left) | Left::Chunk(left) => {
                buf.len().min(usize::try_from(left).unwrap_or(usize::MAX))
            }
        };
        if max == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buf[..max])?;
        if let Left::Bytes(left) | Left::Chunk(left) = &mut self.left {
            *left -= read as u64;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What the client makes of an answer that comes in these pieces.
    fn answer(pieces: &[&[u8]]) -> Result<(u16, io::Result<String>), CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/relay/", listener.local_addr().unwrap());
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = vec![0; 1024];
            let read = socket.read(&mut request).unwrap();
            for piece in pieces {
                // The client may have seen enough and gone.
                let _ = socket.write_all(&piece);
            }
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let target = Target::parse(&url)?;
        let answer = target.request("GET", "/x?a=b", &[("Accept", "y")], b"", Duration::from_secs(30));
        let result = answer.map(|mut answer| (answer.status, answer.text()));
        let request = server.join().unwrap();
        assert!(
            request.starts_with("GET /relay/x?a=b HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
        result
    }

    #[test]
    fn a_body_ends_as_its_head_says() {
        let text = |pieces: &[&[u8]]| answer(pieces).unwrap().1.unwrap();
        assert_eq!(
            text(&[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"]),
            "abc"
        );
        assert_eq!(text(&[b"HTTP/1.1 200 OK\r\n\r\n", b"ab", b"cd"]), "abcd");
        let chunked = &[
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"[..],
            b"c\r\n",
            b"2;x=y\r\nde\r\n0\r\n\r\n",
        ];
        assert_eq!(text(chunked), "abcde");
        assert_eq!(
            answer(&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
                .unwrap()
                .0,
            404
        );
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        const LONG: &[u8] = &[b'a'; 70_000];
        for pieces in [
            &[&b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..]][..],
            &[b""],
            &[b"HTTP/1.1 200 OK\r\nX: "],
            &[b"HTTP/1.1 200 OK\r\nX: ", LONG],
        ] {
            assert!(matches!(answer(pieces), Err(CliError::Failed(_))));
        }
        let broken = answer(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]).unwrap();
        assert!(broken.1.is_err());
    }

    #[test]
    fn an_address_is_parsed_with_its_prefix() {
        let target = Target::parse("https://Relay.example/relay/").unwrap();
        assert_eq!(target.authority(), "relay.example");
        assert_eq!(target.web_socket_url("/ws"), "wss://relay.example/relay/ws");
        assert_eq!(
            Target::parse("http://[::1]:8080").unwrap().authority(),
            "[::1]:8080"
        );
        for wrong in ["relay.example", "ftp://relay.example", "http://"] {
            assert!(matches!(Target::parse(wrong), Err(CliError::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn the_local_relay_is_reached_by_an_address_that_can_be_dialled() {
        let local = |listen: &str| {
            let flags = vec![("server.listen".to_owned(), listen.to_owned())];
            let sources = crate::config::Sources {
                flags,
                ..crate::config::Sources::default()
            };
            Target::local(&sources.load().unwrap()).authority()
        };
        assert_eq!(local("0.0.0.0:81"), "127.0.0.1:81");
        assert_eq!(local("[::]:81,127.0.0.1:82"), "[::1]:81");
        assert_eq!(local("192.0.2.7:80"), "192.0.2.7");
    }
}
