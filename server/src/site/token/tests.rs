//! Every way in which a token can be wrong, and the right ones.

use serde_json::json;

use super::*;
use crate::site::fixture::{self, JWT_SECRET};
use crate::site::{Secrets, tenant_id};

const NOW_S: u64 = 1_700_000_000;
const NOW: u64 = NOW_S * 1000;
const LEEWAY: u64 = 10_000;

fn one_site() -> Sites {
    Sites::new([fixture::site(1)])
}

/// A version-2 token's claims, good as they are.
fn claims() -> Value {
    let site = fixture::site(1);
    json!({
        "v": 2, "tenant_id": site.tenant_id, "site_id": site.site_id, "user_id": "7",
        "allowed_channel_prefixes": [format!("site:{}:events", site.site_id)],
        "allowed_publish_prefixes": [format!("site:{}:carts:", site.site_id)],
        "iat": NOW_S, "exp": NOW_S + 300,
    })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn token_with(header: Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

fn token(claims: &Value) -> String {
    token_with(json!({ "alg": "HS256", "typ": "JWT" }), claims, JWT_SECRET)
}

fn verdict(claims: &Value) -> Result<Session, TokenError> {
    let token = token(claims);
    let verdict = one_site().inspect_token(&token, NOW, LEEWAY).verdict;
    if let Some(session) = accepted(&token) {
        // The short way takes only what the long one takes, and for the same.
        assert_eq!(format!("{session:?}"), format!("{:?}", verdict.as_ref().unwrap()));
    }
    verdict
}

/// Whether the short way takes the token, and as what.
fn accepted(token: &str) -> Option<Session> {
    let clock = Clock {
        now_ms: NOW,
        leeway_ms: LEEWAY,
    };
    accept(&one_site(), token, clock)
}

fn refused(claims: &Value) -> TokenError {
    verdict(claims).unwrap_err()
}

#[test]
fn a_good_token_gives_its_session() {
    let session = verdict(&claims()).unwrap();
    assert_eq!(
        (&*session.user, session.version, session.exp),
        ("7", 2, NOW_S + 300)
    );
    assert_eq!(session.expires_ms(), NOW + 300_000);
    assert_eq!(session.site.id, fixture::site(1).id);
    assert!(session.grants.may_subscribe("events") && !session.grants.may_publish("events"));
    assert!(session.grants.may_publish("carts:1") && !session.grants.may_subscribe("carts:1"));
}

#[test]
fn a_usual_token_takes_the_short_way_and_no_other() {
    assert!(accepted(&token(&claims())).is_some());
    assert!(accepted(&token(&without("v"))).is_some());
    assert!(accepted(&token(&without("allowed_publish_prefixes"))).is_some());
    let null = ["v", "iat", "nbf", "exp", "user_id", "allowed_publish_prefixes"];
    for claim in null {
        assert!(accepted(&token(&with(claim, Value::Null))).is_none(), "{claim}");
    }
    for header in [
        json!({ "alg": "HS256", "crit": null }),
        json!({ "alg": "HS256", "crit": ["exp"] }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS512" }),
        json!({}),
    ] {
        assert!(
            accepted(&token_with(header.clone(), &claims(), JWT_SECRET)).is_none(),
            "{header}"
        );
    }
    assert!(accepted(&token_with(json!({ "alg": "HS256" }), &claims(), "another")).is_none());
    assert!(accepted(&token(&with("exp", json!(NOW_S - 60)))).is_none());
    assert!(accepted(&token(&with("tenant_id", json!("another")))).is_none());
    assert!(accepted(&token(&with("site_id", json!("another")))).is_none());
}

#[test]
fn a_token_without_a_version_is_version_1() {
    let session = verdict(&without("v")).unwrap();
    assert_eq!(session.version, 1);
    assert!(
        session.grants.may_publish("events"),
        "publishes where it may subscribe"
    );
    assert!(!session.grants.may_publish("carts:1"), "and nowhere else");
}

#[test]
fn version_2_without_publish_prefixes_publishes_nowhere() {
    let session = verdict(&without("allowed_publish_prefixes")).unwrap();
    assert!(session.grants.may_subscribe("events") && !session.grants.may_publish("carts:1"));
}

#[test]
fn a_minted_token_is_accepted() {
    let site = fixture::site(1);
    for v in [None, Some(2)] {
        let claims = Claims {
            v,
            tenant_id: site.tenant_id.clone(),
            site_id: site.site_id.clone(),
            user_id: "0".into(),
            allowed_channel_prefixes: vec![format!("site:{}:", site.site_id)],
            allowed_publish_prefixes: v.map(|_| vec!["carts:".into()]),
            iat: NOW_S,
            exp: NOW_S + LIFETIME_MAX_S,
        };
        let session = one_site()
            .verify_token(&mint(&claims, JWT_SECRET), NOW, LEEWAY)
            .unwrap();
        assert_eq!((session.version, &*session.user), (v.unwrap_or(1), "0"));
    }
}

/// `base64url({"alg":"HS256","typ":"JWT"}).base64url(claims)` signed by Python's `hmac`, as PHP plugins sign it.
#[test]
fn a_token_signed_elsewhere_is_accepted() {
    let signed_elsewhere = concat!(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0ZW5hbnRfaWQiOiIyNTIzMDU2Y2ZiNjM3OWJiMTdhMjY2ODZjYjllZTc4ZDdlM2E0ZWU2M",
        "jQwZWRhZjc1NGIxOTY2MTI3MmVmMzBhIiwic2l0ZV9pZCI6ImY3N2ViNzdjMzA4NWQxZWY2NGJjZTQxOWRlMDNhMjQ2MTk5OThhMTc1ODA5NDE",
        "3OTliYjQ0MjU2ZWMyMmU2YmYiLCJ1c2VyX2lkIjoiMTIiLCJhbGxvd2VkX2NoYW5uZWxfcHJlZml4ZXMiOlsic2l0ZTpmNzdlYjc3YzMwODVkM",
        "WVmNjRiY2U0MTlkZTAzYTI0NjE5OTk4YTE3NTgwOTQxNzk5YmI0NDI1NmVjMjJlNmJmOiJdLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDA",
        "wMDMwMH0.6QTZqI2_nrIuGF9ItX7r8ghPqFlq8fo0xHWPM2_oO8o",
    );
    let session = one_site().verify_token(signed_elsewhere, NOW, LEEWAY).unwrap();
    assert_eq!((&*session.user, session.version), ("12", 1));
}

#[test]
fn what_is_no_token_is_refused() {
    let good = token(&claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let not_json = format!(
        "{}.{}.x",
        URL_SAFE_NO_PAD.encode("no"),
        URL_SAFE_NO_PAD.encode("no")
    );
    let not_objects = format!(
        "{}.{}.x",
        URL_SAFE_NO_PAD.encode("[]"),
        URL_SAFE_NO_PAD.encode("7")
    );
    let deep = format!(
        "{}.{}.x",
        URL_SAFE_NO_PAD.encode("[".repeat(9_000)),
        URL_SAFE_NO_PAD.encode("{}")
    );
    for bad in [
        "a",
        "a.b",
        "..",
        "a.b.c",
        "....",
        signed,
        &not_json,
        &not_objects,
        &deep,
        &format!("{good}.x"),
        "ä.ö.ü",
        " . . ",
    ] {
        let report = one_site().inspect_token(bad, NOW, LEEWAY);
        assert!(
            matches!(report.verdict, Err(TokenError::Malformed(_))),
            "{bad:?}: {:?}",
            report.verdict
        );
    }
    let verdict = |token: &str| one_site().inspect_token(token, NOW, LEEWAY).verdict.unwrap_err();
    assert_eq!(verdict(""), TokenError::Missing);
    assert_eq!(verdict(&"x".repeat(TOKEN_BYTES_MAX + 1)), TokenError::TooLong);
}

#[test]
fn only_hs256_is_an_algorithm() {
    for alg in [
        json!("none"),
        json!("None"),
        json!("HS384"),
        json!("HS512"),
        json!("RS256"),
        json!("hs256"),
        json!(null),
        json!(1),
    ] {
        let token = token_with(json!({ "alg": alg }), &claims(), JWT_SECRET);
        assert_eq!(
            one_site().inspect_token(&token, NOW, LEEWAY).verdict.unwrap_err(),
            TokenError::Algorithm,
            "{alg}"
        );
    }
    let unsigned = token_with(json!({ "alg": "none" }), &claims(), JWT_SECRET);
    let unsigned = &unsigned[..=unsigned.rfind('.').unwrap()];
    assert_eq!(
        one_site()
            .inspect_token(unsigned, NOW, LEEWAY)
            .verdict
            .unwrap_err(),
        TokenError::Algorithm
    );
    let no_alg = token_with(json!({ "typ": "JWT" }), &claims(), JWT_SECRET);
    assert_eq!(
        one_site()
            .inspect_token(&no_alg, NOW, LEEWAY)
            .verdict
            .unwrap_err(),
        TokenError::Algorithm
    );
}

#[test]
fn crit_is_refused_whatever_it_names() {
    for crit in [json!(["b64"]), json!([]), json!(null), json!("exp")] {
        let token = token_with(json!({ "alg": "HS256", "crit": crit }), &claims(), JWT_SECRET);
        assert_eq!(
            one_site().inspect_token(&token, NOW, LEEWAY).verdict.unwrap_err(),
            TokenError::Critical
        );
    }
}

#[test]
fn a_signature_holds_for_its_own_bytes_only() {
    let good = token(&claims());
    let signature_at = good.rfind('.').unwrap() + 1;
    let mut changed = 0;
    for place in (0..signature_at - 1).filter(|place| good.as_bytes()[*place] != b'.') {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        assert!(one_site().verify_token(&token, NOW, LEEWAY).is_err());
        changed += 1;
    }
    assert!(changed > 300, "the loop changed something");
    for signature in [
        "",
        "A",
        "!!!!",
        &"A".repeat(43),
        &good[signature_at..good.len() - 1],
        &format!("{}A", &good[signature_at..]),
    ] {
        let token = format!("{}{signature}", &good[..signature_at]);
        assert_eq!(
            one_site().inspect_token(&token, NOW, LEEWAY).verdict.unwrap_err(),
            TokenError::Signature,
            "{signature}"
        );
    }
}

#[test]
fn another_sites_secret_signs_nothing() {
    let other = Site {
        jwt_secrets: Secrets::only("3".repeat(64)),
        ..fixture::site(2)
    };
    let sites = Sites::new([fixture::site(1), other]);
    let foreign = token_with(json!({ "alg": "HS256" }), &claims(), &"3".repeat(64));
    assert_eq!(
        sites.inspect_token(&foreign, NOW, LEEWAY).verdict.unwrap_err(),
        TokenError::Signature
    );
}

#[test]
fn the_tenant_belongs_to_the_site() {
    let other = tenant_id(&fixture::site(2).key);
    assert_eq!(refused(&with("tenant_id", other.into())), TokenError::Tenant);
    assert_eq!(refused(&with("tenant_id", "".into())), TokenError::Tenant);
    assert_eq!(
        refused(&without("tenant_id")),
        TokenError::ClaimMissing("tenant_id")
    );
}

#[test]
fn sites_that_are_not_here_are_unknown() {
    let unknown = with("site_id", "f".repeat(64).into());
    assert_eq!(refused(&unknown), TokenError::UnknownSite);
    for (status, expected) in [
        (SiteStatus::Archived, TokenError::Archived),
        (SiteStatus::AccountDeactivated, TokenError::AccountDeactivated),
    ] {
        let sites = Sites::new([Site {
            status,
            ..fixture::site(1)
        }]);
        assert_eq!(
            sites
                .inspect_token(&token(&claims()), NOW, LEEWAY)
                .verdict
                .unwrap_err(),
            expected
        );
        let refusal = sites.verify_token(&token(&claims()), NOW, LEEWAY).unwrap_err();
        assert_eq!((refusal.status, refusal.close().code()), (404, 4003));
    }
}

#[test]
fn every_other_refusal_is_unauthorized() {
    let refusal = one_site().verify_token("garbage", NOW, LEEWAY).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code, refusal.close().code()),
        (401, "unauthorized", 4001)
    );
    assert_eq!(refusal.site, None);
    let expired = token(&with("exp", json!(1)));
    let refusal = one_site().verify_token(&expired, NOW, LEEWAY).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.site),
        ("unauthorized", Some(fixture::site(1).id)),
        "the site is known by then"
    );
}

