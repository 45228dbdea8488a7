//! Numbers of JSON as Python writes them, which is how they are words.

use std::borrow::Cow;

/// A number as Python's `json.dumps(json.loads(number))` writes it.
pub(super) fn python_number(number: &str) -> Cow<'_, str> {
    if number == "-0" {
        return Cow::Borrowed("0");
    }
    if !number.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(number);
    }
    number.parse().map_or(Cow::Borrowed(number), |value| {
        Cow::Owned(python_float(value))
    })
}

fn python_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    let scientific = format!("{value:e}");
    let parts = scientific
        .split_once('e')
        .map(|(mantissa, exponent)| (mantissa, exponent.parse::<i32>()));
    let Some((mantissa, Ok(exponent))) = parts else {
        return scientific;
    };
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_does() {
        let cases = [
            ("-0", "0"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1.0", "1.0"),
            ("1.10", "1.1"),
            ("1e5", "100000.0"),
            ("1e16", "1e+16"),
            ("1.5e-7", "1.5e-07"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e400", "Infinity"),
            ("-1e400", "-Infinity"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("NaN", "NaN"),
            ("-0.0", "-0.0"),
            ("-7", "-7"),
            ("1e22", "1e+22"),
            ("1e-300", "1e-300"),
        ];
        for (written, expected) in cases {
            assert_eq!(python_number(written), expected, "{written}");
        }
    }
}
