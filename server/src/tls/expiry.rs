//! Telling of a certificate that comes to its end, once for each stage and not at every look.

const DAY_S: u64 = 24 * 60 * 60;
/// A certificate of this age should have been renewed: authorities and their clients do it well before.
const SOON_S: u64 = 10 * DAY_S;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    NotYetValid,
    Valid,
    EndsSoon,
    Expired,
}

/// Remembers what was told.
pub struct Expiry {
    valid_from_s: u64,
    expires_s: u64,
    told: Stage,
}

impl Expiry {
    pub fn new(valid_from_s: u64, expires_s: u64) -> Self {
        Self {
            valid_from_s,
            expires_s,
            told: Stage::Valid,
        }
    }

    /// What has to be said now, if it wasn't yet.
    pub fn warning(&mut self, now_s: u64) -> Option<String> {
        let stage = self.stage(now_s);
        if std::mem::replace(&mut self.told, stage) == stage {
            return None;
        }
        let days = |s: u64| s / DAY_S;
        match stage {
            Stage::Valid => None,
            Stage::NotYetValid => Some(
                "the TLS certificate is not valid yet: browsers refuse it; is this machine's clock right?"
                    .to_owned(),
            ),
            Stage::EndsSoon => Some(format!(
                "the TLS certificate ends in {} days: renew it",
                days(self.expires_s - now_s)
            )),
            Stage::Expired => Some(format!(
                "the TLS certificate expired {} days ago: browsers and WordPress refuse it; renew it",
                days(now_s - self.expires_s)
            )),
        }
    }

    fn stage(&self, now_s: u64) -> Stage {
        if now_s >= self.expires_s {
            Stage::Expired
        } else if now_s < self.valid_from_s {
            Stage::NotYetValid
        } else if self.expires_s - now_s < SOON_S.min((self.expires_s - self.valid_from_s) / 4) {
            Stage::EndsSoon
        } else {
            Stage::Valid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_told_once() {
        let mut expiry = Expiry::new(DAY_S, 91 * DAY_S);
        assert!(expiry.warning(0).unwrap().contains("not valid yet"));
        assert_eq!(expiry.warning(2 * DAY_S), None);
        assert_eq!(expiry.warning(80 * DAY_S), None);
        assert!(expiry.warning(82 * DAY_S).unwrap().contains("ends in 9 days"));
        assert_eq!(expiry.warning(83 * DAY_S), None);
        assert!(expiry.warning(93 * DAY_S).unwrap().contains("expired 2 days ago"));
        assert_eq!(expiry.warning(94 * DAY_S), None);
    }

    #[test]
    fn a_short_life_is_not_always_about_to_end() {
        let mut expiry = Expiry::new(0, 6 * DAY_S);
        assert_eq!(expiry.warning(DAY_S), None);
        assert!(expiry.warning(5 * DAY_S).is_some());
    }
}
