//! The WordPress connector with one site's values filled in.

/// The file as anyone may have it. A copy of its own licence (GPL) is what the relay hands out, not a part of the relay.
const CONNECTOR: &str = include_str!("../../../wordpress/hookcast.php");

pub struct Values<'a> {
    pub url: &'a str,
    pub site_key: &'a str,
    pub publish_secret: &'a str,
    pub jwt_secret: &'a str,
}

pub fn filled(values: &Values<'_>) -> String {
    let mut file = CONNECTOR.to_owned();
    for (place, value) in [
        ("'url'            => ''", values.url),
        ("'site_key'       => ''", values.site_key),
        ("'publish_secret' => ''", values.publish_secret),
        ("'jwt_secret'     => ''", values.jwt_secret),
    ] {
        let (name, _) = place
            .rsplit_once("''")
            .expect("each place ends in an empty string");
        file = file.replacen(place, &format!("{name}'{}'", php(value)), 1);
    }
    file
}

/// Inside single quotes, PHP reads only these two as anything else than themselves.
fn php(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lands_in_its_place() {
        let file = filled(&Values {
            url: "https://relay.example/it's",
            site_key: "key-1",
            publish_secret: "publish-1",
            jwt_secret: "jwt-1",
        });
        for line in [
            r"'url'            => 'https://relay.example/it\'s',",
            "'site_key'       => 'key-1',",
            "'publish_secret' => 'publish-1',",
            "'jwt_secret'     => 'jwt-1',",
        ] {
            assert_eq!(file.matches(line).count(), 1, "{line}");
        }
    }
}
