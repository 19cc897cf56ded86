//! The types of settings: each knows how it is typed, in TOML and in plain text, and how it is shown.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

/// A value as it was typed: what kind it had in TOML, or plain text from an environment variable or a flag.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// From outside TOML: the setting's own type decides what it means.
    Text(String),
    String(String),
    Integer(String),
    Boolean(bool),
    List(Vec<Raw>),
}

impl Raw {
    pub fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    fn kind(&self) -> &'static str {
        match self {
            Raw::Text(_) | Raw::String(_) => "a string",
            Raw::Integer(_) => "an integer",
            Raw::Boolean(_) => "a boolean",
            Raw::List(_) => "a list",
        }
    }

    /// As TOML.
    pub fn to_toml(&self) -> String {
        match self {
            Raw::Text(text) | Raw::String(text) => toml::Value::String(text.clone()).to_string(),
            Raw::Integer(text) => text.clone(),
            Raw::Boolean(value) => value.to_string(),
            Raw::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(Raw::to_toml).collect::<Vec<_>>().join(", ")
                )
            }
        }
    }
}

/// Whether a secret's own text may come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Masked,
    Exposed,
}

const MASK: &str = "********";

/// A type that a setting can have.
pub trait Setter: Sized {
    const KIND: &'static str;
    const SECRET: bool = false;
    fn from_raw(raw: &Raw) -> Result<Self, String>;
    fn to_raw(&self, secrets: Secrets) -> Raw;
}

/// A single value that is spelled in one piece of text.
pub trait Scalar: Sized {
    const KIND: &'static str;
    /// Of a list of these.
    const LIST_KIND: &'static str = "list";
    const SECRET: bool = false;
    /// Whether TOML writes it as an integer rather than as a string.
    const INTEGER: bool = false;
    fn from_text(text: &str) -> Result<Self, String>;
    fn to_text(&self) -> String;
}

impl<T: Scalar> Setter for T {
    const KIND: &'static str = T::KIND;
    const SECRET: bool = T::SECRET;

    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) => T::from_text(text.trim()),
            Raw::String(text) if !T::INTEGER => T::from_text(text),
            Raw::Integer(text) if T::INTEGER => T::from_text(text),
            other => Err(format!("must be of type {}, not {}", T::KIND, other.kind())),
        }
    }

    fn to_raw(&self, secrets: Secrets) -> Raw {
        let masked = T::SECRET && secrets == Secrets::Masked;
        let text = if masked { MASK.to_owned() } else { self.to_text() };
        if T::INTEGER {
            Raw::Integer(text)
        } else {
            Raw::String(text)
        }
    }
}

/// Lists are arrays in TOML and separated by commas elsewhere.
impl<T: Scalar> Setter for Vec<T> {
    const KIND: &'static str = T::LIST_KIND;

    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(T::from_text)
                .collect(),
            Raw::List(items) => items.iter().map(<T as Setter>::from_raw).collect(),
            other => Err(format!("must be a {}, not {}", T::LIST_KIND, other.kind())),
        }
    }

    fn to_raw(&self, secrets: Secrets) -> Raw {
        Raw::List(self.iter().map(|item| item.to_raw(secrets)).collect())
    }
}

/// Empty text means "not set".
impl<T: Scalar> Setter for Option<T> {
    const KIND: &'static str = T::KIND;
    const SECRET: bool = T::SECRET;

    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) | Raw::String(text) if text.trim().is_empty() => Ok(None),
            other => <T as Setter>::from_raw(other).map(Some),
        }
    }

    fn to_raw(&self, secrets: Secrets) -> Raw {
        self.as_ref()
            .map_or_else(|| Raw::String(String::new()), |value| value.to_raw(secrets))
    }
}

macro_rules! integers {
    ($($int:ty)*) => { $(
        impl Scalar for $int {
            const KIND: &'static str = "integer";
            const INTEGER: bool = true;

            fn from_text(text: &str) -> Result<Self, String> {
                text.replace('_', "")
                    .parse()
                    .map_err(|_| format!("expects an integer from 0 to {}, not `{text}`", <$int>::MAX))
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

integers!(u16 u32 u64 usize);

impl Setter for bool {
    const KIND: &'static str = "boolean";

    fn from_raw(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| format!("expects `true` or `false`, not `{text}`")),
            other => Err(format!("must be of type boolean, not {}", other.kind())),
        }
    }

    fn to_raw(&self, _: Secrets) -> Raw {
        Raw::Boolean(*self)
    }
}

impl Scalar for String {
    const KIND: &'static str = "text";
    const LIST_KIND: &'static str = "list of texts";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl Scalar for PathBuf {
    const KIND: &'static str = "path";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("expects a path".to_owned())
        } else {
            Ok(PathBuf::from(text))
        }
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }
}

impl Scalar for SocketAddr {
    const KIND: &'static str = "address";
    const LIST_KIND: &'static str = "list of addresses";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!("expects an address with a port, such as 127.0.0.1:8080 or [::]:80, not `{text}`")
        })
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Scalar for IpNet {
    const KIND: &'static str = "network";
    const LIST_KIND: &'static str = "list of networks";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .or_else(|_| text.parse().map(|ip: std::net::IpAddr| IpNet::from(ip)))
            .map_err(|_| format!("expects an address or a network such as 10.0.0.0/8, not `{text}`"))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// Empty, or a path that begins with `/` and does not end with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below the prefix, which begins with `/`; `None` for a path outside it.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(self.0.as_str())? {
            "" => Some("/"),
            rest if rest.starts_with('/') => Some(rest),
            _ => None,
        }
    }
}

