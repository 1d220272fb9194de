//! Many visits at once: who comes, when, and how many clicks each visit makes (which ones, `session` says), as one
//! stream of records in the order of delivery, with late, repeated and broken ones.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Write;

use chrono::DateTime;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Geometric};

use super::dirt::Dirt;
use super::session::{Click, Session};
use super::{Catalog, SimulationConfig};

/// The time over which visits are spread.
const SPAN_S: f64 = 3.0 * 86_400.0;
const CLICKS_PER_SESSION: u64 = 8;
const SESSIONS_PER_USER: u64 = 3;
/// A repeated delivery repeats one of this many latest records.
const REMEMBERED: usize = 1_000;
/// The delay of late deliveries.
const LATE_S: std::ops::Range<i64> = 300..10_800;

/// One record of the stream; its buffers are reused for the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The session, or the user if the record names no session.
    pub key: Vec<u8>,
    /// JSON, unless the record is broken.
    pub value: Vec<u8>,
}

/// The number of records of each kind so far. `valid + duplicates + broken` is the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Usable, each counted once; includes `late` and `sessionless`.
    pub valid: u64,
    /// Repetitions of earlier records.
    pub duplicates: u64,
    /// Delivered minutes to hours after their time.
    pub late: u64,
    /// Without a session ID.
    pub sessionless: u64,
    /// Not usable.
    pub broken: u64,
}

/// A stream of records in the order of delivery.
#[derive(Debug)]
pub struct Simulation {
    config: SimulationConfig,
    catalog: Catalog,
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
            catalog: Catalog::new(&config),
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

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Writes the next record into `record`; returns `false` at the end.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        if self.left == 0 {
            return false;
        }
        // The last turns are for records that are still to be delivered.
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

    /// A record that is delivered at the time of its event.
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
        let click = session.click(&self.catalog, &mut self.random);
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
        let favorites = self.favorites(user);
        let clicks = u32::try_from(extra).unwrap_or(u32::MAX).saturating_add(1);
        self.active.push(Reverse(Session::start(
            id,
            user,
            favorites,
            at,
            clicks,
            &mut self.random,
        )));
        let gap = Exp::new(sessions as f64 / SPAN_S).map_or(1.0, |gaps| gaps.sample(&mut self.random));
        self.next_session = (id + 1, at + gap as i64);
    }

    /// A user always has the same favorites.
    fn favorites(&self, user: u64) -> [u32; 2] {
        let mut taste = StdRng::seed_from_u64(self.config.seed ^ user.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        [self.catalog.category(&mut taste), self.catalog.category(&mut taste)]
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
