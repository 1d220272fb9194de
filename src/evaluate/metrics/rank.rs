//! The rank of an item in a list; ties count against us.

/// The rank of an item in a scored list, from 1. Ties count against us: every other item with the same score counts as
/// better. If more items tie than the list holds, the rank is beyond the list as well. `None` if the item is not in the
/// list.
pub fn rank(list: &[(u32, f64)], item: u32) -> Option<usize> {
    let (_, own) = list.iter().find(|(other, _)| *other == item)?;
    Some(list.iter().filter(|(_, score)| score >= own).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_against_us() {
        let list = [(7, 0.9), (3, 0.5), (4, 0.5), (1, 0.1)];
        assert_eq!(
            [7, 3, 4, 1, 9].map(|item| rank(&list, item)),
            [Some(1), Some(3), Some(3), Some(4), None]
        );
    }
}
