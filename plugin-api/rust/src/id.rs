//! Identifiers of records.

use std::fmt;
use std::str::FromStr;

use crate::Failure;

/// Identifier of a record: a UUID of version 7. Ids sort by time of creation.
///
/// Written as a hyphenated UUID, in text and in JSON. New ones come from
/// [`records::new_id`](crate::records::new_id).
///
/// # Examples
/// ```
/// use pergola_plugin::Id;
///
/// let id: Id = "0190a3c4-7b1e-7c2a-9f00-0123456789ab".parse()?;
/// assert_eq!(id.to_string(), "0190a3c4-7b1e-7c2a-9f00-0123456789ab");
/// assert!("42".parse::<Id>().is_err());
/// # Ok::<(), pergola_plugin::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

/// Places of the hyphens in a UUID's text.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Id {
    /// The id whose UUID has these bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The UUID's bits.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    pub(crate) fn from_wit((high, low): (u64, u64)) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }

    pub(crate) fn to_wit(self) -> (u64, u64) {
        #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
        let halves = ((self.0 >> 64) as u64, self.0 as u64);
        halves
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        let (a, b, c) = (bits >> 96, bits >> 80 & 0xffff, bits >> 64 & 0xffff);
        let (d, e) = (bits >> 48 & 0xffff, bits & 0xffff_ffff_ffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl FromStr for Id {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let invalid =
            || Failure::refused("invalid_id", "This is not an id; ids look like 0190a3c4-7b1e-7c2a-9f00-0123456789ab.");
        if text.len() != 36 {
            return Err(invalid());
        }
        let mut bits = 0_u128;
        for (place, byte) in text.bytes().enumerate() {
            if HYPHENS.contains(&place) {
                if byte != b'-' {
                    return Err(invalid());
                }
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or_else(invalid)?;
            bits = bits << 4 | u128::from(digit);
        }
        Ok(Self(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_keep_every_bit() {
        let id = Id::from_u128(0x0190_a3c4_7b1e_7c2a_9f00_0123_4567_89ab);
        assert_eq!(Id::from_wit(id.to_wit()), id);
        assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
    }

    #[test]
    fn texts_that_are_no_uuid_are_refused() {
        for text in [
            "",
            "0190a3c47b1e7c2a9f000123456789ab",
            "0190a3c4-7b1e-7c2a-9f00-0123456789aé",
            "0190a3c4-7b1e-7c2a-9f0000123456789ab",
        ] {
            assert_eq!(text.parse::<Id>().unwrap_err().code, "invalid_id", "{text}");
        }
    }
}
