//! The files that the server carries: hashed names, so that a browser may keep them for ever, and compressed forms made here, once, as small
//! as can be.

use anyhow::{Context as _, Result, bail, ensure};
use hookcast_strings::Lang;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// The page that names all others.
pub const PAGE: &str = "index.html";
/// What the app may weigh after Brotli: a build above it fails.
const WASM_BYTES_MAX: usize = 250_000;

/// Write `dist` anew. `small` asks for the best compression.
pub fn write(source: &Path, dist: &Path, glue: &str, wasm: &[u8], small: bool) -> Result<()> {
    clear(dist)?;
    let assets = dist.join("assets");
    fs::create_dir_all(&assets)?;

    let read = |name: &str| fs::read_to_string(source.join(name)).with_context(|| format!("admin-ui/{name}"));
    let mut style = String::new();
    let mut parts: Vec<_> = fs::read_dir(source.join("style"))?
        .flatten()
        .map(|file| file.path())
        .collect();
    parts.sort();
    for part in parts {
        style.push_str(&fs::read_to_string(&part)?);
    }

    let wasm_name = put(&assets, "app", "wasm", wasm, small)?;
    let glue_name = put(&assets, "app", "js", glue.as_bytes(), small)?;
    let style_name = put(&assets, "style", "css", minify(&style).as_bytes(), small)?;
    let icon_name = put(&assets, "icon", "svg", read("icon.svg")?.as_bytes(), small)?;
    let mut names = texts();
    names.extend([("app.js", &*glue_name), ("app.wasm", &*wasm_name)]);
    let start = fill(&read("start.js")?, &names)?;
    let start_name = put(&assets, "start", "js", start.as_bytes(), small)?;

    names.extend([
        ("style.css", &*style_name),
        ("icon.svg", &*icon_name),
        ("start.js", &*start_name),
    ]);
    let page = fill(&read(PAGE)?, &names)?;
    // Last: its presence says that the others are complete.
    fs::write(dist.join(PAGE), page)?;
    Ok(())
}

/// What is said before the app is there, in its own words.
fn texts() -> Vec<(&'static str, &'static str)> {
    let (en, de) = (&Lang::En.text().gate, &Lang::De.text().gate);
    vec![
        ("en.login_title", en.login_title),
        ("de.login_title", de.login_title),
        ("en.login_button", en.login_button),
        ("de.login_button", de.login_button),
        ("en.email", en.email),
        ("de.email", de.email),
        ("en.password", en.password),
        ("de.password", de.password),
        ("en.start_failed", en.start_failed),
        ("de.start_failed", de.start_failed),
    ]
}

/// The directory itself stays, with its `.gitignore`.
fn clear(dist: &Path) -> Result<()> {
    let page = dist.join(PAGE);
    if page.exists() {
        fs::remove_file(page)?;
    }
    let assets = dist.join("assets");
    if assets.exists() {
        fs::remove_dir_all(assets)?;
    }
    Ok(())
}

fn put(assets: &Path, stem: &str, extension: &str, content: &[u8], small: bool) -> Result<String> {
    let digest = hex::encode(Sha256::digest(content));
    let name = format!("{stem}-{}.{extension}", &digest[..12]);
    let brotli = brotli(content, if small { 11 } else { 1 })?;
    let gzip = gzip(content, if small { 9 } else { 1 })?;
    println!(
        "  {name}: {} bytes, {} gzip, {} brotli",
        content.len(),
        gzip.len(),
        brotli.len()
    );
    if small && extension == "wasm" {
        ensure!(
            brotli.len() <= WASM_BYTES_MAX,
            "the app weighs {} bytes after Brotli, and may weigh {WASM_BYTES_MAX}: see \"The web app\" in server/ARCHITECTURE.md for what makes \
             it large",
            brotli.len()
        );
    }
    fs::write(assets.join(&name), content)?;
    fs::write(assets.join(format!("{name}.br")), brotli)?;
    fs::write(assets.join(format!("{name}.gz")), gzip)?;
    Ok(name)
}

fn brotli(content: &[u8], quality: i32) -> Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality,
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut packed, &params)?;
    Ok(packed)
}

fn gzip(content: &[u8], level: u32) -> Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    packer.write_all(content)?;
    Ok(packer.finish()?)
}

/// Replace each `{{name}}`. One that stays is a mistake in the template.
fn fill(template: &str, names: &[(&str, &str)]) -> Result<String> {
    let mut text = template.to_owned();
    for (name, value) in names {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    if let Some(start) = text.find("{{") {
        bail!(
            "the template has an unknown place: {}",
            &text[start..text.len().min(start + 30)]
        );
    }
    Ok(text)
}

/// Comments and indentation away; compression does the rest.
fn minify(style: &str) -> String {
    let mut small = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, comment)) = rest.split_once("/*") {
        small.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    small.push_str(rest);
    small
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_leave_the_style() {
        assert_eq!(
            minify("a { /* one\ntwo */\n  color: red;\n}\n/* three */"),
            "a {\ncolor: red;\n}"
        );
    }

    #[test]
    fn a_place_that_nothing_fills_is_an_error() {
        assert_eq!(fill("<{{a}}>", &[("a", "b")]).unwrap(), "<b>");
        assert!(fill("<{{c}}>", &[("a", "b")]).is_err());
    }

    #[test]
    fn compressed_forms_unpack_to_the_original() {
        let text = "hookcast ".repeat(500);
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(text.as_bytes(), 11).unwrap(), &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        let mut unpacked = String::new();
        std::io::Read::read_to_string(
            &mut flate2::read::GzDecoder::new(&*gzip(text.as_bytes(), 9).unwrap()),
            &mut unpacked,
        )
        .unwrap();
        assert_eq!(unpacked, text);
    }
}
