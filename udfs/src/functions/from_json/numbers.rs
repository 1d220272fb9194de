//! Numbers by their digits, however they are written and however many there are.

/// A number with more integer digits than this is kept as it was sent.
const DIGITS_MAX: i64 = 64;
/// Exponents beyond this make any number too large, or nothing.
const EXPONENT_MAX: i64 = 1 << 40;

/// The digits of a JSON number that is an integer in any notation: `355908.0` and `3.55908e5` are 355908.
pub(super) fn integer_digits(number: &str) -> Option<String> {
    let (number, sign) = number.strip_prefix('-').map_or((number, ""), |number| (number, "-"));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut shift = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(fraction.len().try_into().ok()?)?;
    while shift < 0 && digits.ends_with('0') {
        digits.pop();
        shift += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let zeros = usize::try_from(shift).ok().filter(|_| shift <= DIGITS_MAX)?;
    Some(format!("{sign}{digits}{}", "0".repeat(zeros)))
}

/// A number times a power of ten.
#[derive(Debug, PartialEq)]
pub(super) struct Scaled {
    /// Rounded down.
    pub value: i128,
    /// Whether nothing was lost.
    pub is_exact: bool,
}

/// A JSON number times ten to the power of `scale`; `None` if it does not fit.
pub(super) fn scaled(number: &str, scale: i64) -> Option<Scaled> {
    let (is_negative, number) = number
        .strip_prefix('-')
        .map_or((false, number), |number| (true, number));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let limit = if exponent.starts_with('-') {
        -EXPONENT_MAX
    } else {
        EXPONENT_MAX
    };
    let exponent = exponent
        .parse::<i64>()
        .unwrap_or(limit)
        .clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let shift = exponent + scale - i64::try_from(fraction.len()).ok()?;
    let digits = i64::try_from(whole.len() + fraction.len()).ok()?;
    let kept = usize::try_from(digits + shift.min(0)).unwrap_or(0);

    let (mut value, mut is_exact) = (0_i128, true);
    for (place, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = digit.wrapping_sub(b'0');
        if place < kept {
            value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
        } else if digit != 0 {
            is_exact = false;
            break;
        }
    }
    if value != 0 {
        for _ in 0..shift.max(0) {
            value = value.checked_mul(10)?;
        }
    }
    if is_negative {
        value = -value - i128::from(!is_exact);
    }
    Some(Scaled { value, is_exact })
}

/// Whether a text is a number in digits, with or without a fraction: `1752424930`, `-0.5`.
pub(super) fn is_digits(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_its_digits_whatever_way_it_is_written() {
        for (sent, digits) in [
            ("355908.0", Some("355908")),
            ("355908", Some("355908")),
            ("-7.00", Some("-7")),
            ("1e3", Some("1000")),
            ("1.2345678E7", Some("12345678")),
            ("1000e-3", Some("1")),
            ("0.5e1", Some("5")),
            ("-0", Some("0")),
            ("-0.0", Some("0")),
            ("0e-9", Some("0")),
            ("9223372036854775808", Some("9223372036854775808")),
            ("123456789012345678901234.0", Some("123456789012345678901234")),
            ("12.5", None),
            ("1e-3", None),
            ("1e999", None),
            ("1e99999999999999999999", None),
            ("1.5e-9223372036854775808", None),
        ] {
            assert_eq!(integer_digits(sent).as_deref(), digits, "{sent}");
        }
    }

    #[test]
    fn numbers_are_scaled_without_a_loss_or_rounded_down() {
        let exact = |value| Some(Scaled { value, is_exact: true });
        let rounded = |value| Some(Scaled { value, is_exact: false });
        for (number, scale, expected) in [
            ("19.90", 2, exact(1_990)),
            ("19.9", 2, exact(1_990)),
            ("1990e-2", 2, exact(1_990)),
            ("1.99E+1", 2, exact(1_990)),
            ("19.900", 2, exact(1_990)),
            ("19.901", 2, rounded(1_990)),
            ("-19.901", 2, rounded(-1_991)),
            ("-19.9", 2, exact(-1_990)),
            ("1752424930123456789", -3, rounded(1_752_424_930_123_456)),
            ("1752424930123456000", -3, exact(1_752_424_930_123_456)),
            ("7", -3, rounded(0)),
            ("-7", -3, rounded(-1)),
            ("0", 2, exact(0)),
            ("-0.0e99999999999999999999", 38, exact(0)),
            ("1e99999999999999999999", 0, None),
            ("1e-99999999999999999999", 0, rounded(0)),
            ("1e38", 0, exact(10_i128.pow(38))),
            ("1e39", 0, None),
            ("170141183460469231731687303715884105727", 0, exact(i128::MAX)),
            ("170141183460469231731687303715884105728", 0, None),
        ] {
            assert_eq!(scaled(number, scale), expected, "{number}");
        }
        let zeros = format!("0.{}1e300", "0".repeat(300));
        assert_eq!(scaled(&zeros, 1), exact(1));
    }

    #[test]
    fn digits_are_told_from_other_text() {
        for text in ["1752424930", "-1", "0.5", "1752424930.123"] {
            assert!(is_digits(text), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e3", "1 000", "+1", "--1", "1.2.3", "٣"] {
            assert!(!is_digits(text), "{text}");
        }
    }
}
