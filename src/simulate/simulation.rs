use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Write;

use chrono::{DateTime, TimeZone, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Geometric};

use super::Catalogue;
use super::dirt::Dirt;
use super::session::{Click, Session};

/// Visits are spread over this long.
const SPAN_S: f64 = 3.0 * 86_400.0;
const CLICKS_PER_SESSION: u64 = 8;
const SESSIONS_PER_USER: u64 = 3;
/// Repeated deliveries are of one of the last so many records.
const REMEMBERED: usize = 1_000;
/// Late deliveries come after this long.
const LATE_S: std::ops::Range<i64> = 300..10_800;

/// The shop, its visitors and its stream.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// How many records in all.
    pub events: u64,
    /// About how many sessions they belong to; one for every eight events if none is given.
    pub sessions: Option<u64>,
    /// How many items the shop has.
    pub items: u32,
    /// How many categories they are in.
    pub categories: u32,
    /// Another seed is another shop of the same kind.
    pub seed: u64,
    /// Share of records, 0 to 1, that are broken, repeated, late or without a session.
    pub dirty: f64,
    /// When the first visit starts.
    pub start: DateTime<Utc>,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            events: 10_000,
            sessions: None,
            items: 2_000,
            categories: 20,
            seed: 42,
            dirty: 0.0,
            start: Utc.timestamp_opt(1_752_364_800, 0).single().unwrap_or_default(),
        }
    }
}

/// One record of the stream; its buffers are used again for the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The session, or the user where the record names no session.
    pub key: Vec<u8>,
    /// JSON, unless the record is broken.
    pub value: Vec<u8>,
}

/// How many records of each kind came so far. `valid + duplicates + broken` is their number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Usable, each counted once; `late` and `sessionless` are among them.
    pub valid: u64,
    /// Earlier records again.
    pub duplicates: u64,
    /// Delivered minutes to hours after their time.
    pub late: u64,
    /// Without a session id.
    pub sessionless: u64,
    /// Not usable.
    pub broken: u64,
}

/// A stream of records in the order of delivery.
#[derive(Debug)]
pub struct Simulation {
    config: SimulationConfig,
    catalogue: Catalogue,
    random: StdRng,
    active: BinaryHeap<Reverse<Session>>,
    next_session: (u64, i64),
    late: BinaryHeap<Reverse<(i64, Click)>>,
    recent: VecDeque<Record>,
    tally: Tally,
    left: u64,
}

impl Simulation {
    /// The stream of a configuration.
    pub fn new(config: SimulationConfig) -> Self {
        Self {
            catalogue: Catalogue::new(&config),
            random: StdRng::seed_from_u64(config.seed),
            active: BinaryHeap::new(),
            next_session: (0, config.start.timestamp()),
            late: BinaryHeap::new(),
            recent: VecDeque::with_capacity(REMEMBERED),
            tally: Tally::default(),
            left: config.events,
            config,
        }
    }

