//! The server reads and writes the API's types with serde, the web app with `hookcast-json`. What the one writes, the other reads as the same
//! value, and both refuse the same.

#![cfg(all(feature = "web", feature = "serde"))]

use hookcast_api::account::{ApiKeys, Me, NewApiKey, PasswordChange, Role, Scope, State, UserChange};
use hookcast_api::connect::ConnectQuery;
use hookcast_api::insight::{Channels, EventLog, PayloadWatch, StreamEvent};
use hookcast_api::site::{
    ArchiveRequest, Dispatch, DispatchChange, PublishRequest, RotateRequest, SiteChange, SiteLimits, Sites,
    Usage,
};
use hookcast_api::tools::{DoctorReport, TokenReport};
use hookcast_api::trigger::{TriggerChange, TriggerDocument, TriggerImport, TriggerTest, Triggers};
use hookcast_api::{ApiError, Done};
use hookcast_json::{FromJson, ToJson, read};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Read by both alike, and written so that both read it again.
fn alike<T: FromJson + ToJson + Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let server: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let app: T = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(server, app, "{text}");
    let from_server = serde_json::to_string(&server).unwrap();
    assert_eq!(read::<T>(&from_server).as_ref(), Ok(&server), "{from_server}");
    let from_app = app.to_json().to_text();
    assert_eq!(serde_json::from_str::<T>(&from_app).unwrap(), app, "{from_app}");
}

/// The same fields, spelled the same: for what the app sends.
fn sent<T: ToJson + Serialize>(value: &T) {
    let app: serde_json::Value = serde_json::from_str(&value.to_json().to_text()).unwrap();
    assert_eq!(app, serde_json::to_value(value).unwrap());
}

fn refused<T: FromJson + DeserializeOwned + Debug>(text: &str) {
    assert!(serde_json::from_str::<T>(text).is_err(), "{text}");
    assert!(read::<T>(text).is_err(), "{text}");
}

const SPEC: &str = r#"{"name":"A","enabled":true,"source":{"kind":"action","hook":"save_post"},"channel":"c","event":"e",
    "data":{"kind":"fields","fields":[{"name":"id","value":{"kind":"path","path":"1.ID"}},{"name":"n","value":{"kind":"constant","value":{"a":[1,2.5,null]}}}]},
    "conditions":{"mode":"any","rules":[{"path":"p","comparison":"at_least","value":3},{"path":"q","comparison":"missing"}]}}"#;

#[test]
fn answers_are_read_alike() {
    let me = r#"{"user":{"id":1,"email":"a@b","role":"owner","created_at":5,"last_login_at":null},"csrf":"c","session_id":"s","session_expires_at":9}"#;
    alike::<Me>(me);
    alike::<State>(&format!(
        r#"{{"api_version":1,"server_version":"0.1.0","needs_setup":false,"public_url":"https://r","base_path":"","me":{me}}}"#
    ));
    alike::<State>(
        r#"{"api_version":1,"server_version":"0","needs_setup":true,"public_url":"","base_path":"/r","secure":true}"#,
    );
    alike::<ApiError>(
        r#"{"error":"invalid_request","message":"no \"field\"\n","fields":[{"field":"a.0","message":"ü"}]}"#,
    );
    alike::<ApiError>(r#"{"error":"x","message":"y","later":{"unknown":[1]}}"#);
    alike::<Done>(r#"{"ok":true}"#);
    alike::<ApiKeys>(
        r#"{"keys":[{"id":7,"name":"n","scopes":["read","operate"],"hint":"ab","created_by":"a","created_at":1,"last_used_at":2,"expires_at":null}]}"#,
    );
    alike::<Usage>(
        r#"{"days":[{"day":"2026-11-20","publishes":3,"deliveries":9007199254740991,"connections_peak":0}]}"#,
    );
    alike::<Dispatch>(r#"{"enabled":true,"open":false,"url":"u","token_hint":"ab"}"#);
    alike::<Sites>(
        r#"{"sites":[{"site_key":"k","site_id":"i","name":"N","url":"u","status":"account_deactivated","limits":{"connections":5},
        "origins":["https://a"],"created_at":1,"archived_at":null,"previous_secrets_until":3,"connections":2,"published_this_month":4,
        "last_publish_at":null,"last_connection_at":8,"dispatch_enabled":true,"dispatch_open":false,"triggers":2,"payloads_until":null}]}"#,
    );
    alike::<Channels>(
        r#"{"channels":[{"name":"c","subscribers":1,"remembered":2,"members":[{"id":"m","state":{"x":"y"}}],"members_truncated":false}],"truncated":true}"#,
    );
    alike::<Triggers>(&format!(
        r#"{{"version":3,"triggers":[{{"id":"a","version":1,"spec":{SPEC},"created_at":1,"updated_at":2,"last_fired_at":null,"fired":0,"last_problem":"why"}}]}}"#
    ));
    alike::<TokenReport>(
        r#"{"header":{"alg":"HS256"},"claims":null,"site_key":null,"site_name":null,"signature":"unchecked","accepted":false,
        "refusal":{"code":"c","message":"m","close_code":4001},"user":null,"version":null,"issued_at":null,"expires_at":null,"now":1,
        "issued_ahead_seconds":null,"may_subscribe":[""],"may_publish":[],"channels":[{"channel":"c","subscribe":true,"publish":false}]}"#,
    );
    alike::<DoctorReport>(
        r#"{"at":1,"checks":[{"id":"port","status":"warning","finding":"f","remedy":"r"},{"id":"x","status":"skipped","finding":"g","remedy":null}]}"#,
    );
}

