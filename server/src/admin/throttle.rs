//! How often a log-in may be tried, per address and per account. Tries are counted before a password is hashed, so that a
//! flood of guesses costs a map look-up each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// One address may fail this often at once…
const ADDRESS_BURST: u64 = 10;
/// …and then once in this time.
const ADDRESS_PAUSE_MS: u64 = 30_000;
/// An account may be tried by many addresses: more room, so that a stranger cannot easily keep its owner out.
const ACCOUNT_BURST: u64 = 30;
const ACCOUNT_PAUSE_MS: u64 = 10_000;
/// Addresses and accounts remembered, 48 bytes each or so.
const REMEMBERED_MAX: usize = 20_000;

#[derive(Default)]
pub struct Throttle {
    tries: Mutex<Tries>,
}

#[derive(Default)]
struct Tries {
    addresses: HashMap<IpAddr, u64>,
    accounts: HashMap<String, u64>,
}

impl Throttle {
    /// Counts a try. An error is how long to wait, in milliseconds; nothing is counted then.
    pub fn attempt(&self, address: IpAddr, account: &str, now_ms: u64) -> Result<(), u64> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = &mut *tries;
        let address = network(address);
        let account = account.to_ascii_lowercase();
        let paused = |free_at: Option<&u64>, burst: u64, pause: u64| {
            let debt = free_at.map_or(0, |at| at.saturating_sub(now_ms)) + pause;
            debt.saturating_sub(burst * pause)
        };
        let wait = paused(tries.addresses.get(&address), ADDRESS_BURST, ADDRESS_PAUSE_MS).max(paused(
            tries.accounts.get(&account),
            ACCOUNT_BURST,
            ACCOUNT_PAUSE_MS,
        ));
        if wait > 0 {
            return Err(wait);
        }
        // With as many strangers at once as are remembered, new ones wait their turn rather than push others out.
        charge(&mut tries.addresses, address, ADDRESS_PAUSE_MS, now_ms)?;
        charge(&mut tries.accounts, account, ACCOUNT_PAUSE_MS, now_ms)
    }

    /// The password was right: what was counted against the address and the account is forgotten.
    pub fn succeeded(&self, address: IpAddr, account: &str) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.addresses.remove(&network(address));
        tries.accounts.remove(&account.to_ascii_lowercase());
    }
}

fn charge<K: Hash + Eq>(all: &mut HashMap<K, u64>, key: K, pause_ms: u64, now_ms: u64) -> Result<(), u64> {
    if all.len() >= REMEMBERED_MAX {
        all.retain(|_, free_at| *free_at > now_ms);
    }
    let full = all.len() >= REMEMBERED_MAX;
    match all.entry(key) {
        Entry::Occupied(mut known) => {
            *known.get_mut() = (*known.get()).max(now_ms) + pause_ms;
            Ok(())
        }
        Entry::Vacant(_) if full => Err(pause_ms),
        Entry::Vacant(fresh) => {
            fresh.insert(now_ms + pause_ms);
            Ok(())
        }
    }
}

/// A household has one IPv6 network and all of its addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_has_a_burst_and_then_one_try_at_a_time() {
        let throttle = Throttle::default();
        for n in 0..ADDRESS_BURST {
            throttle.attempt(v4(1), &format!("a{n}@x"), 1_000).unwrap();
        }
        assert_eq!(throttle.attempt(v4(1), "b@x", 1_000), Err(ADDRESS_PAUSE_MS));
        throttle.attempt(v4(2), "b@x", 1_000).unwrap();
        throttle.attempt(v4(1), "b@x", 1_000 + ADDRESS_PAUSE_MS).unwrap();
        throttle
            .attempt(v4(1), "b@x", 1_000 + ADDRESS_PAUSE_MS)
            .unwrap_err();
    }

    #[test]
    fn an_account_is_throttled_over_all_addresses_in_any_case() {
        let throttle = Throttle::default();
        for n in 0..ACCOUNT_BURST {
            throttle
                .attempt(v4(n as u8), if n % 2 == 0 { "a@x" } else { "A@X" }, 0)
                .unwrap();
        }
        throttle.attempt(v4(200), "a@x", 0).unwrap_err();
        throttle.attempt(v4(200), "b@x", 0).unwrap();
    }

    #[test]
    fn a_right_password_clears_what_was_counted() {
        let throttle = Throttle::default();
        for _ in 0..ADDRESS_BURST {
            throttle.attempt(v4(1), "a@x", 0).unwrap();
        }
        throttle.succeeded(v4(1), "A@x");
        throttle.attempt(v4(1), "a@x", 0).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let throttle = Throttle::default();
        let address = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, n, n, n, n));
        for n in 0..ADDRESS_BURST as u16 {
            throttle.attempt(address(n), &n.to_string(), 0).unwrap();
        }
        throttle.attempt(address(99), "z", 0).unwrap_err();
        throttle
            .attempt(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1)), "z", 0)
            .unwrap();
    }

    #[test]
    fn memory_is_bounded_and_strangers_do_not_push_others_out() {
        let mut all = HashMap::new();
        for n in 0..REMEMBERED_MAX {
            charge(&mut all, n, 10, 0).unwrap();
        }
        assert_eq!(charge(&mut all, REMEMBERED_MAX, 10, 9), Err(10));
        charge(&mut all, 5, 10, 9).unwrap();
        charge(&mut all, REMEMBERED_MAX, 10, 10).unwrap();
        assert!(all.len() < REMEMBERED_MAX);
    }
}