#[test]
fn claims_have_their_types() {
    for (claim, value) in [
        ("site_id", json!(1)),
        ("tenant_id", json!(null)),
        ("user_id", json!(7)),
        ("user_id", json!("x".repeat(USER_ID_BYTES_MAX + 1))),
        ("user_id", json!("a\nb")),
        ("allowed_channel_prefixes", json!("events")),
        ("allowed_channel_prefixes", json!([1])),
        ("allowed_publish_prefixes", json!({})),
        ("v", json!("2")),
        ("v", json!(0)),
        ("v", json!(1.5)),
        ("exp", json!((NOW_S + 300).to_string())),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("iat", json!("now")),
        ("nbf", json!([])),
    ] {
        let error = refused(&with(claim, value.clone()));
        assert!(
            matches!(error, TokenError::ClaimInvalid { claim: named, .. } if named == claim),
            "{claim} {value}: {error:?}"
        );
    }
    for claim in [
        "site_id",
        "tenant_id",
        "user_id",
        "allowed_channel_prefixes",
        "exp",
    ] {
        assert_eq!(refused(&without(claim)), TokenError::ClaimMissing(claim));
    }
}

#[test]
fn a_later_version_is_read_like_version_2() {
    assert_eq!(verdict(&with("v", json!(3))).unwrap().version, 3);
    assert_eq!(verdict(&with("v", json!(1000))).unwrap().version, 255);
    assert!(
        !verdict(&with("v", json!(3)))
            .unwrap()
            .grants
            .may_publish("events")
    );
    assert!(
        verdict(&with("v", json!(1)))
            .unwrap()
            .grants
            .may_publish("events")
    );
}

