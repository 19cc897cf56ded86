//! How near a certificate is to its end, and telling of it once for each stage and not at every look.

const DAY_S: u64 = 24 * 60 * 60;
/// A certificate of this age should have been renewed: authorities and their clients do it well before.
const SOON_S: u64 = 14 * DAY_S;
/// Somebody has to see to it now.
const AT_ONCE_S: u64 = 3 * DAY_S;

/// From when and until when a certificate holds, in seconds of the Unix clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from_s: u64,
    pub expires_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    NotYetValid,
    Valid,
    EndsSoon,
    EndsAtOnce,
    Expired,
}

impl Validity {
    pub fn life_s(self) -> u64 {
        self.expires_s.saturating_sub(self.from_s)
    }

    /// A life of some days is not always about to end: the stages are parts of it then.
    pub fn stage(self, now_s: u64) -> Stage {
        let left_s = self.expires_s.saturating_sub(now_s);
        if left_s == 0 {
            Stage::Expired
        } else if now_s < self.from_s {
            Stage::NotYetValid
        } else if left_s < AT_ONCE_S.min(self.life_s() / 16) {
            Stage::EndsAtOnce
        } else if left_s < SOON_S.min(self.life_s() / 4) {
            Stage::EndsSoon
        } else {
            Stage::Valid
        }
    }

    /// What there is to say about it now.
    pub fn warning(self, now_s: u64) -> Option<String> {
        match self.stage(now_s) {
            Stage::Valid => None,
            Stage::NotYetValid => Some(
                "the TLS certificate is not valid yet: browsers refuse it; is this machine's clock right?"
                    .to_owned(),
            ),
            Stage::EndsSoon | Stage::EndsAtOnce => Some(format!(
                "the TLS certificate ends in {}, and was not renewed",
                span(self.expires_s - now_s)
            )),
            Stage::Expired => Some(format!(
                "the TLS certificate expired {} ago: browsers and WordPress refuse it until it is renewed",
                span(now_s - self.expires_s)
            )),
        }
    }
}

/// For people: a day or an hour more or less says nothing.
pub fn span(s: u64) -> String {
    let (count, unit) = match s {
        0..7_200 => (s / 60, "minute"),
        7_200..172_800 => (s / 3_600, "hour"),
        _ => (s / DAY_S, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Remembers what was told.
pub struct Expiry {
    validity: Validity,
    told: Stage,
}

impl Expiry {
    pub fn new(validity: Validity) -> Self {
        Self {
            validity,
            told: Stage::Valid,
        }
    }

    /// What has to be said now, if it wasn't yet.
    pub fn warning(&mut self, now_s: u64) -> Option<String> {
        let stage = self.validity.stage(now_s);
        if std::mem::replace(&mut self.told, stage) == stage {
            return None;
        }
        self.validity.warning(now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(from_s: u64, expires_s: u64) -> Expiry {
        Expiry::new(Validity { from_s, expires_s })
    }

    #[test]
    fn each_stage_is_told_once() {
        let mut expiry = expiry(DAY_S, 91 * DAY_S);
        assert!(expiry.warning(0).unwrap().contains("not valid yet"));
        assert_eq!(expiry.warning(2 * DAY_S), None);
        assert_eq!(expiry.warning(76 * DAY_S), None);
        assert!(expiry.warning(82 * DAY_S).unwrap().contains("ends in 9 days"));
        assert_eq!(expiry.warning(83 * DAY_S), None);
        assert!(expiry.warning(89 * DAY_S).unwrap().contains("ends in 2 days"));
        assert_eq!(expiry.warning(90 * DAY_S), None);
        assert!(expiry.warning(94 * DAY_S).unwrap().contains("expired 3 days ago"));
        assert_eq!(expiry.warning(95 * DAY_S), None);
    }

    #[test]
    fn a_short_life_is_not_always_about_to_end() {
        let mut expiry = expiry(0, 6 * DAY_S);
        assert_eq!(expiry.warning(DAY_S), None);
        assert!(expiry.warning(5 * DAY_S).is_some());
    }

    #[test]
    fn a_span_is_told_in_the_unit_that_fits_it() {
        for (s, told) in [
            (59, "0 minutes"),
            (61, "1 minute"),
            (7_300, "2 hours"),
            (DAY_S, "24 hours"),
            (3 * DAY_S, "3 days"),
        ] {
            assert_eq!(span(s), told);
        }
    }
}
