//! UTF-8 that arrives in pieces: refused at the first byte that cannot be right, wherever the pieces were cut.

/// How much of a growing text is known to be good.
#[derive(Debug, Default)]
pub struct Utf8Check {
    /// What follows is at most an incomplete character (3 bytes), so no byte is looked at more than a few times.
    good: usize,
}

impl Utf8Check {
    /// Looks at what was added to `text`; false when no continuation can make it UTF-8.
    pub fn extend(&mut self, text: &[u8]) -> bool {
        match simdutf8::compat::from_utf8(&text[self.good..]) {
            Ok(_) => {
                self.good = text.len();
                true
            }
            Err(error) => {
                self.good += error.valid_up_to();
                error.error_len().is_none()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A piece is refused exactly when what has come so far has no continuation that is UTF-8.
        #[test]
        fn the_first_wrong_byte_is_where_it_is_refused(
            mut bytes in prop_oneof![any::<String>().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..20)],
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            if let Some((place, byte)) = change.filter(|_| !bytes.is_empty()) {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let mut check = Utf8Check::default();
            for end in 1..=bytes.len() {
                let may_go_on = match str::from_utf8(&bytes[..end]) {
                    Ok(_) => true,
                    Err(error) => error.error_len().is_none(),
                };
                prop_assert_eq!(check.extend(&bytes[..end]), may_go_on);
                if !may_go_on {
                    break;
                }
            }
        }
    }
}
