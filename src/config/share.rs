//! Shares as they are written: `5%` or `0.05`, from 0 to 100%. `validate` refuses malformed ones.
//!
//! Both ways are decimal: in binary, 100 times 0.07 is 7.000000000000001.

/// The share, 0 to 1; `None` if the text is none.
pub(super) fn parse(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => format!("{}e-2", percent.trim()).parse::<f64>(),
        None => text.parse(),
    };
    share.ok().filter(|share| (0.0..=1.0).contains(share))
}

/// A share in percent, with the fewest digits that read back as the same share: `5%`.
pub fn percent(share: f64) -> String {
    // `0.07`, with the fewest digits; the point moves by two places.
    let written = share.to_string();
    let (whole, fraction) = written.split_once('.').unwrap_or((written.as_str(), ""));
    let fraction = format!("{fraction:0<2}");
    let (more, fraction) = fraction.split_at(2);
    let whole = format!("{whole}{more}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match fraction {
        "" => format!("{whole}%"),
        fraction => format!("{whole}.{fraction}%"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn per_cent_are_printed_as_they_were_written() {
        for (written, printed) in [
            ("5%", "5%"),
            ("7%", "7%"),
            ("0.07", "7%"),
            ("0.7%", "0.7%"),
            ("12.5 %", "12.5%"),
            ("28.999%", "28.999%"),
            ("0.29", "29%"),
            ("100%", "100%"),
            ("1", "100%"),
            ("0", "0%"),
            ("0.00001", "0.001%"),
        ] {
            assert_eq!(percent(parse(written).unwrap()), printed, "{written}");
        }
    }

    #[test]
    fn other_texts_are_no_shares() {
        for text in ["", "%", "much", "101%", "-1%", "1.01", "NaN", "nan%", "inf%", "1e0%"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_share_reads_back(share in 0.0_f64..=1.0) {
            prop_assert_eq!(parse(&percent(share)), Some(share));
        }
    }
}
