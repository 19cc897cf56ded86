//! Unmasking (RFC 6455, section 5.3).

/// XORs the payload with the mask, whose first byte belongs to the payload's byte number `offset`. Eight bytes at a time,
/// which the compiler turns into vector instructions.
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let at = |place: usize| mask[(offset + place) % 4];
    let mask = [at(0), at(1), at(2), at(3), at(0), at(1), at(2), at(3)];
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_and_bytes_agree(payload in proptest::collection::vec(any::<u8>(), 0..200), mask: [u8; 4], offset in 0usize..1000) {
            let expected: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[(offset + at) % 4]).collect();
            let mut unmasked = payload;
            apply_mask(&mut unmasked, mask, offset);
            prop_assert_eq!(unmasked, expected);
        }
    }
}