#[test]
fn a_token_expires_after_the_leeway() {
    assert!(verdict(&with("exp", json!(NOW_S))).is_ok());
    assert!(verdict(&with("exp", json!(NOW_S - 9))).is_ok());
    assert_eq!(
        refused(&with("exp", json!(NOW_S - 10))),
        TokenError::Expired { ago_s: 10 }
    );
    assert_eq!(
        refused(&with("exp", json!(0))),
        TokenError::Expired { ago_s: NOW_S }
    );
    assert!(
        verdict(&with("exp", json!(NOW_S as f64 + 0.5))).is_ok(),
        "a date may have a fraction"
    );
}

#[test]
fn a_token_is_not_from_the_future_beyond_the_leeway() {
    for claim in ["iat", "nbf"] {
        assert!(verdict(&with(claim, json!(NOW_S + 10))).is_ok());
        assert_eq!(
            refused(&with(claim, json!(NOW_S + 11))),
            TokenError::NotYetValid { claim, ahead_s: 11 }
        );
        assert_eq!(
            refused(&with(claim, json!(u64::MAX))),
            TokenError::NotYetValid {
                claim,
                ahead_s: u64::MAX - NOW_S
            }
        );
    }
}

#[test]
fn a_life_is_at_most_a_day() {
    assert!(verdict(&with("exp", json!(NOW_S + LIFETIME_MAX_S))).is_ok());
    let life_s = LIFETIME_MAX_S + 1;
    assert_eq!(
        refused(&with("exp", json!(NOW_S + life_s))),
        TokenError::LifeTooLong { life_s }
    );
    assert!(matches!(
        refused(&with("exp", json!(u64::MAX))),
        TokenError::LifeTooLong { .. }
    ));
    assert!(matches!(
        refused(&with("exp", json!(1e300))),
        TokenError::LifeTooLong { .. }
    ));
    let mut no_iat = without("iat");
    no_iat["exp"] = json!(NOW_S + life_s);
    assert_eq!(
        refused(&no_iat),
        TokenError::LifeTooLong { life_s },
        "counted from now"
    );
    let mut old = with("iat", json!(NOW_S - LIFETIME_MAX_S));
    old["exp"] = json!(NOW_S + 1);
    assert_eq!(refused(&old), TokenError::LifeTooLong { life_s });
}

