//! Random hex and its hash.

use sha2::{Digest, Sha256};

/// `N` random bytes as `2 * N` lower-case hex characters.
pub fn random_hex<const N: usize>() -> String {
    let mut bytes = [0u8; N];
    // Linux' getrandom fails on a kernel from before 2014 or behind a filter that forbids it: nothing to go on with.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    hex::encode(bytes)
}

/// 32 hex characters: a site key.
pub fn site_key() -> String {
    random_hex::<16>()
}

/// 64 hex characters: a publish secret, a JWT secret, an API key.
pub fn secret() -> String {
    random_hex::<32>()
}

/// What is kept of a secret that is only ever compared.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
