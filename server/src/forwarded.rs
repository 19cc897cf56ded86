//! Who asks, behind how many proxies: `X-Forwarded-For` and `X-Forwarded-Proto`, believed from trusted proxies only.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::connection::http::Peer;

/// Forwarded addresses that are looked at: more proxies in a row than that are none.
const HOPS_MAX: usize = 16;

/// The nearest address that is not a trusted proxy. What stands further left was written by somebody untrusted.
pub fn peer(trusted: &[IpNet], direct: IpAddr, secure: bool, headers: &HeaderMap) -> Peer {
    let direct = direct.to_canonical();
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    if !is_trusted(direct) {
        return Peer {
            ip: direct,
            secure,
            direct,
            proxied: false,
        };
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut ip = direct;
    for hop in hops.iter().rev().take(HOPS_MAX) {
        let Some(address) = parse_hop(hop.trim()) else {
            break;
        };
        ip = address;
        if !is_trusted(ip) {
            break;
        }
    }
    let proto = headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok());
    // The last one was written by the proxy next to us.
    let forwarded_secure = proto
        .and_then(|value| value.rsplit(',').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("https"));
    Peer {
        ip,
        secure: secure || forwarded_secure,
        direct,
        proxied: proto.is_some() || !hops.is_empty(),
    }
}

/// An address, perhaps with a port, perhaps in brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    if let Ok(ip) = hop.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    hop.parse::<std::net::SocketAddr>()
        .ok()
        .map(|address| address.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(direct: &str, forwarded_for: &[&str], proto: Option<&str>) -> Peer {
        let trusted = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        if let Some(proto) = proto {
            headers.insert("x-forwarded-proto", proto.parse().unwrap());
        }
        peer(&trusted, direct.parse().unwrap(), false, &headers)
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        let peer = ask("203.0.113.9", &["198.51.100.1"], Some("https"));
        assert_eq!(
            (peer.ip.to_string().as_str(), peer.secure, peer.proxied),
            ("203.0.113.9", false, false)
        );
    }

    #[test]
    fn the_nearest_untrusted_hop_counts_whatever_stands_left_of_it() {
        let peer = ask("127.0.0.1", &["1.2.3.4, 198.51.100.7", "10.1.1.1"], Some("https"));
        assert_eq!(
            (peer.ip.to_string().as_str(), peer.secure),
            ("198.51.100.7", true)
        );
    }

    #[test]
    fn garbage_ends_the_walk() {
        assert_eq!(
            ask("127.0.0.1", &["1.2.3.4, unknown"], None).ip.to_string(),
            "127.0.0.1"
        );
        assert_eq!(
            ask("127.0.0.1", &["[2001:db8::1]:443"], None).ip.to_string(),
            "2001:db8::1"
        );
    }
}