#[test]
fn both_secrets_work_during_a_rotation() {
    let fresh = "4".repeat(64);
    let rotated = |until_ms| Site {
        jwt_secrets: Secrets {
            current: fresh.clone(),
            previous: Some((JWT_SECRET.into(), until_ms)),
        },
        ..fixture::site(1)
    };
    let during = Sites::new([rotated(NOW + 1)]);
    let old = during.inspect_token(&token(&claims()), NOW, LEEWAY);
    assert!(old.verdict.is_ok() && old.previous_secret);
    let new = during.inspect_token(
        &token_with(json!({ "alg": "HS256" }), &claims(), &fresh),
        NOW,
        LEEWAY,
    );
    assert!(new.verdict.is_ok() && !new.previous_secret);
    let after = Sites::new([rotated(NOW)]);
    assert_eq!(
        after
            .inspect_token(&token(&claims()), NOW, LEEWAY)
            .verdict
            .unwrap_err(),
        TokenError::Signature
    );
}

#[test]
fn a_refresh_is_for_the_same_site_and_user() {
    let sites = Sites::new([fixture::site(1), fixture::site(2)]);
    let session = verdict(&claims()).unwrap();
    assert_eq!(
        session.refreshed_by(&verdict(&with("exp", json!(NOW_S + 600))).unwrap()),
        Ok(())
    );
    let other_user = verdict(&with("user_id", "8".into())).unwrap();
    assert_eq!(
        session.refreshed_by(&other_user).unwrap_err().code,
        "unauthorized"
    );
    let two = fixture::site(2);
    let mut of_two = with("site_id", two.site_id.into());
    of_two["tenant_id"] = two.tenant_id.into();
    let other_site = sites.inspect_token(&token(&of_two), NOW, LEEWAY).verdict.unwrap();
    assert_eq!(
        session.refreshed_by(&other_site).unwrap_err().code,
        "unauthorized"
    );
}