impl Scalar for BasePath {
    const KIND: &'static str = "path prefix";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = text.trim_end_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        if !(path.is_empty() || path.starts_with('/')) || path.contains("//") || !path.bytes().all(plain) {
            return Err(format!("expects a path such as /relay, not `{text}`"));
        }
        if path.split('/').any(|part| part == "." || part == "..") {
            return Err(format!("expects a path without `.` and `..`, not `{text}`"));
        }
        Ok(BasePath(path.to_owned()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// An http or https address without a trailing slash, a query or credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with the port where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or("")
    }

    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl Scalar for PublicUrl {
    const KIND: &'static str = "http(s) address";

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("expects an address such as https://relay.example, not `{text}`");
        let url = url::Url::parse(text).map_err(|_| wrong())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if plain {
            Ok(PublicUrl(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(wrong())
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// A host's name as DNS and certificates spell it: lower case, other scripts in punycode. No address, no wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for DomainName {
    const KIND: &'static str = "name";
    const LIST_KIND: &'static str = "list of names";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.contains('*') {
            return Err(format!(
                "expects whole names: `*`, as in `{text}`, needs a proof by DNS, which the relay can't give"
            ));
        }
        let label = |label: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) if name.len() <= 253 && name.split('.').all(label) => {
                Ok(DomainName(name))
            }
            Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => {
                Err(format!("expects a name and not an address, such as `{text}`"))
            }
            _ => Err(format!("expects a name such as relay.example, not `{text}`")),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Where an authority that speaks ACME tells its addresses (RFC 8555, section 7.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeDirectory {
    Production,
    Staging,
    /// Somebody else's, or one's own.
    Own(String),
}

impl AcmeDirectory {
    pub fn url(&self) -> &str {
        match self {
            Self::Production => "https://acme-v02.api.letsencrypt.org/directory",
            Self::Staging => "https://acme-staging-v02.api.letsencrypt.org/directory",
            Self::Own(url) => url,
        }
    }
}

impl Scalar for AcmeDirectory {
    const KIND: &'static str = "`production`, `staging` or an https address";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "production" => return Ok(Self::Production),
            "staging" => return Ok(Self::Staging),
            _ => {}
        }
        match url::Url::parse(text) {
            Ok(url)
                if url.scheme() == "https"
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Ok(Self::Own(url.to_string()))
            }
            _ => Err(format!("expects {}, not `{text}`", <Self as Scalar>::KIND)),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Production => "production".to_owned(),
            Self::Staging => "staging".to_owned(),
            Self::Own(url) => url.clone(),
        }
    }
}

/// Text that no log and no printed configuration shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Scalar for Secret {
    const KIND: &'static str = "secret";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Secret(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

macro_rules! choices {
    ($(#[doc = $doc:literal])* $Choice:ident { $($Variant:ident = $text:literal),* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Choice { $($Variant),* }

        impl Scalar for $Choice {
            const KIND: &'static str = concat!("one of" $(, " `", $text, "`")*);

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($Choice::$Variant),)*
                    _ => Err(format!("expects {}, not `{text}`", <Self as Scalar>::KIND)),
                }
            }

            fn to_text(&self) -> String {
                match self { $($Choice::$Variant => $text.to_owned()),* }
            }
        }
    };
}

choices! {
    /// How the kernel is asked for I/O.
    Driver { Auto = "auto", IoUring = "io_uring", Epoll = "epoll" }
}

choices! {
    /// How an authority sees whose a name is (RFC 8555, section 8.3, and RFC 8737).
    AcmeChallenge { TlsAlpn01 = "tls-alpn-01", Http01 = "http-01" }
}

choices! {
    /// How log lines are written.
    LogFormat { Text = "text", Json = "json" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_takes_only_plain_prefixes() {
        for (typed, path) in [("", ""), ("/", ""), ("/relay", "/relay"), ("/a/b/", "/a/b")] {
            assert_eq!(BasePath::from_text(typed).unwrap().as_str(), path);
        }
        for typed in ["relay", "//relay", "/a//b", "/a b", "/a/../b", "/a?b", "/é"] {
            assert!(BasePath::from_text(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn base_path_is_stripped_at_a_path_segment_only() {
        let prefix = BasePath::from_text("/relay").unwrap();
        assert_eq!(prefix.strip("/relay/ws"), Some("/ws"));
        assert_eq!(prefix.strip("/relay"), Some("/"));
        assert_eq!(prefix.strip("/relays/ws"), None);
        assert_eq!(prefix.strip("/ws"), None);
        assert_eq!(BasePath::default().strip("/ws"), Some("/ws"));
    }

    #[test]
    fn public_url_is_bare_http_or_https() {
        let url = PublicUrl::from_text("https://Relay.Example:443/relay/").unwrap();
        assert_eq!(url.as_str(), "https://relay.example/relay");
        assert_eq!(url.authority(), "relay.example");
        for typed in [
            "relay.example",
            "ws://relay.example",
            "https://u:p@relay.example",
            "https://r.example/?a=1",
        ] {
            assert!(PublicUrl::from_text(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn toml_kinds_are_not_mixed_up() {
        assert!(u32::from_raw(&Raw::String("5".into())).is_err());
        assert!(String::from_raw(&Raw::Integer("5".into())).is_err());
        assert_eq!(u32::from_raw(&Raw::text("1_000")), Ok(1000));
        assert!(u16::from_raw(&Raw::Integer("65536".into())).is_err());
        assert!(u16::from_raw(&Raw::Integer("-1".into())).is_err());
    }
}
