//! Every setting, once: its key, type, default, meaning, and whether a running relay can take up a change.
//!
//! The structs of the configuration, the environment names, `hookcast reference`, `print-config` and the check for
//! unknown keys all come from this table, so that none of them can drift from another.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::value::{
    AcmeChallenge, AcmeDirectory, BasePath, DomainName, Driver, LogFormat, PublicUrl, Raw, Secret, Secrets,
    Setter,
};

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// On SIGHUP; for what is already open, from its next use of the setting.
    Live,
    /// At the next start.
    Restart,
}

/// One row of the table.
pub struct Setting {
    pub section: &'static str,
    pub name: &'static str,
    /// What a value looks like, for the reference: `integer`, `address`, `list of networks`.
    pub kind: &'static str,
    /// The default, as it would be typed in an environment variable; empty for "not set".
    pub default: &'static str,
    pub doc: &'static [&'static str],
    pub reload: Reload,
    pub secret: bool,
    pub(super) set: fn(&mut Sections, &Raw) -> Result<(), String>,
    /// For people: a secret is masked.
    pub(super) shown: fn(&Sections) -> Raw,
    /// For comparing and setting again: a secret as it is.
    pub(super) exposed: fn(&Sections) -> Raw,
}

impl Setting {
    /// `limits.connections_max`
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// `HOOKCAST_LIMITS_CONNECTIONS_MAX`; settings of `[server]` go without their section: `HOOKCAST_DATA_DIR`.
    pub fn env(&self) -> String {
        let name = self.name.to_ascii_uppercase();
        match self.section {
            "server" => format!("HOOKCAST_{name}"),
            section => format!("HOOKCAST_{}_{name}", section.to_ascii_uppercase()),
        }
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        [$section:ident : $Section:ident] {
            $( $(#[doc = $doc:literal])* $name:ident : $kind:ty = $default:literal, $reload:ident; )*
        }
    )*) => {
        /// The values of all settings, by section.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Sections { $( $(#[doc = $section_doc])* pub $section: $Section, )* }

        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section { $( $(#[doc = $doc])* pub $name: $kind, )* }
        )*

        /// The sections in the order of the reference, each with what it is about.
        pub static SECTIONS: &[(&str, &[&str])] = &[ $( (stringify!($section), &[$($section_doc),*]), )* ];

        pub static SETTINGS: &[Setting] = &[ $( $(
            Setting {
                section: stringify!($section),
                name: stringify!($name),
                kind: <$kind as Setter>::KIND,
                default: $default,
                doc: &[$($doc),*],
                reload: Reload::$reload,
                secret: <$kind as Setter>::SECRET,
                set: |sections, raw| {
                    sections.$section.$name = <$kind as Setter>::from_raw(raw)?;
                    Ok(())
                },
                shown: |sections| sections.$section.$name.to_raw(Secrets::Masked),
                exposed: |sections| sections.$section.$name.to_raw(Secrets::Exposed),
            },
        )* )* ];

        impl Default for Sections {
            /// Panics where a default of the table does not fit its own type; a test builds it.
            fn default() -> Self {
                Sections { $( $section: $Section { $(
                    $name: <$kind as Setter>::from_raw(&Raw::text($default))
                        .unwrap_or_else(|e| panic!("default of {}.{}: {e}", stringify!($section), stringify!($name))),
                )* }, )* }
            }
        }
    };
}

settings! {
    /// Where the relay listens, keeps its data, and how it uses the machine.
    [server: Server] {
        /// Addresses to listen on. Keep the default behind a reverse proxy on the same machine.
        listen: Vec<SocketAddr> = "127.0.0.1:8080", Restart;
        /// The directory of the store, readable by its owner only.
        data_dir: PathBuf = "./hookcast-data", Restart;
        /// Cores to use, one event loop each. 0: all of them.
        workers: u16 = "0", Restart;
        /// A path that everything is served under, such as `/relay`, when the proxy passes the prefix on.
        base_path: BasePath = "", Restart;
        /// The address browsers and WordPress reach the relay by, prefix included, such as `https://relay.example` or
        /// `https://example.com/relay`. Links and snippets are built from it.
        public_url: Option<PublicUrl> = "", Live;
        /// Networks of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        trusted_proxies: Vec<IpNet> = "127.0.0.0/8,::1/128", Live;
        /// How the kernel is asked for I/O: `auto` takes io_uring and falls back to epoll where it is refused.
        driver: Driver = "auto", Restart;
        /// Entries of each core's io_uring submission queue.
        ring_entries: u32 = "1024", Restart;
        /// On SIGTERM, the time over which open sockets are closed (1012), so that clients do not all return at once.
        drain_ms: u64 = "5000", Live;
    }

    /// What an ordinary request may cost before it is refused.
    [http: Http] {
        /// Largest request head (request line and headers), in bytes.
        head_bytes_max: usize = "16384", Restart;
        /// Most headers in a request.
        headers_max: usize = "100", Restart;
        /// Time for a request's head to arrive in full.
        head_timeout_ms: u64 = "10000", Live;
        /// Time for a request's body to arrive in full.
        body_timeout_ms: u64 = "15000", Live;
        /// Time a connection may idle between two requests.
        keep_alive_ms: u64 = "60000", Live;
        /// Time for a TLS handshake.
        handshake_timeout_ms: u64 = "10000", Live;
    }

    /// The life of a WebSocket or an event stream.
    [session: Session] {
        /// Time between two pings (a comment on a stream). The WordPress plugin gives up on a socket after 45 s of silence.
        ping_interval_ms: u64 = "20000", Live;
        /// A socket that sends nothing for this long is closed (1001).
        client_silence_ms: u64 = "60000", Live;
        /// How long a session outlives its token, for the browser to send a fresh one (then 4001).
        token_grace_ms: u64 = "30000", Live;
        /// How far the clocks of WordPress and the relay may differ when a token's times are judged.
        clock_leeway_ms: u64 = "10000", Live;
        /// What an event stream is told to wait before it reconnects.
        sse_retry_ms: u64 = "3000", Live;
    }

    /// Bounds. A site's own limits, where it has some, stand above those given per site here.
    [limits: Limits] {
        /// Largest body of a publish, in bytes.
        publish_body_bytes_max: usize = "1048576", Live;
        /// Largest WebSocket message from a browser, in bytes (then 1009).
        message_bytes_max: usize = "2097152", Live;
        /// Longest channel name, in bytes of UTF-8, without the site's qualification.
        channel_name_bytes_max: usize = "256", Live;
        /// Longest event name, in bytes of UTF-8.
        event_name_bytes_max: usize = "128", Live;
        /// Most channels a connection may subscribe to.
        channels_per_connection_max: u32 = "100", Live;
        /// Most sockets and streams of one site (then 4029). 0: no limit.
        connections_per_site_max: u32 = "0", Live;
        /// Most connections of the whole relay. 0: what the file descriptor limit leaves room for.
        connections_max: u32 = "0", Restart;
        /// Publishes per second that each site may keep up (then 429). 0: no limit.
        publishes_per_second: u32 = "1000", Live;
        /// Publishes that a site may make at once before `publishes_per_second` counts.
        publishes_burst: u32 = "2000", Live;
        /// Messages per second that each browser may keep up (then `rate_limited`). 0: no limit.
        client_messages_per_second: u32 = "200", Live;
        /// Messages that a browser may send at once before `client_messages_per_second` counts.
        client_messages_burst: u32 = "400", Live;
        /// Most presence members of a channel.
        presence_members_max: u32 = "1000", Live;
        /// Largest presence state, in bytes of JSON.
        presence_state_bytes_max: usize = "4096", Live;
        /// Presence updates per second that each browser may keep up. 0: no limit.
        presence_per_second: u32 = "10", Live;
        /// Presence updates that a browser may send at once before `presence_per_second` counts.
        presence_burst: u32 = "50", Live;
        /// Bytes that may wait for a slow reader before it is closed (1013).
        outbox_bytes_max: usize = "4194304", Live;
        /// Frames that may wait for a slow reader before it is closed (1013).
        outbox_frames_max: usize = "4096", Live;
        /// Most active sites; one more is refused (403 `site_limit_reached`). 0: no limit.
        sites_max: u32 = "1000", Live;
        /// Publishes of each site in a calendar month, UTC (then 429 `quota_exceeded`). 0: no quota.
        publishes_per_month_max: u64 = "0", Live;
    }

    /// What channels remember for clients that reconnect. In memory only.
    [recovery: Recovery] {
        /// Messages that each channel remembers. 0: none.
        messages_max: u32 = "64", Live;
        /// How long they are remembered. 0: none.
        age_ms_max: u64 = "60000", Live;
        /// Bytes that all channels of the relay remember together; the oldest go first.
        bytes_max: usize = "67108864", Live;
    }

    /// The operator's web app and API.
    [admin: Admin] {
        /// Host names the web app answers to besides loopback and the host of `public_url`.
        hosts: Vec<String> = "", Live;
        /// A session unused for this long ends.
        session_idle_ms: u64 = "43200000", Live;
        /// A session ends after this long even in use.
        session_life_ms: u64 = "2592000000", Live;
    }

    /// TLS in the relay itself. Behind a reverse proxy that has the certificate, leave it out.
    [tls: Tls] {
        /// Addresses to serve https and wss on, beside the plain ones of `server.listen`: `0.0.0.0:443`, `[::]:443`.
        listen: Vec<SocketAddr> = "", Restart;
        /// Addresses that answer plain http with the way to https, and with an authority's proofs, and serve nothing else:
        /// `0.0.0.0:80`, `[::]:80`.
        redirect_listen: Vec<SocketAddr> = "", Restart;
        /// The certificate in PEM, followed by its chain. Read again when it changes, and on SIGHUP.
        certificate: Option<PathBuf> = "", Restart;
        /// The certificate's private key in PEM. Read again with the certificate.
        key: Option<PathBuf> = "", Restart;
        /// Time between two looks at the files.
        reload_interval_ms: u64 = "5000", Restart;
        /// Names to get a certificate for, in place of the files: the relay orders and renews it by itself, from Let's Encrypt
        /// or another authority that speaks ACME. The first one is the certificate's own.
        acme_domains: Vec<DomainName> = "", Restart;
        /// That you agree to the authority's terms of service, which an order needs. Let's Encrypt's are at
        /// https://letsencrypt.org/repository/.
        acme_terms_agreed: bool = "false", Restart;
        /// Where the authority may write to about the certificates. Not needed.
        acme_email: Option<String> = "", Restart;
        /// The authority: `production` (Let's Encrypt), `staging` (Let's Encrypt's for trials, which browsers don't trust), or
        /// the https address of an ACME directory.
        acme_directory: AcmeDirectory = "production", Restart;
        /// How the authority sees that the names are yours: `tls-alpn-01` asks on port 443, which has to reach `tls.listen`;
        /// `http-01` asks on port 80, which has to reach `tls.redirect_listen` (or `server.listen`).
        acme_challenge: AcmeChallenge = "tls-alpn-01", Restart;
        /// Time until a failed order is tried again. Each further failure doubles it, up to six hours.
        acme_retry_ms: u64 = "300000", Restart;
    }

    /// Numbers for Prometheus at `/metrics`.
    [metrics: Metrics] {
        /// Addresses of a listener that serves `/metrics` and nothing else, to anyone who can reach it.
        listen: Vec<SocketAddr> = "", Restart;
        /// A bearer token that opens `/metrics` on the relay's own listener. Not set: `/metrics` is not there.
        token: Option<Secret> = "", Live;
    }

    /// What is written to standard error.
    [log: Log] {
        /// `error`, `warn`, `info`, `debug` or `trace`, for all or by module: `info,hookcast::shard=debug`.
        level: String = "info", Live;
        /// `text` for people, `json` for machines.
        format: LogFormat = "text", Restart;
    }
}
