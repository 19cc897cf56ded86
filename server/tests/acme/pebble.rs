//! Let's Encrypt's own test authority, where it is installed (Debian: `apt install pebble`): it shares no code with the relay
//! or with the testkit, and refuses a nonce now and then.

use crate::NAME;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testkit::relay::free_address;
use testkit::{Options, Stream, TlsClient, until};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn program(name: &str, arguments: &[&str], directory: &Path) -> Option<Program> {
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(directory)
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", "25")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().ok().map(Program)
}

/// Serves what it has to the given ports of the relay.
fn start(at: SocketAddr, http: SocketAddr, tls: SocketAddr, directory: &Path) -> Option<[Program; 2]> {
    let dns = free_address();
    let config = json!({"pebble": {
        "listenAddress": at.to_string(), "managementListenAddress": free_address().to_string(),
        "certificate": "own.pem", "privateKey": "own.key", "httpPort": http.port(), "tlsPort": tls.port(),
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    std::fs::write(directory.join("pebble.json"), config.to_string()).expect("a file");
    let names = [
        "-dns01",
        &dns.to_string(),
        "-http01",
        "",
        "-https01",
        "",
        "-tlsalpn01",
        "",
        "-management",
        &free_address().to_string(),
        "-defaultIPv4",
        &http.ip().to_string(),
        "-defaultIPv6",
        "",
    ];
    let resolver = program("pebble-challtestsrv", &names, directory)?;
    let dns = dns.to_string();
    let authority = program(
        "pebble",
        &["-config", "pebble.json", "-strict", "-dnsserver", &dns],
        directory,
    )?;
    Some([resolver, authority])
}

#[test]
fn pebble_gives_a_certificate_by_either_challenge() {
    for challenge in ["tls-alpn-01", "http-01"] {
        let directory = tempfile::tempdir().expect("a directory");
        let (at, tls) = (free_address(), free_address());
        let own = rcgen::generate_simple_self_signed([at.ip().to_string()]).expect("a certificate");
        let pem = directory.path().join("own.pem");
        std::fs::write(&pem, own.cert.pem()).expect("a file");
        std::fs::write(directory.path().join("own.key"), own.signing_key.serialize_pem()).expect("a file");
        let relay = Options::new(env!("CARGO_BIN_EXE_hookcast"))
            .environment("SSL_CERT_FILE", pem.to_str().expect("UTF-8"))
            .config(&format!(
                "tls.listen = [\"{tls}\"]\ntls.acme_terms_agreed = true\ntls.acme_directory = \"https://{at}/dir\"\n\
                 tls.acme_retry_ms = 100\ntls.acme_challenge = \"{challenge}\"\n\
                 tls.acme_domains = [\"{NAME}\", \"www.{NAME}\"]\ntls.acme_email = \"ops@relay.example\""
            ))
            .start();
        let Some(_running) = start(at, relay.address(), tls, directory.path()) else {
            return eprintln!("pebble is not installed: not tried");
        };
        let client = TlsClient::trusting_anything(NAME);
        let stream = until("a certificate of pebble's", || client.connect(tls).ok());
        let Stream::Tls(session) = &stream else {
            panic!("a TLS client made a plain connection")
        };
        let chain = session.conn.peer_certificates().expect("certificates");
        let (_, certificate) = X509Certificate::from_der(&chain[0]).expect("a certificate");
        assert!(
            certificate.issuer().to_string().contains("Pebble"),
            "{}",
            certificate.issuer()
        );
    }
}
