//! One spelling for a site's address, so that registering it again finds it.

use super::StoreError;

const BYTES_MAX: usize = 2048;

/// Scheme and host in lower case, no default port, no trailing slash; a path stays (`https://example.com/blog`).
pub fn normalise(url: &str) -> Result<String, StoreError> {
    let invalid = |why: &str| StoreError::Invalid(format!("site_url {why}, such as https://example.com"));
    if url.len() > BYTES_MAX {
        return Err(StoreError::Invalid(format!(
            "site_url is longer than {BYTES_MAX} bytes"
        )));
    }
    let parsed = url::Url::parse(url.trim()).map_err(|_| invalid("must be a full address"))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err(invalid("must begin with http:// or https://"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(invalid("must not contain a password"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(invalid("must not contain `?` or `#`"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// The host of a normalised address, as a name for a site that was given none.
pub fn host(url: &str) -> &str {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_site_are_one() {
        for url in [
            "https://Example.com",
            "HTTPS://example.COM/",
            "https://example.com:443//",
            " https://example.com ",
        ] {
            assert_eq!(normalise(url).unwrap(), "https://example.com", "{url}");
        }
        assert_eq!(
            normalise("http://example.com:8080/Blog/").unwrap(),
            "http://example.com:8080/Blog"
        );
        assert_eq!(
            normalise("https://bücher.example").unwrap(),
            "https://xn--bcher-kva.example"
        );
        assert_eq!(host("https://example.com:8443/blog"), "example.com:8443");
    }

    #[test]
    fn what_is_no_site_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(BYTES_MAX));
        for url in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://u:p@example.com",
            "https://e.com/?p=1",
            &long,
        ] {
            assert!(matches!(normalise(url), Err(StoreError::Invalid(_))), "{url}");
        }
    }
}
