//! Certificates that the relay orders by itself, from an authority that is the testkit's: it looks at names as a real one
//! does.

mod first_certificate;
mod hand_over;
mod kept_and_renewed;
mod pebble;
mod trouble;

use std::net::SocketAddr;
use testkit::relay::free_address;
use testkit::{Acme, Options, Relay, Site, Stream, Ws, until};

const NAME: &str = "relay.example";

/// How a relay orders.
struct Case {
    acme: Acme,
    address: SocketAddr,
    lines: String,
}

/// A relay that orders, and speaks TLS on `address` beside its plain listener.
struct Ordering {
    acme: Acme,
    relay: Relay,
    address: SocketAddr,
}

impl Case {
    fn new() -> Self {
        let (acme, address) = (Acme::start(), free_address());
        // Before the relay is there: it may be quick.
        acme.names_lead_to(None, Some(address));
        Self {
            acme,
            address,
            lines: String::new(),
        }
    }

    /// More lines of the configuration.
    fn with(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    fn start(self) -> Ordering {
        self.start_under("")
    }

    fn start_under(self, base_path: &'static str) -> Ordering {
        let names = match self.lines.contains("acme_domains") {
            true => String::new(),
            false => format!("tls.acme_domains = [\"{NAME}\"]\n"),
        };
        let relay = Options::new(env!("CARGO_BIN_EXE_hookcast"))
            .environment("SSL_CERT_FILE", self.acme.pem_file().to_str().expect("UTF-8"))
            .config(&format!(
                "tls.listen = [\"{}\"]\ntls.acme_terms_agreed = true\ntls.acme_directory = \"{}\"\n\
                 tls.acme_retry_ms = 100\nmetrics.token = \"metrics-token\"\n{names}{}",
                self.address,
                self.acme.url(),
                self.lines
            ))
            .start_under(base_path);
        Ordering {
            acme: self.acme,
            relay,
            address: self.address,
        }
    }
}

impl Ordering {
    /// Over TLS, with a certificate that the authority issued.
    fn connect(&self) -> Stream {
        self.connect_as(NAME)
    }

    fn connect_as(&self, name: &str) -> Stream {
        let client = self.acme.client(name);
        until("a connection by TLS", || client.connect(self.address).ok())
    }

    fn ws(&self, site: &Site) -> Ws {
        let token = site.token().v1().sign();
        Ws::over(self.connect(), NAME, &format!("/ws?token={token}"))
    }

    fn metric(&self, name: &str) -> u64 {
        let headers = [("Authorization", "Bearer metrics-token")];
        let text = self.relay.request("GET", "/metrics", &headers, b"").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    fn wait_for_log(&self, words: &str) {
        until(&format!("{words:?} in the log"), || {
            self.relay.log().contains(words).then_some(())
        });
    }
}

/// What the server's certificate says: its serial number.
fn serial(stream: &Stream) -> Vec<u8> {
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let Stream::Tls(session) = stream else {
        panic!("a TLS client made a plain connection")
    };
    let chain = session.conn.peer_certificates().expect("certificates");
    let (_, certificate) = X509Certificate::from_der(&chain[0]).expect("a certificate");
    certificate.raw_serial().to_vec()
}