#[test]
fn every_event_of_the_stream_is_read_alike() {
    let totals = r#"{"sockets":1,"streams":2,"publishes":3,"deliveries":4,"drops":5,"refusals":6,"bytes_in":7,"bytes_out":8}"#;
    let rates = r#"{"publishes":0.1,"deliveries":12345.678901,"drops":0.0,"refusals":1e-7,"bytes_in":3,"bytes_out":2.5e9,"latency_p50_us":12,"latency_p99_us":null}"#;
    let tick = format!(
        r#"{{"at":1795000000123,"totals":{totals},"rates":{rates},"shards":[{{"shard":0,"totals":{totals},"rates":{rates},"channels":9,"queued_bytes":1}}],
        "sites":[{{"site_key":"k","sockets":1,"streams":0,"publishes":2,"deliveries":3,"drops":0,"refusals":0,"publishes_per_second":0.25,"deliveries_per_second":7}}]}}"#
    );
    let refusal =
        r#"{"seq":1,"at":2,"site_key":null,"surface":"socket","code":"c","message":"m","address":"::1"}"#;
    let attention = r#"{"code":"c","severity":"critical","message":"m","remedy":"r","site_key":"k"}"#;
    let entry = r#"{"seq":1,"at":2,"site_key":"k","channel":"c","event":"e","binary":false,"bytes":10,"recipients":3,"last_write_us":null,"origin":"wordpress"}"#;
    let connection = r#"{"id":"a","site_key":"k","transport":"websocket","user":"0","address":"a","shard":1,"opened_at":1,"token_expires_at":null,
        "channels":["c"],"present_in":[],"bytes_in":1,"bytes_out":2,"queued_bytes":0,"lag_ms":0,"dropped":0}"#;
    for event in [
        format!(r#"{{"type":"tick","tick":{tick}}}"#),
        format!(
            r#"{{"snapshot":{{"now":1,"relay":{{"version":"0","started_at":1,"shards":2,"driver":"epoll","driver_reason":"x"}},"tick":{tick},
            "history":[{{"at":1,"sockets":2,"streams":3,"rates":{rates}}}],"attention":[{attention}],"refusals":[{refusal}]}},"api_version":1,"type":"snapshot"}}"#
        ),
        format!(r#"{{"type":"attention","attention":[{attention}]}}"#),
        format!(r#"{{"type":"log","entries":[{entry}],"missed":2}}"#),
        r#"{"type":"log_written","entries":[{"seq":4,"recipients":1,"last_write_us":80}]}"#.to_owned(),
        format!(r#"{{"type":"refusals","entries":[{refusal}],"missed":0}}"#),
        format!(r#"{{"type":"connections","connections":{{"connections":[{connection}],"total":1}}}}"#),
        r#"{"type":"changed","what":"triggers","site_key":null}"#.to_owned(),
        r#"{"type":"too_slow"}"#.to_owned(),
        r#"{"type":"closing","reason":"stop"}"#.to_owned(),
    ] {
        alike::<StreamEvent>(&event);
    }
    alike::<EventLog>(&format!(r#"{{"entries":[{entry}],"missed":0}}"#));
    refused::<StreamEvent>(r#"{"type":"tick"}"#);
    refused::<StreamEvent>(r#"{"type":"nothing"}"#);
    refused::<StreamEvent>(r#"{"tick":{}}"#);
}

#[test]
fn requests_are_written_alike() {
    sent(&PasswordChange {
        current: "a\u{1}\"\\\n\t".to_owned(),
        new: "ü€😀".to_owned(),
    });
    sent(&UserChange {
        role: Some(Role::Viewer),
        password: None,
    });
    sent(&NewApiKey {
        name: "n".to_owned(),
        scopes: Scope::ALL.to_vec(),
        expires_in_days: None,
    });
    sent(&SiteChange::default());
    sent(&SiteChange {
        limits: Some(SiteLimits {
            connections: Some(0),
            publishes_per_second: None,
            messages_per_month: Some(u64::MAX),
        }),
        origins: Some(Vec::new()),
        deactivated: Some(true),
        ..SiteChange::default()
    });
    sent(&RotateRequest {
        password: String::new(),
        overlap_seconds: 86_400,
    });
    sent(&ArchiveRequest {
        confirm: "x".to_owned(),
    });
    sent(&DispatchChange {
        enabled: None,
        open: Some(false),
    });
    sent(&PayloadWatch { on: true });
    sent(&ConnectQuery {
        state: "s".to_owned(),
        callback_url: "c".to_owned(),
        site_url: "u".to_owned(),
        site_name: String::new(),
    });
    sent(&PublishRequest {
        channel: "c".to_owned(),
        event: "e".to_owned(),
        data: serde_json::json!({ "a": [1, -2, 3.5, true, null, "t"], "b": {} }),
    });
    alike::<TriggerChange>(&format!(r#"{{"version":4,"spec":{SPEC}}}"#));
    sent(&serde_json::from_str::<TriggerChange>(&format!(r#"{{"version":4,"spec":{SPEC}}}"#)).unwrap());
    let document =
        format!(r#"{{"replace":true,"document":{{"format":"hookcast-triggers-1","triggers":[{SPEC}]}}}}"#);
    sent(&serde_json::from_str::<TriggerImport>(&document).unwrap());
    for source in [
        r#"{"kind":"post_type","post_type":"page"}"#,
        r#"{"kind":"option","option":"o"}"#,
        r#"{"kind":"webhook","verify":"woocommerce"}"#,
        r#"{"kind":"webhook","verify":"github"}"#,
        r#"{"kind":"dispatch"}"#,
        r#"{"kind":"dispatch","event":"e"}"#,
    ] {
        alike::<hookcast_api::trigger::Source>(source);
        sent(&serde_json::from_str::<hookcast_api::trigger::Source>(source).unwrap());
    }
    sent(&TriggerTest {
        input: serde_json::json!([1, "two"]),
        publish: false,
    });
}

#[test]
fn a_misspelt_document_is_refused_by_both_and_the_way_to_the_mistake_is_told() {
    refused::<TriggerDocument>(r#"{"format":"f","triggers":[],"extra":1}"#);
    refused::<TriggerDocument>(r#"{"format":"f"}"#);
    refused::<TriggerDocument>(&format!(
        r#"{{"format":"f","triggers":[{}]}}"#,
        SPEC.replace("save_post\"", "save_post\",\"prio\":1")
    ));
    refused::<TriggerDocument>(&format!(
        r#"{{"format":"f","triggers":[{}]}}"#,
        SPEC.replace("\"any\"", "\"some\"")
    ));
    refused::<TriggerDocument>("[]");
    let misspelt = SPEC.replace("\"channel\"", "\"chanel\"");
    let why = read::<TriggerDocument>(&format!(r#"{{"format":"f","triggers":[{misspelt}]}}"#)).unwrap_err();
    assert_eq!(why, "triggers: unknown field `chanel`");
    let kind = SPEC.replace("\"enabled\":true", "\"enabled\":\"yes\"");
    let why = read::<TriggerDocument>(&format!(r#"{{"format":"f","triggers":[{kind}]}}"#)).unwrap_err();
    assert_eq!(why, "triggers.enabled: missing or of another kind");
}
