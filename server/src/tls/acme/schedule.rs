//! When to order next. Pure: clocks and chance are passed in.

use std::time::Duration;

use super::super::Validity;

/// The longest pause between two tries: a certificate's last third holds a hundred of them.
const RETRY_MS_MAX: u64 = 6 * 3600 * 1000;

/// When to renew, in seconds of the Unix clock: after two thirds of the life, and up to a fortieth of it later, so that
/// relays that were set up together don't come together.
pub fn renewal_s(validity: Validity, chance: f64) -> u64 {
    let life = validity.life_s() as f64;
    validity.from_s + (life * (2.0 / 3.0 + chance / 40.0)) as u64
}

/// How long to wait after so many failures in a row, one at least: twice as long each time, give or take a quarter, and
/// no less than the authority asks for.
pub fn retry(first_ms: u64, failures: u32, asked_for: Option<Duration>, chance: f64) -> Duration {
    let doubled = first_ms.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let ms = doubled.min(RETRY_MS_MAX) as f64 * (0.75 + chance / 2.0);
    Duration::from_millis(ms as u64).max(asked_for.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_its_last_third() {
        let day = 24 * 3600;
        let validity = Validity {
            from_s: 100 * day,
            expires_s: 190 * day,
        };
        assert_eq!(renewal_s(validity, 0.0) / day, 160);
        assert!((160..164).contains(&(renewal_s(validity, 0.999) / day)));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_heed_the_authority() {
        let minutes = |failures, chance| retry(300_000, failures, None, chance).as_secs() / 60;
        assert_eq!((minutes(1, 0.5), minutes(2, 0.5), minutes(4, 0.5)), (5, 10, 40));
        assert_eq!((minutes(50, 0.0), minutes(50, 0.5)), (270, 360));
        assert!(minutes(u32::MAX, 1.0) <= 450);
        let hour = Duration::from_secs(3600);
        assert_eq!(retry(300_000, 1, Some(hour), 0.5), hour);
        assert!(retry(300_000, 9, Some(hour), 0.5) > hour);
    }
}
