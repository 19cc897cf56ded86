//! The peer on uWebSockets: cargo fetches the sources, the system's compilers build them. It is C++, and nothing but the
//! comparison wants it, so no cargo build knows of it.

use crate::process;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUILD_LIMIT: Duration = Duration::from_secs(600);
/// As the library's own makefiles set them, without TLS and compression, which nobody uses in the comparison.
const FLAGS: &[&str] = &[
    "-O3",
    "-march=native",
    "-flto=auto",
    "-DLIBUS_NO_SSL",
    "-DLIBUS_USE_EPOLL",
    "-DUWS_NO_ZLIB",
];
const C_SOURCES: &[&str] = &[
    "bsd.c",
    "context.c",
    "eventing/epoll_kqueue.c",
    "loop.c",
    "socket.c",
    "udp.c",
];

/// Builds `peer-uws` in `programs`.
pub fn build(programs: &Path) -> Result<()> {
    let program = programs.join("peer-uws");
    // One of an earlier build would be measured in this one's name.
    let _absent = std::fs::remove_file(&program);
    let source = source()?;
    let (http, sockets) = (source.join("src"), source.join("uSockets/src"));
    let objects = process::target().join("uws");
    std::fs::create_dir_all(&objects).with_context(|| objects.display().to_string())?;
    let mut compile = process::command("cc");
    compile.current_dir(&objects).args(["-std=c11", "-c"]).args(FLAGS);
    compile.arg("-I").arg(&sockets);
    compile.args(C_SOURCES.iter().map(|file| sockets.join(file)));
    process::run(compile, BUILD_LIMIT)?;
    let mut link = process::command("c++");
    link.current_dir(&objects).arg("-std=c++20").args(FLAGS);
    link.arg("-I").arg(http).arg("-I").arg(sockets);
    link.arg(process::root().join("benches/peers/uws_relay.cpp"));
    for file in C_SOURCES {
        let object = Path::new(file).with_extension("o");
        link.arg(object.file_name().expect("a source has a name"));
    }
    link.arg("-o").arg(program);
    process::run(link, BUILD_LIMIT)
}

/// Where cargo has unpacked the library.
fn source() -> Result<PathBuf> {
    let metadata = process::output(process::cargo(&[
        "metadata",
        "--locked",
        "--format-version=1",
        "--manifest-path=benches/peers/uws/Cargo.toml",
    ]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "libuwebsockets-sys")
        .and_then(|package| package["manifest_path"].as_str())
        .context("cargo metadata does not name libuwebsockets-sys")?;
    Ok(Path::new(manifest).with_file_name("uWebSockets"))
}
