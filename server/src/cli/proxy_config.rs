//! `hookcast proxy-config`: what to put into the web server in front of the relay.
//!
//! Each configuration passes WebSocket upgrades on, holds nothing back of a stream, waits longer than the relay's pings,
//! tells the relay who asked, and keeps tokens (which stand in the query) out of its logs.

use clap::ValueEnum;

use super::{CliError, Common, output};
use crate::config::Config;

/// Print a working configuration for the web server in front of the relay
///
/// With --server-name it is a whole site for a host of the relay's own; without, a part to put into the site that is there.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast proxy-config nginx --server-name relay.example > /etc/nginx/sites-enabled/hookcast\n  \
    hookcast proxy-config apache --path /relay > /etc/apache2/conf-available/hookcast.conf\n  \
    hookcast proxy-config caddy --server-name relay.example --upstream 10.0.0.5:8080")]
pub struct Args {
    /// The web server
    #[arg(value_enum)]
    server: Kind,
    /// Path prefix below which the relay is reached [default: server.base_path]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Where the relay listens [default: server.listen]
    #[arg(long, value_name = "ADDR")]
    upstream: Option<std::net::SocketAddr>,
    /// A host name of the relay's own
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    server_name: Option<String>,
    /// With --server-name: an address for plain HTTP instead of port 443 with a certificate
    #[arg(long, value_name = "ADDR", requires = "server_name")]
    listen: Option<std::net::SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Nginx,
    Apache,
    Caddy,
}

/// It goes into another program's configuration, so nothing but a name may pass.
fn server_name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expects a host name such as relay.example".to_owned())
    }
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let flags = self
            .path
            .iter()
            .map(|path| ("server.base_path".to_owned(), path.clone()))
            .collect();
        let config = common.config_with(flags)?;
        let front = Front::new(&config, &self);
        let text = match self.server {
            Kind::Nginx => front.nginx(),
            Kind::Apache => front.apache(),
            Kind::Caddy => front.caddy(),
        };
        output::line(text.trim_end())
    }
}

struct Front {
    /// `/relay`, or empty.
    path: String,
    upstream: String,
    name: Option<String>,
    plain: Option<String>,
    plain_ip: Option<std::net::IpAddr>,
    /// Above the pings: a connection that is alive is never silent for this long.
    silence_s: u64,
    body_bytes: usize,
}

impl Front {
    fn new(config: &Config, args: &Args) -> Front {
        Front {
            path: config.server.base_path.as_str().to_owned(),
            upstream: args.upstream.unwrap_or(config.server.listen[0]).to_string(),
            name: args.server_name.clone(),
            plain: args.listen.map(|address| address.to_string()),
            plain_ip: args.listen.map(|address| address.ip()),
            silence_s: (config.session.ping_interval_ms * 3).div_ceil(1000).max(75),
            body_bytes: config.limits.publish_body_bytes_max,
        }
    }

    /// What the relay itself must be told.
    fn head(&self, server: &str, place: &str) -> String {
        let (upstream, path) = (&self.upstream, &self.path);
        let scheme = if self.plain.is_some() { "http" } else { "https" };
        let host = self
            .plain
            .as_ref()
            .or(self.name.as_ref())
            .map_or("example.com", String::as_str);
        format!(
            "# hookcast behind {server}. {place}\n\
             #\n\
             # The relay's settings that go with it:\n\
             #   [server]\n\
             #   listen = [\"{upstream}\"]\n\
             #   base_path = \"{path}\"\n\
             #   public_url = \"{scheme}://{host}{path}\"\n\
             # A proxy on another machine must be named in trusted_proxies, too.\n\n"
        )
    }

    fn nginx(&self) -> String {
        let path = &self.path;
        let locations = [
            self.nginx_location(&format!("= {path}/ws"), true),
            // Sites that are switched open take plain sockets here.
            self.nginx_location(&format!("= {path}/"), true),
            // `^~`: a rule for \.php$ or for images in the same site must not get in between.
            self.nginx_location(&format!("^~ {path}/"), false),
        ]
        .join("\n");
        let Some(name) = &self.name else {
            return self.head("nginx", "Put this into the `server` block of the site.") + &locations;
        };
        let listen = match &self.plain {
            Some(address) => format!("    listen {address};\n"),
            None => format!(
                "    listen 443 ssl;\n    listen [::]:443 ssl;\n    \
                 ssl_certificate     /etc/letsencrypt/live/{name}/fullchain.pem;\n    \
                 ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;\n"
            ),
        };
        let locations: String = locations.lines().map(indented).collect();
        let head = self.head(
            "nginx",
            "A site of its own: a file in /etc/nginx/sites-enabled or conf.d.",
        );
        format!("{head}server {{\n{listen}    server_name {name};\n\n{locations}}}\n")
    }

