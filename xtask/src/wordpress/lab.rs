//! The servers of one WordPress: MariaDB, PHP-FPM and nginx, each a process of this command's own, on loopback and on
//! sockets that only this user can open. No service of the machine is used or changed.

use super::wait_for;
use crate::process;
use anyhow::{Context as _, Result, bail};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub struct Lab {
    pub url: String,
    /// A JSON object of PHP constants that wp-config.php defines: what wires the site to a relay.
    pub constants: PathBuf,
    pub log: PathBuf,
    root: PathBuf,
    sockets: PathBuf,
    test: bool,
    /// In the order of their stopping: the database last.
    servers: Vec<process::Background>,
}

impl Lab {
    /// Start WordPress from `www` with its state in `home`, and set it up if it is new. `test` loads the suite's helper.
    pub fn start(home: &Path, www: &Path, port: u16, test: bool) -> Result<Lab> {
        std::fs::create_dir_all(home.join("tmp")).with_context(|| home.display().to_string())?;
        // A socket's path may have 107 bytes, which a project's folder can exceed.
        let sockets = std::env::temp_dir().join(format!("hookcast-lab-{}", std::process::id()));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&sockets)
            .with_context(|| sockets.display().to_string())?;
        let mut lab = Lab {
            url: format!("http://127.0.0.1:{port}"),
            constants: home.join("constants.json"),
            log: home.join("debug.log"),
            root: www.to_owned(),
            sockets,
            test,
            servers: Vec::new(),
        };
        lab.start_database(home)?;
        lab.install(home)?;
        lab.start_php(home)?;
        lab.start_nginx(home, port)?;
        wait_for("WordPress", || answers(port))?;
        Ok(lab)
    }

    /// What `wp-config.php` and the suite read.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("LAB_URL", self.url.clone()),
            ("LAB_DB_SOCKET", self.socket("db")),
            ("LAB_CONSTANTS", self.constants.display().to_string()),
            ("LAB_LOG", self.log.display().to_string()),
            ("LAB_ROOT", self.root.display().to_string()),
            ("LAB_SALT", "lab".to_owned()),
        ];
        if self.test {
            environment.push(("LAB_TEST", "1".to_owned()));
        }
        environment
    }

    pub fn is_wired(&self) -> bool {
        self.constants.exists()
    }

    /// Write the constants of the site's connection from what `hookcast site add --json` printed.
    pub fn wire(&self, relay_url: &str, site: &str) -> Result<()> {
        let field = |name: &str| -> Result<String> {
            let (_, rest) = site
                .split_once(&format!("\"{name}\""))
                .with_context(|| format!("no `{name}` in the answer"))?;
            let value = rest
                .trim_start()
                .trim_start_matches(':')
                .trim_start()
                .trim_start_matches('"');
            Ok(value.chars().take_while(char::is_ascii_hexdigit).collect())
        };
        let text = format!(
            "{{\n  \"HOOKCAST_URL\": \"{relay_url}\",\n  \"HOOKCAST_SITE_KEY\": \"{}\",\n  \"HOOKCAST_PUBLISH_SECRET\": \"{}\",\n  \"HOOKCAST_JWT_SECRET\": \"{}\"\n}}\n",
            field("site_key")?,
            field("publish_secret")?,
            field("jwt_secret")?
        );
        std::fs::write(&self.constants, text).with_context(|| self.constants.display().to_string())
    }

    fn socket(&self, name: &str) -> String {
        self.sockets.join(format!("{name}.sock")).display().to_string()
    }

    fn start_database(&mut self, home: &Path) -> Result<()> {
        let data = home.join("db");
        let root = rustix::process::geteuid().is_root();
        if !data.join("mysql").exists() {
            let mut command = process::command("mariadb-install-db");
            command.args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]);
            command.arg(format!("--datadir={}", data.display()));
            if root {
                command.arg("--user=root");
            }
            process::output(command)?;
        }
        let mut command = process::command("mariadbd");
        command.args([
            "--no-defaults",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",
        ]);
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}", self.socket("db")));
        command.arg(format!("--pid-file={}", self.sockets.join("db.pid").display()));
        command.arg(format!("--log-error={}", home.join("db.log").display()));
        if root {
            command.arg("--user=root");
        }
        let server = process::start(command)?;
        self.servers.push(server);
        let socket = self.socket("db");
        wait_for("MariaDB", || UnixStream::connect(&socket).is_ok())
    }

    /// The connector is linked, not copied: an edit of it is live.
    fn install(&self, home: &Path) -> Result<()> {
        let lab = process::root().join("e2e/wordpress/lab");
        let mu = self.root.join("wp-content/mu-plugins");
        std::fs::create_dir_all(&mu)?;
        std::fs::create_dir_all(self.root.join("wp-content/uploads"))?;
        for (source, name) in [
            (process::root().join("wordpress/hookcast.php"), "hookcast.php"),
            (process::root().join("wordpress/hookcast.js"), "hookcast.js"),
            (lab.join("helper.php"), "lab-helper.php"),
        ] {
            let link = mu.join(name);
            let _absent = std::fs::remove_file(&link);
            symlink(&source, &link).with_context(|| link.display().to_string())?;
        }
        std::fs::copy(lab.join("wp-config.php"), self.root.join("wp-config.php"))?;
        let mut command = process::command("php8.2");
        command
            .arg(lab.join("install.php"))
            .arg(&self.root)
            .envs(self.environment());
        process::output(command).with_context(|| format!("setting WordPress up (see {})", home.display()))?;
        Ok(())
    }

    fn start_php(&mut self, home: &Path) -> Result<()> {
        let root = rustix::process::geteuid().is_root();
        let configuration = home.join("fpm.conf");
        let text = format!(
            "[global]\nerror_log = {log}\ndaemonize = no\n[www]\nlisten = {socket}\nlisten.mode = 0600\npm = static\npm.max_children = 4\n\
             clear_env = no\n{user}php_admin_value[opcache.revalidate_freq] = 0\n",
            log = home.join("fpm.log").display(),
            socket = self.socket("fpm"),
            user = if root { "user = root\ngroup = root\n" } else { "" },
        );
        std::fs::write(&configuration, text)?;
        let mut command = process::command("php-fpm8.2");
        command
            .arg("--nodaemonize")
            .arg("--fpm-config")
            .arg(configuration)
            .envs(self.environment());
        if root {
            command.arg("--allow-to-run-as-root");
        }
        let server = start_silent(command, home, "fpm.out")?;
        self.servers.insert(0, server);
        let socket = self.socket("fpm");
        wait_for("PHP", || UnixStream::connect(&socket).is_ok())
    }

    fn start_nginx(&mut self, home: &Path, port: u16) -> Result<()> {
        let root = rustix::process::geteuid().is_root();
        let configuration = home.join("nginx.conf");
        let temporary = home.join("tmp");
        let text = format!(
            r"{user}worker_processes 1;
pid {sockets}/nginx.pid;
error_log {home}/nginx.log;
daemon off;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {tmp}/body; fastcgi_temp_path {tmp}/fastcgi; proxy_temp_path {tmp}/proxy; uwsgi_temp_path {tmp}/uwsgi; scgi_temp_path {tmp}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {www};
        index index.php;
        client_max_body_size 32m;
        location / {{ try_files $uri $uri/ /index.php?$args; }}
        location ~ \.php$ {{
            try_files $uri =404;
            # Not the distribution's list: its HTTP_HOST leaves the port out, and WordPress would redirect in circles.
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param DOCUMENT_ROOT $document_root;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param SERVER_NAME $server_name;
            fastcgi_param SERVER_PORT $server_port;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param REDIRECT_STATUS 200;
            fastcgi_pass unix:{fpm};
        }}
    }}
}}
",
            user = if root { "user root;\n" } else { "" },
            sockets = self.sockets.display(),
            home = home.display(),
            tmp = temporary.display(),
            www = self.root.display(),
            fpm = self.socket("fpm"),
        );
        std::fs::write(&configuration, text)?;
        let mut command = process::command("nginx");
        command
            .arg("-c")
            .arg(&configuration)
            .arg("-e")
            .arg(home.join("nginx.log"));
        let server = start_silent(command, home, "nginx.out")?;
        self.servers.insert(0, server);
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.servers.clear();
        let _gone = std::fs::remove_dir_all(&self.sockets);
    }
}

/// Start with the output in a file: it belongs to the lab's log, not to the terminal.
fn start_silent(mut command: Command, home: &Path, name: &str) -> Result<process::Background> {
    let file = std::fs::File::create(home.join(name))?;
    command.stdout(file.try_clone()?).stderr(file);
    process::start(command)
}

/// Whether WordPress answers its log-in page, which needs all three servers.
fn answers(port: u16) -> bool {
    let ask = || -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(b"GET /wp-login.php HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut head = [0; 16];
        stream.read_exact(&mut head)?;
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.contains(" 200") {
            bail!("{head}");
        }
        Ok(head)
    };
    ask().is_ok()
}
