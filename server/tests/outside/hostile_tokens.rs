//! Tokens that must not open a door, on sockets and streams alike.

use crate::relay;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::{Relay, Site, Ws, now};

fn is_refused(relay: &Relay, what: &str, token: &str) {
    assert_eq!(
        Ws::refused(relay.address(), &format!("/ws?token={token}")).0,
        4001,
        "{what}"
    );
    let answer = relay.get(&format!("/sse?channels=events&token={token}"));
    assert_eq!(answer.status, 401, "{what}");
    assert!(!answer.error().is_empty());
}

fn is_taken(relay: &Relay, what: &str, token: &str) {
    let mut socket = Ws::open(relay.address(), &format!("/ws?token={token}"));
    socket.send(&json!({"type": "subscribe", "channels": ["events"]}));
    assert_eq!(
        socket.text(),
        json!({"type": "subscribed", "channels": ["events"]}),
        "{what}"
    );
}

#[test]
fn only_hs256_is_taken() {
    let (relay, site) = relay();
    let token = site.token();
    is_taken(&relay, "the good one", &token.sign());
    is_taken(&relay, "without typ", &{
        let mut token = token.clone();
        token.header = json!({"alg": "HS256"});
        token.sign()
    });
    for algorithm in [
        "none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "",
    ] {
        let other = token.clone().header("alg", json!(algorithm));
        is_refused(&relay, algorithm, &other.sign());
        is_refused(&relay, algorithm, &format!("{}.", other.unsigned()));
        is_refused(&relay, algorithm, &other.unsigned());
    }
    let mut without = token.clone();
    without.header = json!({"typ": "JWT"});
    is_refused(&relay, "no alg", &without.sign());
    is_refused(
        &relay,
        "crit",
        &token.clone().header("crit", json!(["exp"])).sign(),
    );
    is_refused(
        &relay,
        "alg is a list",
        &token.clone().header("alg", json!(["HS256"])).sign(),
    );
    for (name, value) in [
        ("jku", "https://evil.example/keys"),
        ("kid", "../../../dev/null"),
        ("x5u", "file:///etc/passwd"),
    ] {
        is_refused(
            &relay,
            name,
            &token.clone().header(name, json!(value)).secret("").sign(),
        );
    }
}

#[test]
fn the_signature_must_be_whole() {
    let (relay, site) = relay();
    let good = site.token().sign();
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    is_refused(&relay, "no signature", message);
    is_refused(&relay, "empty signature", &format!("{message}."));
    is_refused(
        &relay,
        "short signature",
        &format!("{message}.{}", URL_SAFE_NO_PAD.encode(&bytes[..16])),
    );
    is_refused(
        &relay,
        "long signature",
        &format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode([&bytes[..], &[0]].concat())
        ),
    );
    is_refused(
        &relay,
        "hex signature",
        &format!(
            "{message}.{}",
            bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
        ),
    );
    is_refused(
        &relay,
        "zeros",
        &format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 32])),
    );
    is_refused(&relay, "four parts", &format!("{good}.x"));
    is_refused(&relay, "two tokens", &format!("{good}{good}"));
    // The payload changed under a good signature.
    let other = site.token().user("8").unsigned();
    is_refused(&relay, "another payload", &format!("{other}.{signature}"));
    // The bytes that the hex secret spells are another key.
    let decoded: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&site.jwt_secret[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    if let Ok(secret) = String::from_utf8(decoded) {
        is_refused(&relay, "the decoded secret", &site.token().secret(&secret).sign());
    }
    is_refused(
        &relay,
        "the publish secret",
        &site.token().secret(&site.publish_secret).sign(),
    );
    is_refused(
        &relay,
        "upper case",
        &site.token().secret(&site.jwt_secret.to_uppercase()).sign(),
    );
}

