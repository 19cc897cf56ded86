//! Token tools: what a browser token says, and test tokens.

use hookcast_api::tools::{
    ChannelCheck, InspectRequest, MintRequest, MintedToken, SignatureCheck, TokenRefusal, TokenReport,
};
use serde_json::Value;
use wire::channel;

use super::call::Call;
use super::exchange::{Answer, Failure};
use crate::site::{Claims, Refusal, SiteStatus, TokenError, mint as signed};
use crate::store::audit;

const CHANNELS_MAX: usize = 100;
const PREFIXES_MAX: usize = 100;
const LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 10..=86_400;

pub fn inspect(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: InspectRequest = call.ask.json()?;
    if request.channels.len() > CHANNELS_MAX {
        return Err(Failure::field("channels", "at most 100"));
    }
    let now_ms = call.now_ms();
    let name_bytes_max = call.ask.config.limits.channel_name_bytes_max;
    let leeway_ms = call.ask.config.session.clock_leeway_ms;
    let found = call
        .admin
        .store
        .sites()
        .inspect_token(request.token.trim(), now_ms, leeway_ms);
    let claim = |name: &str| found.claims.as_ref().and_then(|claims| claims.get(name));
    let seconds = |name: &str| claim(name).and_then(Value::as_u64);
    let millis = |name: &str| seconds(name).map(|seconds| seconds.saturating_mul(1000));
    let session = found.verdict.as_ref().ok();
    let signature = match &found.verdict {
        Err(TokenError::Signature) => SignatureCheck::Wrong,
        _ if found
            .site
            .as_ref()
            .is_none_or(|site| site.status != SiteStatus::Active) =>
        {
            SignatureCheck::Unchecked
        }
        _ if found.previous_secret => SignatureCheck::Previous,
        _ => SignatureCheck::Current,
    };
    let refusal = found.verdict.as_ref().err().cloned().map(|error| {
        let refusal = Refusal::from(error);
        TokenRefusal {
            code: refusal.code.to_owned(),
            close_code: refusal.close().code(),
            message: refusal.message.into_owned(),
        }
    });
    let prefixes =
        |of: fn(&crate::site::Grants) -> Vec<String>| session.map(|s| of(&s.grants)).unwrap_or_default();
    let channels = request.channels.iter().map(|spelled| {
        let bare = found
            .site
            .as_ref()
            .and_then(|site| channel::bare(spelled, &site.site_id, name_bytes_max).ok());
        ChannelCheck {
            channel: spelled.clone(),
            subscribe: session
                .zip(bare)
                .is_some_and(|(session, bare)| session.grants.may_subscribe(bare)),
            publish: session
                .zip(bare)
                .is_some_and(|(session, bare)| session.grants.may_publish(bare)),
        }
    });
    Ok(Answer::json(&TokenReport {
        channels: channels.collect(),
        site_key: found.site.as_ref().map(|site| site.key.clone()),
        site_name: found.site.as_ref().map(|site| site.name.clone()),
        accepted: session.is_some(),
        refusal,
        signature,
        user: claim("user_id").and_then(Value::as_str).map(str::to_owned),
        version: found.claims.as_ref().map(|_| match claim("v") {
            None => 1,
            Some(v) => v.as_u64().and_then(|v| u8::try_from(v).ok()).unwrap_or(0),
        }),
        issued_at: millis("iat"),
        expires_at: millis("exp"),
        now: now_ms,
        issued_ahead_seconds: seconds("iat").map(|iat| iat as i64 - (now_ms / 1000) as i64),
        may_subscribe: prefixes(|grants| grants.subscribe_prefixes().map(str::to_owned).collect()),
        may_publish: prefixes(|grants| grants.publish_prefixes().map(str::to_owned).collect()),
        header: found.header.map(Value::Object),
        claims: found.claims.map(Value::Object),
    }))
}

pub async fn mint(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: MintRequest = call.ask.json()?;
    let site = call.site()?;
    if site.status != SiteStatus::Active {
        return Err(Failure::new(
            409,
            hookcast_api::code::CONFLICT,
            "the site is not active: restore it first",
        ));
    }
    if !LIFETIME_SECONDS.contains(&request.lifetime_seconds) {
        return Err(Failure::field("lifetime_seconds", "10 to 86,400 seconds"));
    }
    if request.user.is_empty() || request.user.len() > 128 || request.user.chars().any(char::is_control) {
        return Err(Failure::field("user", "1 to 128 bytes; 0 stands for visitors"));
    }
    for (field, prefixes) in [("subscribe", &request.subscribe), ("publish", &request.publish)] {
        if prefixes.len() > PREFIXES_MAX || prefixes.iter().any(|prefix| prefix.len() > 512) {
            return Err(Failure::field(field, "at most 100 prefixes of at most 512 bytes"));
        }
    }
    // Qualified, as the plugin spells them; this is also how "every channel" can be said at all.
    let qualified = |prefix: &String| match prefix.starts_with("site:") {
        true => prefix.clone(),
        false => format!("site:{}:{prefix}", site.site_id),
    };
    let iat = call.now_ms() / 1000;
    let exp = iat + u64::from(request.lifetime_seconds);
    let claims = Claims {
        v: Some(2),
        tenant_id: site.tenant_id.clone(),
        site_id: site.site_id.clone(),
        user_id: request.user.clone(),
        allowed_channel_prefixes: request.subscribe.iter().map(qualified).collect(),
        allowed_publish_prefixes: Some(request.publish.iter().map(qualified).collect()),
        iat,
        exp,
    };
    let token = signed(&claims, &site.jwt_secrets.current);
    let details = format!("for user {}, {} s", request.user, request.lifetime_seconds);
    let note = call.note("token.minted", Some(&site.key), &site.name, details);
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| audit::note(tx, &note, now_ms))
        .await?;
    let url = call.ask.public_url();
    let ws = match url.strip_prefix("https://") {
        Some(rest) => format!("wss://{rest}/ws"),
        None => format!("ws://{}/ws", url.trim_start_matches("http://")),
    };
    Ok(Answer::json(&MintedToken {
        token,
        expires_at: exp * 1000,
        ws_url: ws,
        sse_url: format!("{url}/sse"),
    }))
}
