//! Popularity bias: how popular the recommended items are.

/// Popularity@k: the mean popularity of the first `k` items of all lists, where the most popular item counts 1 and an
/// item without sessions 0 (Ludewig, Jannach, UMUAI 2018). `sessions` is the number of training sessions per item.
pub fn popularity_bias<'a>(lists: impl Iterator<Item = &'a [u32]>, sessions: &[f64], k: usize) -> f64 {
    let most = sessions.iter().copied().fold(0.0, f64::max);
    let (mut shown, mut sum) = (0_u64, 0.0);
    for item in lists.flat_map(|list| list.iter().take(k)) {
        shown += 1;
        sum += sessions.get(*item as usize).copied().unwrap_or(0.0);
    }
    if shown == 0 || most == 0.0 {
        0.0
    } else {
        sum / (most * shown as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_what_is_shown_beside_the_most_popular() {
        let lists: [&[u32]; 2] = [&[0, 1], &[2]];
        assert_eq!(popularity_bias(lists.into_iter(), &[8.0, 4.0, 0.0], 2), 0.5);
        assert_eq!(popularity_bias(std::iter::empty(), &[1.0], 2), 0.0);
    }
}
