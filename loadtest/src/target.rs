//! Where the load goes: `http(s)://host:port/prefix`, resolved once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use rustls::pki_types::ServerName;

#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// The `Host` header.
    pub host: String,
    /// Without a slash at its end; empty for a relay at the root.
    pub prefix: String,
    pub tls: Option<Tls>,
}

#[derive(Clone)]
pub struct Tls {
    pub config: Arc<rustls::ClientConfig>,
    pub name: ServerName<'static>,
}

impl Target {
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("the URL begins with http:// or https://")?;
        let tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            other => {
                return Err(format!(
                    "{other}:// is not a scheme of a relay; use http:// or https://"
                ));
            }
        };
        let (host, prefix) = rest
            .split_once('/')
            .map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let with_port = if name.len() == host.len() {
            format!("{host}:{}", if tls { 443 } else { 80 })
        } else {
            host.to_owned()
        };
        let address = with_port
            .to_socket_addrs()
            .map_err(|error| format!("cannot resolve {host}: {error}"))?
            .next()
            .ok_or_else(|| format!("{host} has no address"))?;
        let tls = tls.then(|| Tls::new(name.trim_matches(['[', ']']))).transpose()?;
        Ok(Self {
            address,
            host: host.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
            tls,
        })
    }
}

impl Tls {
    /// Trusts whom the machine trusts, so that a relay with a private authority can be tested too.
    fn new(name: &str) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("no certificate authorities on this machine: install ca-certificates".to_owned());
        }
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("{name} is no name of a certificate"))?;
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_and_a_port_are_kept() {
        let target = Target::parse("http://127.0.0.1:8080/relay/").unwrap();
        assert_eq!((target.address.port(), target.prefix.as_str()), (8080, "/relay"));
        assert_eq!(target.host, "127.0.0.1:8080");
        assert_eq!(Target::parse("http://127.0.0.1").unwrap().address.port(), 80);
        assert!(Target::parse("127.0.0.1:80").is_err());
        assert!(Target::parse("ftp://127.0.0.1").is_err());
    }
}
