//! The clicks of one visit: on which items, how fast, and whether it buys. Who comes when is `simulation`.

use rand::Rng;
use rand_distr::{Distribution, LogNormal};

use super::Catalog;

/// Share of clicks in the session's own categories.
const AT_HOME: f64 = 0.9;
/// How often a click goes to a neighbor of the last item, and how often back to it.
const TO_NEIGHBOR: f64 = 0.5;
const REPEAT: f64 = 0.1;
/// The funnel.
const VIEW_TO_CART: f64 = 0.14;
const CART_TO_PURCHASE: f64 = 0.35;
/// Seconds between clicks: the median, and their spread.
const PAUSE_MEDIAN_S: f64 = 20.0;
const PAUSE_SPREAD: f64 = 0.9;
/// Longer pauses would end the visit.
const PAUSE_MAX_S: f64 = 1_200.0;

/// The type of a click.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    View,
    AddToCart,
    Purchase,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::Purchase => "purchase",
        }
    }
}

/// One click.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Click {
    /// Seconds since 1970.
    pub at: i64,
    pub session: u64,
    pub user: u64,
    pub item: u32,
    pub kind: Kind,
}

/// A visit in progress. Visits are ordered by the time of their next click.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Session {
    next_at: i64,
    id: u64,
    user: u64,
    home: [u32; 2],
    left: u32,
    last: Option<u32>,
    next_kind: Kind,
}

impl Session {
    /// A visit of `clicks` clicks by a user, who prefers one or two favorite categories.
    pub fn start(id: u64, user: u64, favorites: [u32; 2], at: i64, clicks: u32, random: &mut impl Rng) -> Self {
        let home = if random.random_bool(0.6) {
            [favorites[0]; 2]
        } else {
            favorites
        };
        Self {
            next_at: at,
            id,
            user,
            home,
            left: clicks.max(1),
            last: None,
            next_kind: Kind::View,
        }
    }

    /// The time of its next click.
    pub fn next_at(&self) -> i64 {
        self.next_at
    }

    /// Whether it has clicks left.
    pub fn goes_on(&self) -> bool {
        self.left > 0
    }

    /// The next click; the one after it comes at least a second later.
    pub fn click(&mut self, catalog: &Catalog, random: &mut impl Rng) -> Click {
        let kind = self.next_kind;
        let item = match (kind, self.last) {
            (Kind::View, last) => self.item(last, catalog, random),
            (_, Some(last)) => last,
            (_, None) => self.item(None, catalog, random),
        };
        let click = Click {
            at: self.next_at,
            session: self.id,
            user: self.user,
            item,
            kind,
        };
        self.next_kind = match kind {
            Kind::View if random.random_bool(VIEW_TO_CART) => Kind::AddToCart,
            Kind::AddToCart if random.random_bool(CART_TO_PURCHASE) => Kind::Purchase,
            _ => Kind::View,
        };
        self.last = Some(item);
        self.left -= 1;
        self.next_at += pause(random);
        click
    }

    fn item(&self, last: Option<u32>, catalog: &Catalog, random: &mut impl Rng) -> u32 {
        match last {
            Some(last) if random.random_bool(REPEAT) => last,
            Some(last) if random.random_bool(TO_NEIGHBOR) => catalog.neighbor(last, random),
            _ if random.random_bool(AT_HOME) => catalog.item(self.home[random.random_range(0..2)], random),
            _ => catalog.item(catalog.category(random), random),
        }
    }
}

fn pause(random: &mut impl Rng) -> i64 {
    match LogNormal::new(PAUSE_MEDIAN_S.ln(), PAUSE_SPREAD) {
        Ok(pauses) => pauses.sample(random).clamp(1.0, PAUSE_MAX_S) as i64,
        Err(_) => PAUSE_MEDIAN_S as i64,
    }
}
