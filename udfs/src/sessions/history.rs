//! Past sessions in memory, by age, and the newest sessions that contain an item (an inverted index): what
//! `session_knn` and `item_transitions` look things up in. An item that a session has many times is found there once,
//! but all of its clicks are kept; of simultaneous clicks, that of the lower item is first.

/// One click of a past session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Click {
    /// The session's number, which may be arbitrary.
    pub session: u32,
    /// The time, on any increasing scale.
    pub at: i64,
    /// The item's index.
    pub item: u32,
}

/// Past sessions by age, and for every item the newest sessions containing it (the inverted index of Kersbergen,
/// Sprangers, Schelter, "Serenade: Low-Latency Session-Based Recommendation in e-Commerce at Scale", SIGMOD 2022).
///
/// Memory: 4 bytes per click, 4 per pair of session and item within the sample, and 12 per session.
#[derive(Debug, Clone)]
pub struct SessionHistory {
    /// The start of each session's clicks, oldest session first, plus the final end.
    starts: Vec<usize>,
    clicks: Vec<u32>,
    /// The sessions' original numbers, by age.
    sessions: Vec<u32>,
    /// The start of each item's sessions, plus the final end.
    posting_starts: Vec<usize>,
    /// Positions of sessions by age, newest first.
    postings: Vec<u32>,
    /// The number of sessions with each item, not limited by the sample.
    frequencies: Vec<u32>,
}

impl SessionHistory {
    /// Groups clicks into sessions; the age of a session is that of its last click. For each item, only the newest
    /// `sample` sessions can be looked up.
    pub fn new(items: usize, mut clicks: Vec<Click>, sample: usize) -> Self {
        clicks.sort_unstable();
        let mut spans: Vec<(i64, u32, std::ops::Range<usize>)> = vec![];
        for (place, click) in clicks.iter().enumerate() {
            match spans.last_mut() {
                Some((ended, session, span)) if *session == click.session => (*ended, span.end) = (click.at, place + 1),
                _ => spans.push((click.at, click.session, place..place + 1)),
            }
        }
        spans.sort_unstable_by_key(|(ended, session, _)| (*ended, *session));
        let (mut starts, mut ordered) = (vec![0], Vec::with_capacity(clicks.len()));
        for (.., span) in &spans {
            ordered.extend(clicks[span.clone()].iter().map(|click| click.item));
            starts.push(ordered.len());
        }
        let sessions = spans.iter().map(|(_, session, _)| *session).collect();
        let mut history = Self {
            starts,
            clicks: ordered,
            sessions,
            posting_starts: vec![],
            postings: vec![],
            frequencies: vec![0; items],
        };
        history.index(sample);
        history
    }

    fn index(&mut self, sample: usize) {
        // Each item counts once per session.
        let mut last_seen = vec![u32::MAX; self.frequencies.len()];
        let mut pairs = vec![];
        for place in (0..self.len()).rev() {
            for item in &self.clicks[self.starts[place]..self.starts[place + 1]] {
                let item = *item as usize;
                if last_seen[item] != place as u32 {
                    last_seen[item] = place as u32;
                    self.frequencies[item] += 1;
                    if self.frequencies[item] as usize <= sample {
                        pairs.push((item as u32, place as u32));
                    }
                }
            }
        }
        let kept = |frequency: &u32| (*frequency as usize).min(sample);
        self.posting_starts = std::iter::once(0)
            .chain(self.frequencies.iter().scan(0, |end, frequency| {
                *end += kept(frequency);
                Some(*end)
            }))
            .collect();
        let mut next = self.posting_starts.clone();
        self.postings = vec![0; pairs.len()];
        for (item, place) in pairs {
            self.postings[next[item as usize]] = place;
            next[item as usize] += 1;
        }
    }

    /// The number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.frequencies.len()
    }

    /// The clicks of the session at a position by age, in order.
    pub fn clicks(&self, place: u32) -> &[u32] {
        &self.clicks[self.starts[place as usize]..self.starts[place as usize + 1]]
    }

    /// The original number of the session at a position.
    pub fn session(&self, place: u32) -> u32 {
        self.sessions[place as usize]
    }

    /// The newest sessions containing an item, newest first; none for an unknown item.
    pub fn with_item(&self, item: u32) -> &[u32] {
        match self.posting_starts.get(item as usize..item as usize + 2) {
            Some(&[start, end]) => &self.postings[start..end],
            _ => &[],
        }
    }

    /// The number of sessions containing an item.
    pub fn frequency(&self, item: u32) -> u32 {
        self.frequencies.get(item as usize).copied().unwrap_or_default()
    }
}

/// Roughly how many bytes a history of this many clicks takes while it is built.
pub fn history_bytes(clicks: usize, items: usize) -> usize {
    clicks * (size_of::<Click>() + 4 + 8 + 4 + 48) + items * 20
}
