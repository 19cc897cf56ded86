//! One-click connect (protocol, "Site registration"): WordPress sends the browser here, the operator decides, and WordPress
//! redeems a one-time code for the credentials.
//!
//! The callback is taken only if it is the plugin's own on the very host that asks to be connected; anything else is refused
//! on the page, and neither followed nor given a code. The site is registered when the code is redeemed, not before: a code
//! that never arrives changes nothing.

use hookcast_api::connect::{
    ConnectAuthorized, ConnectCancelled, ConnectDescription, ConnectQuery, ExchangeRequest,
};
use hookcast_api::site::Credentials;
use url::Url;

use super::call::{Call, Caller};
use super::exchange::{Answer, Failure};
use super::sites::about;
use crate::insight::Surface;
use crate::site::Refusal;
use crate::store::accounts::AccountRole;
use crate::store::connect_codes::{self, Grant};
use crate::store::sites::{self, RegisteredBy, Registration};
use crate::store::{audit, site_url};

const STATE_BYTES_MAX: usize = 512;
const CALLBACK_BYTES_MAX: usize = 2048;
const NAME_BYTES_MAX: usize = 200;

/// A query that may be followed.
struct Checked {
    callback: Url,
    state: String,
    site_url: String,
    site_name: String,
}

pub fn describe(call: &Call<'_>) -> Result<Answer, Failure> {
    let query = checked(&call.ask.json()?)?;
    let registered = call
        .admin
        .store
        .sites()
        .iter()
        .any(|site| site.url == query.site_url);
    Ok(Answer::json(&ConnectDescription {
        callback_host: query.callback.host_str().unwrap_or_default().to_owned(),
        insecure: query.callback.scheme() == "http",
        registered,
        may_authorize: matches!(&call.caller, Caller::Person { account, .. } if account.role == AccountRole::Owner),
        site_url: query.site_url,
        site_name: query.site_name,
    }))
}

pub async fn authorize(call: &Call<'_>) -> Result<Answer, Failure> {
    let query = checked(&call.ask.json()?)?;
    let (account, _, _) = call.person()?;
    let grant = Grant {
        site_url: query.site_url.clone(),
        site_name: query.site_name.clone(),
        account_id: account.id,
    };
    let note = call.note(
        "connect.authorized",
        None,
        &query.site_name,
        query.site_url.clone(),
    );
    let now_ms = call.now_ms();
    let code = call
        .admin
        .store
        .write(move |tx| {
            audit::note(tx, &note, now_ms)?;
            connect_codes::create(tx, &grant, now_ms)
        })
        .await?;
    Ok(Answer::json(&ConnectAuthorized {
        action: query.callback.into(),
        wps_state: query.state,
        wps_code: code,
    }))
}

pub async fn cancel(call: &Call<'_>) -> Result<Answer, Failure> {
    let query = checked(&call.ask.json()?)?;
    let note = call.note(
        "connect.cancelled",
        None,
        &query.site_name,
        query.site_url.clone(),
    );
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| audit::note(tx, &note, now_ms))
        .await?;
    let mut location = query.callback;
    location
        .query_pairs_mut()
        .append_pair("wps_state", &query.state)
        .append_pair("wps_error", "cancelled");
    Ok(Answer::json(&ConnectCancelled {
        location: location.into(),
    }))
}

/// WordPress, with the code as its only proof. An unknown, a used and an expired one look the same.
pub async fn exchange(call: &Call<'_>) -> Result<Answer, Failure> {
    let invalid = || {
        Refusal::new(
            401,
            "invalid_code",
            "the code is unknown, was used already, or has expired: connect again",
        )
    };
    let request: ExchangeRequest =
        serde_json::from_slice(&call.ask.body).map_err(|_| Failure::invalid("the field code is missing"))?;
    let note = audit::Note {
        actor: "WordPress".to_owned(),
        ..call.note("site.connected", None, "", "by one-click connect")
    };
    let (now_ms, sites_max) = (call.now_ms(), call.ask.config.limits.sites_max);
    let redeemed = call
        .admin
        .store
        .write(move |tx| {
            let Some(grant) = connect_codes::redeem(tx, &request.code, now_ms)? else {
                return Ok(None);
            };
            let registration = Registration {
                url: &grant.site_url,
                name: &grant.site_name,
                by: RegisteredBy::Connect,
                account_id: Some(grant.account_id),
                sites_max,
            };
            let row = sites::register(tx, &registration, now_ms)?;
            audit::note(tx, &about(note, &row), now_ms)?;
            Ok(Some(row.credentials()))
        })
        .await?;
    let Some(stored) = redeemed else {
        let refusal = invalid();
        call.relay.refused(&refusal, Surface::Register, None, call.ask.ip);
        return Err(refusal.into());
    };
    Ok(Answer::json(&Credentials {
        site_key: stored.site_key,
        publish_secret: stored.publish_secret,
        jwt_secret: stored.jwt_secret,
    }))
}

