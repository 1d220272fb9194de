//! Numbers with their nouns, in the singular or the plural.

use indicatif::HumanCount;

/// `1 row` or `1,234 rows`: a number and what it counts. A verb may follow the noun: `step waits` and `steps wait`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{} {what}", HumanCount(number))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0, "row", "rows"), "0 rows");
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(1_234, "row waits", "rows wait"), "1,234 rows wait");
    }
}