    fn nginx_location(&self, place: &str, upgrade: bool) -> String {
        let connection = if upgrade {
            "    proxy_set_header Upgrade $http_upgrade;\n    proxy_set_header Connection \"upgrade\";\n"
        } else {
            "    proxy_set_header Connection \"\";\n"
        };
        format!(
            "location {place} {{\n    \
                 proxy_pass http://{upstream};\n    \
                 proxy_http_version 1.1;\n    \
                 proxy_set_header Host $http_host;\n    \
                 proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    \
                 proxy_set_header X-Forwarded-Proto $scheme;\n\
                 {connection}    \
                 # Streams must not wait in a buffer.\n    \
                 proxy_buffering off;\n    \
                 # The relay pings more often than this.\n    \
                 proxy_read_timeout {silence}s;\n    \
                 proxy_send_timeout {silence}s;\n    \
                 client_max_body_size {body}k;\n    \
                 # Tokens stand in the query: requests here are in no log. The relay counts them itself.\n    \
                 access_log off;\n    \
                 error_log /dev/null crit;\n\
             }}\n",
            upstream = self.upstream,
            silence = self.silence_s,
            body = self.body_bytes.div_ceil(1024),
        )
    }

    fn apache(&self) -> String {
        let (path, upstream, silence) = (&self.path, &self.upstream, self.silence_s);
        let modules = "# Modules: a2enmod proxy proxy_http proxy_wstunnel headers\n\
                       # Each open socket takes one worker: raise MaxRequestWorkers for many (nginx and Caddy have no such bound).\n\n";
        let pass = format!(
            "ProxyPreserveHost On\n\
             # The relay pings more often than the time-out; flushpackets: streams must not wait in a buffer.\n\
             ProxyPass \"{path}/\" \"http://{upstream}{path}/\" upgrade=websocket flushpackets=on timeout={silence}\n\
             <Location \"{path}/\">\n    \
                 RequestHeader set X-Forwarded-Proto expr=%{{REQUEST_SCHEME}}\n\
             </Location>\n"
        );
        let Some(name) = &self.name else {
            let log = format!(
                "# Tokens stand in the query, and the usual log formats write the query down. Keep requests for the relay out:\n\
                 # add `env=!hookcast` to the end of the site's own CustomLog line.\n\
                 SetEnvIf Request_URI \"^{path}/\" hookcast\n"
            );
            let place = "Put this into the <VirtualHost> of the site.";
            return self.head("Apache", place) + modules + &pass + &log;
        };
        let (address, certificate) = match &self.plain {
            Some(address) => (address.clone(), String::new()),
            None => (
                "*:443".to_owned(),
                format!(
                    "    SSLEngine on\n    \
                     SSLCertificateFile    /etc/letsencrypt/live/{name}/fullchain.pem\n    \
                     SSLCertificateKeyFile /etc/letsencrypt/live/{name}/privkey.pem\n"
                ),
            ),
        };
        let log = "# %U is the path without the query: tokens stand in the query.\n\
                   CustomLog ${APACHE_LOG_DIR}/hookcast.log \"%h %t \\\"%m %U %H\\\" %>s %O \\\"%{User-Agent}i\\\"\"\n";
        let body: String = format!("{pass}{log}").lines().map(indented).collect();
        let head = self.head(
            "Apache",
            "A site of its own: a file in /etc/apache2/sites-available, then a2ensite.",
        );
        format!(
            "{head}{modules}<VirtualHost {address}>\n    ServerName {name}\n{certificate}\n{body}</VirtualHost>\n"
        )
    }

    fn caddy(&self) -> String {
        let (path, upstream) = (&self.path, &self.upstream);
        let proxy = format!(
            "handle {path}/* {{\n    \
                 reverse_proxy {upstream} {{\n        \
                     # Streams must not wait in a buffer.\n        \
                     flush_interval -1\n    \
                 }}\n\
             }}\n"
        );
        let log = "# Tokens stand in the query: the log shows REDACTED in their place.\n\
                   log {\n    \
                       format filter {\n        \
                           wrap json\n        \
                           fields {\n            \
                               request>uri query {\n                \
                                   replace token REDACTED\n            \
                               }\n        \
                           }\n    \
                       }\n\
                   }\n";
        let Some(name) = &self.name else {
            let place = "Put this into the block of the site. Its own `log` gets the same `format`.";
            return self.head("Caddy", place) + &proxy + log;
        };
        let (address, bind) = match (&self.plain, self.plain_ip) {
            (Some(address), Some(ip)) => (format!("http://{address}"), format!("bind {ip}\n")),
            _ => (name.clone(), String::new()),
        };
        let body: String = format!("{bind}{proxy}{log}").lines().map(indented).collect();
        self.head("Caddy", "A site of its own: add this to the Caddyfile.")
            + &format!("{address} {{\n{body}}}\n")
    }
}

fn indented(line: &str) -> String {
    if line.is_empty() {
        "\n".to_owned()
    } else {
        format!("    {line}\n")
    }
}