fn checked(query: &ConnectQuery) -> Result<Checked, Failure> {
    let plain = |text: &str| !text.chars().any(char::is_control);
    if query.state.is_empty() || query.state.len() > STATE_BYTES_MAX || !plain(&query.state) {
        return Err(Failure::new(
            400,
            "invalid_state",
            "the link has no state, or not one of WordPress: start again from wp-admin",
        ));
    }
    let site_url = site_url::normalise(&query.site_url)?;
    if query.site_name.len() > NAME_BYTES_MAX || !plain(&query.site_name) {
        return Err(Failure::field(
            "site_name",
            "at most 200 bytes, without control characters",
        ));
    }
    let callback = callback(&query.callback_url, &site_url)?;
    let name = match query.site_name.trim() {
        "" => site_url::host(&site_url).to_owned(),
        name => name.to_owned(),
    };
    Ok(Checked {
        callback,
        state: query.state.clone(),
        site_url,
        site_name: name,
    })
}

fn callback(text: &str, site_url: &str) -> Result<Url, Failure> {
    let refused = |why: &str| {
        let message = format!(
            "the address to return to {why}: this link was not made by the WordPress plugin of that site"
        );
        Failure::new(400, "invalid_callback", message)
    };
    if text.len() > CALLBACK_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(refused("is too long or holds control characters"));
    }
    let callback = Url::parse(text).map_err(|_| refused("is not a full address"))?;
    if !matches!(callback.scheme(), "http" | "https") {
        return Err(refused("does not begin with http:// or https://"));
    }
    if !callback.username().is_empty() || callback.password().is_some() || callback.fragment().is_some() {
        return Err(refused("holds a password or a fragment"));
    }
    let site = Url::parse(site_url).map_err(|_| refused("cannot be compared with the site's"))?;
    // The host decides; the port goes with it, because another port may be another person's server. A site that moved to
    // https keeps its host.
    let same_host = callback.host_str().is_some() && callback.host_str() == site.host_str();
    let same_port = callback.port_or_known_default() == site.port_or_known_default()
        || (callback.port().is_none() && site.port().is_none());
    if !same_host || !same_port {
        return Err(refused("is on another host than the site"));
    }
    if !callback.path().ends_with("/admin-post.php") {
        return Err(refused("does not end in admin-post.php"));
    }
    let mut actions = callback
        .query_pairs()
        .filter(|(name, _)| name == "action")
        .map(|(_, value)| value);
    if actions.next().as_deref() != Some("wpsignal_oauth_callback") || actions.next().is_some() {
        return Err(refused("has another action than wpsignal_oauth_callback"));
    }
    Ok(callback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://shop.example/blog";

    #[test]
    fn the_plugins_own_callback_is_taken() {
        for good in [
            "https://shop.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback",
            "http://shop.example/blog/wp-admin/admin-post.php?action=wpsignal_oauth_callback&x=1",
            "https://SHOP.example:443/wp-admin/admin-post.php?action=wpsignal_oauth_callback",
        ] {
            callback(good, SITE).unwrap_or_else(|failure| panic!("{good}: {failure:?}"));
        }
    }

    #[test]
    fn every_other_callback_is_refused() {
        let path = "/wp-admin/admin-post.php?action=wpsignal_oauth_callback";
        for bad in [
            "".to_owned(),
            "/wp-admin/admin-post.php?action=wpsignal_oauth_callback".to_owned(),
            "javascript:alert(1)//admin-post.php?action=wpsignal_oauth_callback".to_owned(),
            format!("ftp://shop.example{path}"),
            format!("https://evil.example{path}"),
            format!("https://shop.example.evil.example{path}"),
            format!("https://shop.example@evil.example{path}"),
            format!("https://user:pass@shop.example{path}"),
            format!("https://shop.example:8443{path}"),
            format!("https://www.shop.example{path}"),
            format!("https://shop.example{path}#f"),
            format!(
                "https://shop.example/{}?action=wpsignal_oauth_callback",
                "a".repeat(3000)
            ),
            "https://shop.example/wp-admin/admin-post.php".to_owned(),
            "https://shop.example/wp-admin/admin-post.php?action=other".to_owned(),
            "https://shop.example/wp-admin/admin-post.php?action=other&action=wpsignal_oauth_callback"
                .to_owned(),
            "https://shop.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback&action=other"
                .to_owned(),
            "https://shop.example/evil-admin-post.php?action=wpsignal_oauth_callback".to_owned(),
            "https://shop.example/wp-admin/admin-post.php/x?action=wpsignal_oauth_callback".to_owned(),
            format!("https://shop.example\n{path}"),
        ] {
            let failure = callback(&bad, SITE).expect_err(&bad);
            assert_eq!(
                (failure.status, failure.error.error.as_str()),
                (400, "invalid_callback"),
                "{bad}"
            );
        }
    }
}
