//! What a token allows: prefixes of channel names, brought to the site's own namespace.

use wire::channel;

/// Prefixes from a token, each a bare name's beginning, packed into one allocation because every open socket holds a set:
/// per prefix one byte of [`SUBSCRIBE`] and [`PUBLISH`], its length (u16, big-endian), its text.
///
/// `site:{site_id}:` covers all of the site's channels. An entry that could only match another site's channels, and the empty
/// entry, grant nothing: an empty string in a token is a mistake of whoever made it, and a mistake must not open everything.
#[derive(Clone, PartialEq, Eq)]
pub struct Grants(Box<[u8]>);

const SUBSCRIBE: u8 = 1;
const PUBLISH: u8 = 2;

impl Grants {
    /// `publish` is `None` for a version-1 token, which publishes where it may subscribe.
    pub fn new<'a>(
        site_id: &str,
        subscribe: impl IntoIterator<Item = &'a str>,
        publish: Option<Vec<&'a str>>,
    ) -> Self {
        let mut packed = Vec::new();
        let subscribe_bits = if publish.is_none() {
            SUBSCRIBE | PUBLISH
        } else {
            SUBSCRIBE
        };
        let subscribe = subscribe.into_iter().map(|spelled| (subscribe_bits, spelled));
        let publish = publish.into_iter().flatten().map(|spelled| (PUBLISH, spelled));
        for (bits, spelled) in subscribe.chain(publish) {
            let Some(prefix) = channel::bare_prefix(spelled, site_id) else {
                continue;
            };
            // Longer than any channel name may be: it matches nothing.
            let Ok(length) = u16::try_from(prefix.len()) else {
                continue;
            };
            packed.push(bits);
            packed.extend_from_slice(&length.to_be_bytes());
            packed.extend_from_slice(prefix.as_bytes());
        }
        Self(packed.into_boxed_slice())
    }

    pub fn may_subscribe(&self, bare: &str) -> bool {
        self.covers(SUBSCRIBE, bare)
    }

    /// Whether the token covers a publish. The relay's own channels (`wps:`) are nobody's to publish on.
    pub fn may_publish(&self, bare: &str) -> bool {
        !channel::is_reserved(bare) && self.covers(PUBLISH, bare)
    }

    /// The prefixes that may be subscribed, bare; "" is the whole site.
    pub fn subscribe_prefixes(&self) -> impl Iterator<Item = &str> {
        self.entries()
            .filter(|(bits, _)| bits & SUBSCRIBE != 0)
            .filter_map(|(_, prefix)| str::from_utf8(prefix).ok())
    }

    /// The prefixes that may be published to, bare; "" is the whole site.
    pub fn publish_prefixes(&self) -> impl Iterator<Item = &str> {
        self.entries()
            .filter(|(bits, _)| bits & PUBLISH != 0)
            .filter_map(|(_, prefix)| str::from_utf8(prefix).ok())
    }

    fn covers(&self, bit: u8, bare: &str) -> bool {
        self.entries()
            .any(|(bits, prefix)| bits & bit != 0 && bare.as_bytes().starts_with(prefix))
    }

    fn entries(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (&[bits, high, low], tail) = rest.split_first_chunk::<3>()?;
            let (prefix, tail) = tail.split_at(usize::from(u16::from_be_bytes([high, low])));
            rest = tail;
            Some((bits, prefix))
        })
    }
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subscribe: Vec<_> = self.subscribe_prefixes().collect();
        let publish: Vec<_> = self.publish_prefixes().collect();
        f.debug_struct("Grants")
            .field("subscribe", &subscribe)
            .field("publish", &publish)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "0f0f";

    fn version_1(subscribe: &[&str]) -> Grants {
        Grants::new(SITE, subscribe.iter().copied(), None)
    }

    fn version_2(subscribe: &[&str], publish: &[&str]) -> Grants {
        Grants::new(SITE, subscribe.iter().copied(), Some(publish.to_vec()))
    }

    #[test]
    fn the_sites_own_prefix_covers_all_of_it() {
        let grants = version_1(&["site:0f0f:"]);
        assert!(grants.may_subscribe("events") && grants.may_publish("events"));
        assert!(grants.may_subscribe("wps:connections"));
    }

    #[test]
    fn version_1_publishes_where_it_may_subscribe() {
        let grants = version_1(&["site:0f0f:a", "b:"]);
        for (name, covered) in [
            ("a", true),
            ("ab", true),
            ("b:1", true),
            ("b", false),
            ("c", false),
            ("", false),
        ] {
            assert_eq!(
                (grants.may_subscribe(name), grants.may_publish(name)),
                (covered, covered),
                "{name}"
            );
        }
    }

    #[test]
    fn version_2_publishes_where_it_says() {
        let grants = version_2(&["site:0f0f:events", "both"], &["site:0f0f:carts:", "both"]);
        assert!(grants.may_subscribe("events") && !grants.may_publish("events"));
        assert!(!grants.may_subscribe("carts:7") && grants.may_publish("carts:7"));
        assert!(grants.may_subscribe("both") && grants.may_publish("both"));
        assert!(!version_2(&["a"], &[]).may_publish("a"));
    }

    #[test]
    fn bare_and_qualified_prefixes_are_the_same() {
        assert_eq!(version_1(&["woo:"]), version_1(&["site:0f0f:woo:"]));
    }

    #[test]
    fn other_sites_and_empty_prefixes_grant_nothing() {
        let grants = version_1(&["", "site:", "site:0f0f", "site:1111:", "site:0f0f:site:1111:"]);
        assert_eq!(grants, version_1(&[]));
        assert!(!grants.may_subscribe("a") && !grants.may_subscribe(""));
    }

    #[test]
    fn nobody_publishes_on_the_relays_channels() {
        let grants = version_2(&["site:0f0f:"], &["site:0f0f:", "wps:", "wps:connections"]);
        assert!(!grants.may_publish("wps:connections") && !grants.may_publish("wps:x"));
        assert!(grants.may_publish("wps"));
    }

    #[test]
    fn prefixes_can_be_read_back() {
        let grants = version_2(&["site:0f0f:", "ä"], &["p"]);
        assert_eq!(grants.subscribe_prefixes().collect::<Vec<_>>(), ["", "ä"]);
        assert_eq!(grants.publish_prefixes().collect::<Vec<_>>(), ["p"]);
        assert_eq!(
            format!("{grants:?}"),
            r#"Grants { subscribe: ["", "ä"], publish: ["p"] }"#
        );
    }

    #[test]
    fn a_prefix_longer_than_any_name_is_dropped() {
        let long = "x".repeat(70_000);
        assert_eq!(version_1(&[&long, "a"]), version_1(&["a"]));
    }

    #[test]
    fn a_set_is_one_small_allocation() {
        assert_eq!(size_of::<Grants>(), 16);
        assert_eq!(version_1(&["site:0f0f:"]).0.len(), 3);
    }
}
