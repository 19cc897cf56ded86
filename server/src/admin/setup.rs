//! The one-time link that makes the first owner.

use subtle::ConstantTimeEq;

use crate::store::secret;

/// A token of this run of the relay: kept in memory only, gone with the process, useless once there is an owner.
pub struct SetupLink(String);

impl Default for SetupLink {
    fn default() -> SetupLink {
        SetupLink(secret::secret())
    }
}

impl SetupLink {
    pub fn token(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, sent: &str) -> bool {
        sent.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}
