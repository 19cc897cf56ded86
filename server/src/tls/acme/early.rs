//! Whether the authority wants a certificate renewed earlier than usual: before it revokes it, say (RFC 9773).

use std::time::Duration;

use futures_executor::block_on;
use instant_acme::{Account, CertificateIdentifier, Error};
use rustls::pki_types::CertificateDer;

use super::client::Client;
use super::shelf::Shelf;

/// Between two questions, whatever the authority says about it.
const AGAIN_MIN: Duration = Duration::from_secs(3600);
const AGAIN_MAX: Duration = Duration::from_secs(24 * 3600);
/// After one that was not answered. Many authorities don't know the question.
const AGAIN_UNANSWERED: Duration = Duration::from_secs(12 * 3600);

/// What the authority says.
pub struct Wish {
    /// When to renew, in seconds of the Unix clock, if it has an opinion.
    pub renewal_s: Option<u64>,
    /// When to ask again.
    pub again: Duration,
}

/// Asks for a certificate that it issued. `chance` picks a moment of the window that it names.
pub fn ask(shelf: &Shelf, client: &Client, certificate: &CertificateDer<'_>, chance: f64) -> Wish {
    let asked = block_on(async {
        let id = CertificateIdentifier::try_from(certificate).map_err(|_| Error::Str("an identifier"))?;
        let account = shelf.account().ok().flatten().ok_or(Error::Str("an account"))?;
        let account = Account::builder_with_http(Box::new(client.clone()))
            .from_credentials(account)
            .await?;
        account.renewal_info(&id).await
    });
    // What a refusal says about patience is about the question, not about the next order.
    let _ = client.patience.take();
    match asked {
        Ok((info, again)) => {
            let window = info.suggested_window;
            let (from, to) = (window.start.unix_timestamp(), window.end.unix_timestamp());
            let chosen = from.saturating_add((to.saturating_sub(from).max(0) as f64 * chance) as i64);
            Wish {
                renewal_s: Some(u64::try_from(chosen).unwrap_or(0)),
                again: again.clamp(AGAIN_MIN, AGAIN_MAX),
            }
        }
        Err(error) => {
            tracing::debug!(%error, "the authority does not say when to renew");
            Wish {
                renewal_s: None,
                again: AGAIN_UNANSWERED,
            }
        }
    }
}
