//! Signatures of publishes and tokens of browsers, as the relay checks them.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use hookcast::ids::SiteId;
use hookcast::site::{
    Claims, Secrets, SignedHeaders, Site, SiteLimits, SiteStatus, Sites, mint, signature_hex, site_id,
    tenant_id,
};
use http::HeaderMap;

use super::{Rung, data};

const NOW_MS: u64 = 1_700_000_000_000;

pub(super) fn rungs() -> Vec<Rung> {
    let key = "0123456789abcdef0123456789abcdef";
    let (publish_secret, jwt_secret) = ("1".repeat(64), "2".repeat(64));
    let site = Site {
        id: SiteId(1),
        site_id: site_id(key),
        tenant_id: tenant_id(key),
        key: key.to_owned(),
        url: "https://bench.example".to_owned(),
        name: "Bench".to_owned(),
        status: SiteStatus::Active,
        publish_secrets: Secrets::only(publish_secret.clone()),
        jwt_secrets: Secrets::only(jwt_secret.clone()),
        limits: SiteLimits::default(),
        origins: Vec::new(),
        dispatch: None,
        live: Arc::default(),
    };
    let grant = format!("site:{}:", site.site_id);
    let claims = Claims {
        v: Some(2),
        tenant_id: site.tenant_id.clone(),
        site_id: site.site_id.clone(),
        user_id: "7".to_owned(),
        allowed_channel_prefixes: vec![grant.clone()],
        allowed_publish_prefixes: Some(vec![grant]),
        iat: NOW_MS / 1000,
        exp: NOW_MS / 1000 + 300,
    };
    let token = mint(&claims, &jwt_secret);
    let body = format!(
        r#"{{"channel":"events","event":"post.updated","data":{}}}"#,
        data()
    );
    let mut headers = HeaderMap::new();
    let signature = signature_hex(&publish_secret, body.as_bytes(), NOW_MS);
    for (name, value) in [
        ("x-wp-signal-key", key.to_owned()),
        ("x-wp-signal-ts", NOW_MS.to_string()),
        ("x-wp-signal-sign", signature),
    ] {
        headers.insert(name, value.parse().expect("plain text"));
    }
    let sites = Rc::new(Sites::new([site]));
    let publishers = Rc::clone(&sites);
    vec![
        Rung::new("auth", "check a publish's signature", 1, move || {
            let signed = SignedHeaders::parse(&headers).expect("all headers");
            black_box(
                publishers
                    .verify(&signed, black_box(body.as_bytes()), NOW_MS)
                    .expect("a sound signature"),
            );
        }),
        Rung::new("auth", "check a browser's token", 1, move || {
            black_box(
                sites
                    .verify_token(black_box(&token), NOW_MS, 10_000)
                    .expect("a sound token"),
            );
        }),
    ]
}
