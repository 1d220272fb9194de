//! All combinations of the values of `--grid`. `evaluate/mod.rs` tries them (`tune`), and takes the best, the first
//! among equals.

use std::collections::BTreeMap;

/// Every combination of the values of each name; the last name varies fastest.
pub fn combinations(grid: &[(String, Vec<String>)]) -> Vec<BTreeMap<String, String>> {
    let mut found = vec![BTreeMap::new()];
    for (name, values) in grid {
        found = found
            .into_iter()
            .flat_map(|known| {
                values.iter().map(move |value| {
                    let mut known = known.clone();
                    known.insert(name.clone(), value.clone());
                    known
                })
            })
            .collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_meet_all_others() {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let grid = [
            ("a".to_owned(), values(&["1", "2"])),
            ("b".to_owned(), values(&["x", "y"])),
        ];
        let found: Vec<String> = combinations(&grid)
            .iter()
            .map(|known| format!("{}{}", known["a"], known["b"]))
            .collect();
        assert_eq!(found, ["1x", "1y", "2x", "2y"]);
        assert_eq!(combinations(&[]).len(), 1);
    }
}
