//! The API as an OpenAPI 3.1 document, printed from the table of routes and the types themselves.

use std::sync::LazyLock;

use bytes::Bytes;
use hookcast_api::routes::{Access, Body, ROUTES, Route};
use hookcast_api::{API_VERSION, ApiError, CSRF_HEADER, Done};
use hookcast_api::{account, connect, insight, site, tools, trigger};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::exchange::Answer;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    serde_json::to_vec(&document())
        .expect("the document is plain data")
        .into()
});

pub fn answer() -> Answer {
    Answer::media("application/json", DOCUMENT.clone())
}

pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hookcast operator API",
            "version": API_VERSION.to_string(),
            "description": "Everything the web app shows and does. Times are unix milliseconds. A refusal is \
                            {\"error\": CODE, \"message\": TEXT}, with the wrong fields where there are some.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "session": {
                    "type": "apiKey", "in": "cookie", "name": hookcast_api::SESSION_COOKIE,
                    "description": format!("Set by the log-in; __Secure- is put before its name under https. Every \
                                            state change carries the session's CSRF token in {CSRF_HEADER}."),
                },
                "key": {"type": "http", "scheme": "bearer", "description": "An API key with the scope that the operation names"},
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.op.name(),
        "summary": route.summary,
        "responses": {
            "200": {"description": "Done", "content": content(route.response)},
            "default": {
                "description": "Refused",
                "content": {"application/json": {"schema": reference("ApiError")}},
            },
        },
        "x-access": access(route.access),
    });
    let parameters = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
    });
    let parameters = parameters.collect::<Vec<_>>();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(request) = route.request {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": reference(request)}}});
    }
    operation["security"] = match route.access {
        Access::Public | Access::OwnProof => json!([]),
        Access::Oneself | Access::OwnerOnly => json!([{"session": []}]),
        Access::Viewer(scope) | Access::Owner(scope) => json!([{"session": []}, {"key": [scope.as_str()]}]),
    };
    operation
}

/// Who may call a route, in a phrase.
pub fn access(access: Access) -> String {
    match access {
        Access::Public => "anyone".to_owned(),
        Access::OwnProof => "whoever proves themselves in the request".to_owned(),
        Access::Oneself => "anyone signed in".to_owned(),
        Access::Viewer(scope) => format!("anyone signed in, or a key with `{}`", scope.as_str()),
        Access::Owner(scope) => format!("an owner, or a key with `{}`", scope.as_str()),
        Access::OwnerOnly => "an owner".to_owned(),
    }
}

fn content(body: Body) -> Value {
    match body {
        Body::Json(name) => json!({"application/json": {"schema": reference(name)}}),
        Body::Events(name) => {
            json!({"text/event-stream": {"schema": {"type": "string"}, "x-event": reference(name)}})
        }
        Body::Media(kind) => json!({kind: {}}),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn schemas() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut schemas = settings.into_generator();
    register(&mut schemas);
    Value::Object(schemas.take_definitions(true))
}

/// Every type that a route names; those within them come along.
fn register(all: &mut SchemaGenerator) {
    macro_rules! types {
        ($($kind:ty),* $(,)?) => { $(named::<$kind>(all);)* };
    }
    types!(
        ApiError,
        Done,
        account::State,
        account::SetupRequest,
        account::LoginRequest,
        account::Me,
        account::PasswordChange,
        account::PasswordAgain,
        account::Sessions,
        account::Users,
        account::NewUser,
        account::User,
        account::UserChange,
        account::ApiKeys,
        account::NewApiKey,
        account::CreatedApiKey,
        site::Sites,
        site::NewSite,
        site::AddedSite,
        site::Site,
        site::SiteChange,
        site::Credentials,
        site::RotateRequest,
        site::ArchiveRequest,
        site::Usage,
        site::WpConfig,
        site::Dispatch,
        site::DispatchChange,
        site::DispatchToken,
        site::PublishRequest,
        site::RegisterRequest,
        site::UnregisterRequest,
        trigger::Triggers,
        trigger::TriggerSpec,
        trigger::TriggerChange,
        trigger::SavedTrigger,
        trigger::TriggerTest,
        trigger::TriggerTestResult,
        trigger::WebhookSecretRequest,
        trigger::WebhookSecret,
        trigger::TriggerOrder,
        trigger::TriggerDocument,
        trigger::TriggerImport,
        trigger::SiteTriggers,
        insight::Snapshot,
        insight::StreamEvent,
        insight::EventLog,
        insight::Refusals,
        insight::Channels,
        insight::Connections,
        insight::PayloadWatch,
        insight::PayloadWatchState,
        tools::InspectRequest,
        tools::TokenReport,
        tools::MintRequest,
        tools::MintedToken,
        tools::AuditLog,
        tools::EffectiveConfig,
        tools::DoctorRequest,
        tools::DoctorReport,
        connect::ConnectQuery,
        connect::ConnectDescription,
        connect::ConnectAuthorized,
        connect::ConnectCancelled,
        connect::ExchangeRequest,
    );
}

fn named<T: JsonSchema>(all: &mut SchemaGenerator) {
    let _ = all.subschema_for::<T>();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_an_entry_and_every_entry_a_route() {
        let document = document();
        let mut listed = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(
                    operation["summary"]
                        .as_str()
                        .is_some_and(|summary| !summary.is_empty())
                );
                listed.insert((method.to_ascii_uppercase(), path.clone()));
            }
        }
        let routes = ROUTES
            .iter()
            .map(|route| (route.method.as_str().to_owned(), route.path.to_owned()));
        assert_eq!(listed, routes.collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_type_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        let mut references = 0;
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
            references += 1;
        }
        assert!(references > 100, "{references}");
    }

    #[test]
    fn secrets_are_typed_and_documented_where_they_are_asked_for() {
        let document = document();
        let schema = &document["components"]["schemas"]["LoginRequest"];
        assert_eq!(schema["properties"]["password"]["type"], "string");
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn docs_list_every_route() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (prose, _) = text.split_once("\n| method |").unwrap_or((text.trim_end(), ""));
        let rows = ROUTES.iter().map(|route| {
            format!(
                "| {} | `{}` | {} | {} |\n",
                route.method.as_str(),
                route.path,
                super::access(route.access),
                route.summary
            )
        });
        let head = "| method | path | who | what |\n| --- | --- | --- | --- |\n";
        let wanted = format!("{}\n\n{head}{}", prose.trim_end(), rows.collect::<String>());
        if std::env::var_os("WRITE_DOCS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        } else {
            assert!(
                text == wanted,
                "docs/api.md does not list the routes as they are: see the note in it"
            );
        }
    }
}