    /// What came so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Writes the next record into `record`; `false` once all have come.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        if self.left == 0 {
            return false;
        }
        // The last places are for those that are still on their way.
        let late = if self.late.len() as u64 >= self.left {
            self.late.pop()
        } else {
            self.due()
        };
        match late {
            Some(Reverse((_, click))) => {
                self.tally.late += 1;
                self.tally.valid += 1;
                write(record, &click, true);
            }
            None => self.fresh(record),
        }
        self.left -= 1;
        true
    }

    fn due(&mut self) -> Option<Reverse<(i64, Click)>> {
        let Reverse((due, _)) = self.late.peek()?;
        if *due <= self.now() { self.late.pop() } else { None }
    }

    fn now(&self) -> i64 {
        self.active
            .peek()
            .map_or(self.next_session.1, |Reverse(session)| session.next_at())
    }

    /// A record that is delivered when it happens.
    fn fresh(&mut self, record: &mut Record) {
        loop {
            let dirt = if self.config.dirty > 0.0 && self.random.random_bool(self.config.dirty) {
                Some(Dirt::any(&mut self.random))
            } else {
                None
            };
            match dirt {
                Some(Dirt::Duplicate) if !self.recent.is_empty() => {
                    let again = self.random.random_range(0..self.recent.len());
                    record.clone_from(&self.recent[again]);
                    self.tally.duplicates += 1;
                }
                Some(Dirt::Late) if self.late.len() as u64 + 1 < self.left => {
                    let click = self.click();
                    let due = click.at + self.random.random_range(LATE_S);
                    self.late.push(Reverse((due, click)));
                    continue;
                }
                Some(Dirt::Broken(how)) => {
                    write(record, &self.click(), true);
                    how.spoil(&mut record.value);
                    self.tally.broken += 1;
                }
                Some(Dirt::Sessionless) => {
                    write(record, &self.click(), false);
                    self.tally.sessionless += 1;
                    self.tally.valid += 1;
                }
                _ => {
                    write(record, &self.click(), true);
                    self.tally.valid += 1;
                    self.remember(record);
                }
            }
            return;
        }
    }

    fn remember(&mut self, record: &Record) {
        if self.config.dirty == 0.0 {
            return;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
    }

    /// The next click of any session.
    fn click(&mut self) -> Click {
        while self
            .active
            .peek()
            .is_none_or(|Reverse(session)| session.next_at() >= self.next_session.1)
        {
            self.start_session();
        }
        // The loop above leaves at least one.
        let Some(Reverse(mut session)) = self.active.pop() else {
            return self.click();
        };
        let click = session.click(&self.catalogue, &mut self.random);
        if session.goes_on() {
            self.active.push(Reverse(session));
        }
        click
    }

    fn start_session(&mut self) {
        let sessions = self
            .config
            .sessions
            .unwrap_or(self.config.events / CLICKS_PER_SESSION)
            .max(1);
        let mean_clicks = (self.config.events as f64 / sessions as f64).max(1.0);
        let extra = Geometric::new(1.0 / mean_clicks).map_or(0, |clicks| clicks.sample(&mut self.random));
        let (id, at) = self.next_session;
        let user = self.random.random_range(0..sessions.div_ceil(SESSIONS_PER_USER));
        let favourites = self.favourites(user);
        let clicks = u32::try_from(extra).unwrap_or(u32::MAX).saturating_add(1);
        self.active.push(Reverse(Session::start(
            id,
            user,
            favourites,
            at,
            clicks,
            &mut self.random,
        )));
        let gap = Exp::new(sessions as f64 / SPAN_S).map_or(1.0, |gaps| gaps.sample(&mut self.random));
        self.next_session = (id + 1, at + gap as i64);
    }

    /// The same user always likes the same.
    fn favourites(&self, user: u64) -> [u32; 2] {
        let mut taste = StdRng::seed_from_u64(self.config.seed ^ user.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        [self.catalogue.category(&mut taste), self.catalogue.category(&mut taste)]
    }
}

impl Iterator for Simulation {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}

fn write(record: &mut Record, click: &Click, with_session: bool) {
    let at = DateTime::from_timestamp(click.at, 0).unwrap_or_default();
    let at = at.format("%Y-%m-%dT%H:%M:%SZ");
    let Click {
        session,
        user,
        item,
        kind,
        ..
    } = click;
    record.key.clear();
    record.value.clear();
    // Writing to a Vec cannot fail.
    let _ = if with_session {
        _ = write!(record.key, "sess_{session}");
        write!(
            record.value,
            r#"{{"timestamp":"{at}","session_id":"sess_{session}","user_id":"user_{user}","item_id":"prod_{item}","event_type":"{}"}}"#,
            kind.name()
        )
    } else {
        _ = write!(record.key, "user_{user}");
        write!(
            record.value,
            r#"{{"timestamp":"{at}","user_id":"user_{user}","item_id":"prod_{item}","event_type":"{}"}}"#,
            kind.name()
        )
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{HashMap, HashSet};

    use serde_json::Value;

    use super::*;

    fn simulate(events: u64, dirty: f64, seed: u64) -> (Vec<Record>, Tally) {
        let mut simulation = Simulation::new(SimulationConfig {
            events,
            dirty,
            seed,
            ..SimulationConfig::default()
        });
        let records = simulation.by_ref().collect();
        (records, simulation.tally())
    }

    fn parsed(records: &[Record]) -> Vec<Value> {
        records
            .iter()
            .filter_map(|record| serde_json::from_slice(&record.value).ok())
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_gives_others() {
        assert_eq!(simulate(2_000, 0.1, 1), simulate(2_000, 0.1, 1));
        assert_ne!(simulate(2_000, 0.1, 1).0, simulate(2_000, 0.1, 2).0);
    }

    #[test]
    fn a_record_looks_like_the_documented_one() {
        let (records, _) = simulate(1, 0.0, 42);
        let text = String::from_utf8(records[0].value.clone()).unwrap();
        assert!(text.starts_with(r#"{"timestamp":"2025-07-13T"#), "{text}");
        let fields: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(fields["session_id"], "sess_0");
        assert_eq!(records[0].key, b"sess_0");
        assert_eq!(fields["event_type"], "view");
    }

    #[test]
    fn every_record_is_accounted_for() {
        let (records, tally) = simulate(20_000, 0.2, 7);
        assert_eq!(records.len(), 20_000);
        assert_eq!(tally.valid + tally.duplicates + tally.broken, 20_000);
        assert!(
            tally.late > 100 && tally.sessionless > 100 && tally.duplicates > 100 && tally.broken > 100,
            "{tally:?}"
        );
        let distinct: HashSet<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
        // Empty objects repeat each other as well.
        assert!(distinct.len() as u64 <= tally.valid + tally.broken);
        let sessionless = parsed(&records)
            .into_iter()
            .filter(|click| click.get("session_id").is_none() && click.get("user_id").is_some());
        assert_eq!(sessionless.count() as u64, tally.sessionless);
    }

    #[test]
    fn clean_traffic_is_in_order_and_never_repeats_itself() {
        let (records, _) = simulate(20_000, 0.0, 3);
        let clicks = parsed(&records);
        assert_eq!(clicks.len(), 20_000);
        assert!(
            clicks
                .windows(2)
                .all(|pair| pair[0]["timestamp"].as_str() <= pair[1]["timestamp"].as_str())
        );
        let distinct: HashSet<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
        assert_eq!(distinct.len(), 20_000);
    }

    #[test]
    fn purchases_follow_a_cart_of_the_same_item_in_the_session() {
        let (records, _) = simulate(20_000, 0.0, 4);
        let mut carts = HashSet::new();
        let mut kinds = HashMap::<String, u64>::new();
        for click in parsed(&records) {
            let key = (click["session_id"].to_string(), click["item_id"].to_string());
            let kind = click["event_type"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "add_to_cart" => _ = carts.insert(key),
                "purchase" => assert!(carts.contains(&key), "{click}"),
                _ => {}
            }
            *kinds.entry(kind).or_default() += 1;
        }
        assert!(
            kinds["view"] > 5 * kinds["add_to_cart"] && kinds["add_to_cart"] > 2 * kinds["purchase"],
            "{kinds:?}"
        );
    }

    #[test]
    fn sessions_stay_in_their_categories_and_few_items_are_popular() {
        let config = SimulationConfig {
            events: 50_000,
            ..SimulationConfig::default()
        };
        let catalogue = Catalogue::new(&config);
        let mut sessions = HashMap::<String, Vec<u32>>::new();
        let mut items = HashMap::<String, u64>::new();
        for click in parsed(&Simulation::new(config).collect::<Vec<_>>()) {
            let item = click["item_id"].as_str().unwrap();
            sessions
                .entry(click["session_id"].to_string())
                .or_default()
                .push(catalogue.category_of(item).unwrap());
            *items.entry(item.to_owned()).or_default() += 1;
        }
        let (mut home, mut all) = (0, 0);
        for categories in sessions.values() {
            let mut counts = HashMap::<u32, usize>::new();
            categories
                .iter()
                .for_each(|category| *counts.entry(*category).or_default() += 1);
            let mut counts: Vec<usize> = counts.into_values().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            home += counts.iter().take(2).sum::<usize>();
            all += categories.len();
        }
        assert!(home as f64 > 0.85 * all as f64, "{home} of {all}");
        let mut counts: Vec<u64> = items.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let top = counts.iter().take(counts.len() / 10).sum::<u64>();
        assert!(
            top as f64 > 0.25 * 50_000.0,
            "the top tenth of the items has {top} clicks"
        );
    }

    #[test]
    fn tiny_shops_work() {
        for (items, categories) in [(1, 1), (1, 20), (3, 2)] {
            let config = SimulationConfig {
                events: 100,
                items,
                categories,
                dirty: 0.5,
                ..SimulationConfig::default()
            };
            assert_eq!(Simulation::new(config).count(), 100);
        }
    }
}
