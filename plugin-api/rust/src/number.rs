//! Exact numbers: decimals and money. No floats, so that cents never drift.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Failure;

/// The largest scale of a [`Decimal`].
const SCALE_MAX: u8 = 9;

/// An exact decimal: `units × 10^-scale`.
///
/// Written as a plain number, in text and in JSON strings. Compares by value: 1.50 equals 1.5.
///
/// # Examples
/// ```
/// use pergola_plugin::Decimal;
///
/// let price: Decimal = "12.50".parse()?;
/// assert_eq!(price, Decimal::new(1250, 2));
/// assert_eq!(price.checked_mul(Decimal::from(3)).map(|sum| sum.to_string()), Some("37.50".to_owned()));
/// # Ok::<(), pergola_plugin::Failure>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

impl Decimal {
    /// The decimal `units × 10^-scale`; scales above 9 are cut to 9.
    #[must_use]
    pub const fn new(units: i64, scale: u8) -> Self {
        Self { units, scale: if scale > SCALE_MAX { SCALE_MAX } else { scale } }
    }

    /// The number without its point.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.units
    }

    /// How many of the digits are behind the point: 0–9.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The sum, unless it is too large.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::from_wide(self.at_scale(scale) + other.at_scale(scale), scale)
    }

    /// The difference, unless it is too large.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::from_wide(self.at_scale(scale) - other.at_scale(scale), scale)
    }

    /// The product, unless it is too large; digits past the ninth are rounded half away from zero.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = i128::from(self.units) * i128::from(other.units);
        let scale = self.scale + other.scale;
        let surplus = scale.saturating_sub(SCALE_MAX);
        Self::from_wide(divide_rounded(product, power_of_ten(surplus)), scale - surplus)
    }

    fn at_scale(self, scale: u8) -> i128 {
        i128::from(self.units) * power_of_ten(scale.saturating_sub(self.scale))
    }

    fn from_wide(units: i128, scale: u8) -> Option<Self> {
        i64::try_from(units).ok().map(|units| Self { units, scale })
    }
}

/// 10^exponent, for exponents up to 18.
fn power_of_ten(exponent: u8) -> i128 {
    (0..exponent).fold(1, |power, _| power * 10)
}

/// Divides and rounds half away from zero. `divisor` is positive.
fn divide_rounded(number: i128, divisor: i128) -> i128 {
    let half = divisor / 2;
    if number < 0 { (number - half) / divisor } else { (number + half) / divisor }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::new(number, 0)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_scale(SCALE_MAX).cmp(&other.at_scale(SCALE_MAX))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let (digits, one) = (u128::from(self.units.unsigned_abs()), power_of_ten(self.scale).unsigned_abs());
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        write!(f, "{sign}{}.{:0width$}", digits / one, digits % one, width = usize::from(self.scale))
    }
}

impl FromStr for Decimal {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let invalid = || {
            Failure::refused(
                "invalid_decimal",
                "This is not a number; write it like 12.50, with at most nine digits behind the point.",
            )
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !plain(digits) || !plain(fraction) || text.ends_with('.') {
            return Err(invalid());
        }
        let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= SCALE_MAX).ok_or_else(invalid)?;
        let units = format!("{whole}{fraction}").parse().map_err(|_| invalid())?;
        Ok(Self { units, scale })
    }
}

/// An amount of money.
///
/// # Examples
/// ```
/// use pergola_plugin::{Decimal, Money};
///
/// let bill = Money::new(1_999, "EUR");
/// assert_eq!(bill.to_string(), "1999 minor EUR");
/// assert_eq!(bill.percent(Decimal::from(5)), Some(Money::new(100, "EUR")));
/// assert_eq!(bill.checked_add(&Money::new(1, "USD")), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Money {
    /// Minor units (cents, kopecks); negative for a debt.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}

impl Money {
    /// An amount in minor units.
    pub fn new(amount_minor: i64, currency: impl Into<String>) -> Self {
        Self { amount_minor, currency: currency.into() }
    }

    /// The sum; none for two currencies, or if it is too large.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self::new(self.amount_minor.checked_add(other.amount_minor)?, self.currency.as_str()))
    }

    /// The difference; none for two currencies, or if it is too large.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self::new(self.amount_minor.checked_sub(other.amount_minor)?, self.currency.as_str()))
    }

    /// That many per cent of it, rounded half away from zero to whole minor units.
    #[must_use]
    pub fn percent(&self, per_cent: Decimal) -> Option<Self> {
        let product = i128::from(self.amount_minor) * i128::from(per_cent.units);
        let share = divide_rounded(product, power_of_ten(per_cent.scale + 2));
        Some(Self::new(i64::try_from(share).ok()?, self.currency.as_str()))
    }
}

impl fmt::Display for Money {
    /// Shows minor units as they are: how many make a whole one depends on the currency, which the host knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} minor {}", self.amount_minor, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_read_back_as_written() {
        for text in ["0", "-0.05", "12.50", "9223372036854775807", "-0.000000001"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", "-", ".5", "5.", "1e3", "1,5", "+1", "0.0000000001", "9223372036854775808"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_compare_by_value_and_never_overflow() {
        assert_eq!(Decimal::new(150, 2), Decimal::new(15, 1));
        assert!(Decimal::new(i64::MAX, 0) > Decimal::new(i64::MAX, 9));
        assert_eq!(Decimal::new(i64::MAX, 0).checked_add(Decimal::new(1, 9)), None);
        assert_eq!(Decimal::new(1, 9).checked_mul(Decimal::new(5, 1)), Some(Decimal::new(1, 9)));
    }
}
