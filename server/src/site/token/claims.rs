//! What a token says: as any JSON object, which can tell what is wrong with it, and in the usual form, without a copy.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Map, Value};

use super::TokenError;

/// The claims of a token, each in the type that it must have.
pub(super) trait ClaimSet {
    fn text(&self, claim: &'static str) -> Result<&str, TokenError>;
    /// A NumericDate: seconds, which may have a fraction.
    fn time(&self, claim: &'static str) -> Result<Option<u64>, TokenError>;
    /// 1 where there is none.
    fn version(&self) -> Result<u8, TokenError>;
    fn prefixes(&self, claim: &'static str) -> Result<Option<Vec<&str>>, TokenError>;
}

impl ClaimSet for Map<String, Value> {
    fn text(&self, claim: &'static str) -> Result<&str, TokenError> {
        let value = self.get(claim).ok_or(TokenError::ClaimMissing(claim))?;
        value.as_str().ok_or(TokenError::ClaimInvalid {
            claim,
            expected: "a string",
        })
    }

    fn time(&self, claim: &'static str) -> Result<Option<u64>, TokenError> {
        let Some(value) = self.get(claim) else {
            return Ok(None);
        };
        let whole = value.as_u64();
        let seconds = whole.or_else(|| {
            value
                .as_f64()
                .filter(|seconds| *seconds >= 0.0)
                .map(|seconds| seconds as u64)
        });
        seconds.map(Some).ok_or(TokenError::ClaimInvalid {
            claim,
            expected: "a number of seconds",
        })
    }

    fn version(&self) -> Result<u8, TokenError> {
        let Some(value) = self.get("v") else {
            return Ok(1);
        };
        value
            .as_u64()
            .filter(|version| *version > 0)
            .map(|version| u8::try_from(version).unwrap_or(u8::MAX))
            .ok_or(TokenError::ClaimInvalid {
                claim: "v",
                expected: "a version number",
            })
    }

    fn prefixes(&self, claim: &'static str) -> Result<Option<Vec<&str>>, TokenError> {
        let invalid = TokenError::ClaimInvalid {
            claim,
            expected: "an array of strings",
        };
        let Some(value) = self.get(claim) else {
            return Ok(None);
        };
        let entries = value.as_array().ok_or(invalid.clone())?;
        entries
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .ok_or(invalid)
            .map(Some)
    }
}

/// A header as every JWT library writes it.
#[derive(serde::Deserialize)]
pub(super) struct UsualHeader<'a> {
    #[serde(borrow)]
    pub alg: &'a str,
    #[serde(default, rename = "crit")]
    _crit: Absent,
}

/// The claims as the plugin writes them. What is in another form (a fraction of a second, an escaped character, a claim
/// that comes twice) is not an error, but not usual either.
#[derive(serde::Deserialize)]
pub(super) struct UsualClaims<'a> {
    #[serde(default)]
    v: Usual<u8>,
    #[serde(borrow)]
    tenant_id: &'a str,
    #[serde(borrow)]
    pub site_id: &'a str,
    #[serde(borrow)]
    user_id: &'a str,
    #[serde(borrow)]
    allowed_channel_prefixes: Vec<&'a str>,
    #[serde(borrow, default)]
    allowed_publish_prefixes: Usual<Vec<&'a str>>,
    #[serde(default)]
    iat: Usual<u64>,
    #[serde(default)]
    nbf: Usual<u64>,
    exp: u64,
}

/// A claim that may be left out, but not be null.
#[derive(Clone, Copy)]
struct Usual<T>(Option<T>);

impl<T> Default for Usual<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Usual<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

/// A member that must not be there.
#[derive(Default)]
struct Absent;

impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("it is there"))
    }
}

impl ClaimSet for UsualClaims<'_> {
    fn text(&self, claim: &'static str) -> Result<&str, TokenError> {
        match claim {
            "tenant_id" => Ok(self.tenant_id),
            "site_id" => Ok(self.site_id),
            "user_id" => Ok(self.user_id),
            _ => Err(TokenError::ClaimMissing(claim)),
        }
    }

    fn time(&self, claim: &'static str) -> Result<Option<u64>, TokenError> {
        match claim {
            "exp" => Ok(Some(self.exp)),
            "iat" => Ok(self.iat.0),
            "nbf" => Ok(self.nbf.0),
            _ => Err(TokenError::ClaimMissing(claim)),
        }
    }

    fn version(&self) -> Result<u8, TokenError> {
        match self.v.0 {
            None => Ok(1),
            Some(0) => Err(TokenError::ClaimInvalid {
                claim: "v",
                expected: "a version number",
            }),
            Some(version) => Ok(version),
        }
    }

    fn prefixes(&self, claim: &'static str) -> Result<Option<Vec<&str>>, TokenError> {
        match claim {
            "allowed_channel_prefixes" => Ok(Some(self.allowed_channel_prefixes.clone())),
            "allowed_publish_prefixes" => Ok(self.allowed_publish_prefixes.0.clone()),
            _ => Err(TokenError::ClaimMissing(claim)),
        }
    }
}
