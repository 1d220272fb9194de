//! The items of the simulated shop: in categories, popular ones more often, neighbors in rank alike.

use std::collections::HashSet;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use rand::Rng;
use rand_distr::{Distribution, Zipf};

use super::{SimulationConfig, products};

/// How steeply popularity falls with rank, inside a category and between categories.
const ITEM_SKEW: f64 = 0.9;
const CATEGORY_SKEW: f64 = 0.4;

/// Items `prod_0`, `prod_1`, … in categories. Item `i` is in category `i mod categories`, with popularity rank
/// `i div categories` in it; neighbors in rank are similar.
#[derive(Debug, Clone)]
pub struct Catalog {
    items: u32,
    categories: u32,
    start: DateTime<Utc>,
    ranks: Zipf<f64>,
    shelves: Zipf<f64>,
}

impl Catalog {
    /// The catalog of a simulation. A category holds at least one item.
    pub fn new(config: &SimulationConfig) -> Self {
        let items = config.items.max(1);
        let categories = config.categories.clamp(1, items);
        let zipf = |n: u32, skew: f64| Zipf::new(f64::from(n.max(1)), skew);
        let flat = Zipf::new(1.0, 1.0);
        // Zipf refuses only n < 1 and a negative skew, which the constants above rule out.
        let or_flat =
            |made: Result<Zipf<f64>, _>| made.or(flat).unwrap_or_else(|_: rand_distr::ZipfError| unreachable!());
        Self {
            items,
            categories,
            start: config.start,
            ranks: or_flat(zipf(items.div_ceil(categories), ITEM_SKEW)),
            shelves: or_flat(zipf(categories, CATEGORY_SKEW)),
        }
    }

    /// The category of an item's ID; `None` if the ID is not in this catalog.
    pub fn category_of(&self, item_id: &str) -> Option<u32> {
        let item: u32 = item_id.strip_prefix("prod_")?.parse().ok()?;
        (item < self.items).then_some(item % self.categories)
    }

    /// The share of all items that are in these categories, 0 to 1: how often a random recommendation would be in one.
    pub fn share_of(&self, categories: &HashSet<u32>) -> f64 {
        let items: u32 = categories.iter().map(|category| self.items_in(*category)).sum();
        f64::from(items) / f64::from(self.items)
    }

    /// Writes all items as CSV with a header, as a shop's catalog lists them. The same shop gives the same bytes.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", products::HEADER)?;
        (0..self.items).try_for_each(|item| products::write_row(item, self.categories, self.start, out))
    }

    fn items_in(&self, category: u32) -> u32 {
        if category < self.categories {
            (self.items - category).div_ceil(self.categories)
        } else {
            0
        }
    }

    /// A random category; popular ones are more likely.
    pub(super) fn category(&self, random: &mut impl Rng) -> u32 {
        (self.shelves.sample(random) as u32 - 1) % self.categories
    }

    /// A random item of a category; popular ones are more likely.
    pub(super) fn item(&self, category: u32, random: &mut impl Rng) -> u32 {
        self.at(category, self.ranks.sample(random) as u32 - 1)
    }

    /// An item similar to this one: a near neighbor in the same category.
    pub(super) fn neighbor(&self, item: u32, random: &mut impl Rng) -> u32 {
        let rank = item / self.categories;
        let step = random.random_range(1..=3);
        let near = if random.random_bool(0.5) {
            rank + step
        } else {
            rank.saturating_sub(step)
        };
        self.at(item % self.categories, near)
    }

    fn at(&self, category: u32, rank: u32) -> u32 {
        (rank % self.items_in(category).max(1)) * self.categories + category
    }
}