#[test]
fn a_report_shows_what_was_seen_before_the_refusal() {
    let expired = one_site().inspect_token(&token(&with("exp", json!(1))), NOW, LEEWAY);
    assert_eq!(expired.claims.unwrap()["user_id"], "7");
    assert_eq!(expired.header.unwrap()["alg"], "HS256");
    assert!(expired.site.is_some());
    let sentence = expired.verdict.unwrap_err().to_string();
    assert_eq!(sentence, format!("the token expired {} s ago", NOW_S - 1));
}

#[test]
fn no_refusal_contains_the_token() {
    let good = token(&claims());
    let signature = good.rsplit('.').next().unwrap();
    let sites = Sites::new([Site {
        jwt_secrets: Secrets::only("9".repeat(64)),
        ..fixture::site(1)
    }]);
    let refusal = sites.verify_token(&good, NOW, LEEWAY).unwrap_err().to_string();
    assert!(
        !refusal.contains(signature) && !refusal.contains(&good[..20]),
        "{refusal}"
    );
}

proptest::proptest! {
    #[test]
    fn any_claims_give_a_verdict(claim in "(site_id|tenant_id|user_id|exp|iat|nbf|v|allowed_channel_prefixes)", value in any_json()) {
        // `verdict` compares both ways.
        let _ = verdict(&with(&claim, value));
    }

    #[test]
    fn any_text_gives_a_verdict(text in "[A-Za-z0-9_.=-]{0,60}") {
        proptest::prop_assert!(one_site().verify_token(&text, NOW, LEEWAY).is_err());
    }
}

fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}
