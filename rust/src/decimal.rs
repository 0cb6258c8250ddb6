//! Reads a venue's decimal text as the nearest double. Decides what counts as a number; signs and ranges that a field
//! allows are left to the field's reader.

/// The nearest double to a plain decimal text: digits, at most one point, digits on both sides of it. No sign, no
/// exponent, no `inf`, no `nan`, and nothing too large for a double; `None` for all of these.
pub fn parse(text: &str) -> Option<f64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.map_or(true, digits) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_plain_decimal_is_the_nearest_double() {
        assert_eq!(parse("0.01731"), Some(0.01731));
        assert_eq!(parse("101023.50"), Some(101023.5));
        assert_eq!(parse("0"), Some(0.0));
        assert_eq!(parse("9007199254740993"), Some(9007199254740992.0));
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_no_number() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e5", "nan", "inf", "infinity", "1.2.3", "1,5", " 1", "1 ", "0x10", "١"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&"9".repeat(400)), None);
    }
}
