//! TLS in the binary, from outside: rustls in its blocking form on the other end.

mod certificates;
mod doctor;
mod hostile;
mod metrics_listener;
mod sessions;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use testkit::relay::free_address;
use testkit::{Answer, Options, Relay, Site, Sse, TlsClient, Token, Ws, http};

const NAME: &str = "relay.example";

/// A relay that speaks TLS on `address`, beside its plain listener.
struct TlsRelay {
    relay: Relay,
    site: Site,
    address: SocketAddr,
    client: TlsClient,
    files: Files,
}

/// The certificate and the key, as an operator keeps them.
struct Files {
    directory: tempfile::TempDir,
    /// What clients trust: the certificate itself.
    pem: String,
}

impl Files {
    fn new() -> Self {
        let mut files = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            pem: String::new(),
        };
        files.renew();
        files
    }

    fn chain(&self) -> PathBuf {
        self.directory.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// Another certificate for the same name, put in place as renewal tools do.
    fn renew(&mut self) {
        let (pem, key) = self_signed();
        replace(&self.chain(), &pem);
        replace(&self.key(), &key);
        self.pem = pem;
    }

    fn client(&self) -> TlsClient {
        TlsClient::trusting(&self.pem, NAME)
    }

    /// Lines of a configuration file.
    fn config(&self, address: SocketAddr) -> String {
        format!(
            "tls.listen = [\"{address}\"]\ntls.certificate = {:?}\ntls.key = {:?}\ntls.reload_interval_ms = 50\n",
            self.chain(),
            self.key()
        )
    }
}

fn self_signed() -> (String, String) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("a file");
    std::fs::rename(new, path).expect("its place");
}

fn options() -> Options {
    Options::new(env!("CARGO_BIN_EXE_hookcast"))
}

fn start() -> TlsRelay {
    start_with("")
}

fn start_with(config: &str) -> TlsRelay {
    let files = Files::new();
    let address = free_address();
    let relay = options().config(&files.config(address)).config(config).start();
    let site = relay.add_site("https://one.example");
    TlsRelay {
        relay,
        site,
        address,
        client: files.client(),
        files,
    }
}

impl TlsRelay {
    fn ws(&self, token: &Token) -> Ws {
        self.ws_as(&self.client, token)
    }

    fn ws_as(&self, client: &TlsClient, token: &Token) -> Ws {
        let stream = client.connect(self.address).expect("a TLS connection");
        Ws::over(stream, NAME, &format!("/ws?token={}", token.sign()))
    }

    fn sse(&self, token: &Token, channels: &[&str]) -> Sse {
        let stream = self.client.connect(self.address).expect("a TLS connection");
        let path = format!("/sse?token={}&channels={}", token.sign(), channels.join(","));
        let sse = Sse::over(stream, NAME, &path, &[]);
        assert_eq!(sse.head.status, 200, "{:?}", sse.head);
        sse
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let stream = self.client.connect(self.address).expect("a TLS connection");
        http::request_over(stream, NAME, method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn publish(&self, body: &[u8]) -> Answer {
        let signed = self.site.signed_headers(body);
        let headers: Vec<_> = signed
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.request("POST", "/publish", &headers, body)
    }

    /// One number of `/metrics`, summed over the shards.
    fn metric(&self, name: &str) -> u64 {
        let headers = [("Authorization", "Bearer metrics-token")];
        let answer = self.relay.request("GET", "/metrics", &headers, b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        metric(&answer.text(), name)
    }
}

fn metric(text: &str, name: &str) -> u64 {
    let values: Vec<u64> = text
        .lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name))
        .map(|line| {
            line.rsplit(' ')
                .next()
                .expect("a value")
                .parse()
                .expect("a number")
        })
        .collect();
    assert!(!values.is_empty(), "no {name} in {text}");
    values.iter().sum()
}