#[test]
fn times_must_be_there_and_make_sense() {
    let (relay, site) = relay();
    let token = site.token();
    let now = now().as_secs();
    is_taken(
        &relay,
        "a day",
        &token.clone().claim("exp", json!(now + 86_000)).sign(),
    );
    is_taken(
        &relay,
        "five seconds ago, with clocks that differ",
        &token
            .clone()
            .claim("iat", json!(now - 300))
            .claim("exp", json!(now - 4))
            .sign(),
    );
    is_taken(
        &relay,
        "issued five seconds ahead",
        &token.clone().claim("iat", json!(now + 5)).sign(),
    );
    is_refused(&relay, "no exp", &token.clone().without("exp").sign());
    is_refused(
        &relay,
        "exp 30 s ago",
        &token.clone().claim("exp", json!(now - 30)).sign(),
    );
    is_refused(
        &relay,
        "exp in 25 hours",
        &token.clone().claim("exp", json!(now + 90_000)).sign(),
    );
    is_refused(
        &relay,
        "exp in year 10000",
        &token.clone().claim("exp", json!(253_402_300_800_u64)).sign(),
    );
    is_refused(
        &relay,
        "issued in an hour",
        &token
            .clone()
            .claim("iat", json!(now + 3600))
            .claim("exp", json!(now + 3700))
            .sign(),
    );
    for exp in [
        json!(null),
        json!((now + 60).to_string()),
        json!(-1),
        json!([now + 60]),
        json!(true),
        json!({}),
        json!(1e300),
        json!(u64::MAX),
    ] {
        is_refused(
            &relay,
            &format!("exp {exp}"),
            &token.clone().claim("exp", exp).sign(),
        );
    }
}

#[test]
fn claims_of_the_wrong_shape_are_refused() {
    let (relay, site) = relay();
    let token = site.token();
    let wrong: [(&str, Value); 10] = [
        ("tenant_id", json!("0".repeat(64))),
        ("tenant_id", json!(7)),
        ("tenant_id", json!(site.tenant_id.to_uppercase())),
        ("site_id", json!(site.id.to_uppercase() + "x")),
        ("site_id", json!(null)),
        ("user_id", json!(7)),
        ("user_id", json!(["7"])),
        ("allowed_channel_prefixes", json!("events")),
        ("allowed_channel_prefixes", json!([7])),
        ("v", json!("2")),
    ];
    for (name, value) in wrong {
        let what = format!("{name} = {value}");
        let token = token.clone().claim(name, value).sign();
        let (code, _) = Ws::refused(relay.address(), &format!("/ws?token={token}"));
        // A site id that names no site is 4003, everything else 4001.
        assert!(
            code == 4001 || (name == "site_id" && code == 4003),
            "{what}: {code}"
        );
    }
    for name in ["tenant_id", "site_id", "user_id", "allowed_channel_prefixes"] {
        is_refused(&relay, &format!("no {name}"), &token.clone().without(name).sign());
    }
}

#[test]
fn a_token_that_names_another_site_opens_neither() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let mixed = |site_of: &Site, tenant_of: &Site, secret_of: &Site| {
        one.token()
            .claim("site_id", json!(site_of.id))
            .claim("tenant_id", json!(tenant_of.tenant_id))
            .secret(&secret_of.jwt_secret)
            .sign()
    };
    is_refused(&relay, "two's id, one's secret", &mixed(&two, &two, &one));
    is_refused(&relay, "one's id, two's secret", &mixed(&one, &one, &two));
    is_refused(
        &relay,
        "two's id and secret, one's tenant",
        &mixed(&two, &one, &two),
    );
    is_refused(
        &relay,
        "one's id and secret, two's tenant",
        &mixed(&one, &two, &one),
    );
}

#[test]
fn what_is_no_token_is_refused() {
    let (relay, site) = relay();
    let good = site.token();
    let (header, rest) = good
        .unsigned()
        .split_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("two parts");
    let padded = format!("{header}=.{rest}");
    let nested = "[".repeat(10_000);
    let deep = URL_SAFE_NO_PAD.encode(&nested);
    let list = format!("{}.{}.x", header, URL_SAFE_NO_PAD.encode("[]"));
    let standard = STANDARD.encode("\u{ff}\u{fe}???>>>");
    let long = "x".repeat(12_000);
    let cases = [
        "",
        ".",
        "..",
        "...",
        "null",
        "%00",
        "%ff%fe",
        "a.b.c",
        &padded,
        &list,
        &standard.replace(['+', '/', '='], "%2B"),
        &format!("{deep}.{deep}.{deep}")[..12_000],
        &long,
    ];
    for token in cases {
        is_refused(&relay, &token[..token.len().min(40)], token);
    }
}
