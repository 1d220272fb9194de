//! Which topics a source reads: those that its settings name, or all whose names match a pattern.

use std::fmt;

use regex::Regex;
use serde_yaml::Location;

use crate::settings::{Text, Values};

/// What the names of internal topics begin with (`__consumer_offsets`).
const INTERNAL: &str = "__";

/// Which topics a source reads.
#[derive(Debug, Clone)]
pub enum Topics {
    /// These: at least one, and each once.
    Named(Vec<String>),
    /// All that the brokers have and that match, whenever they are asked.
    Matching(TopicPattern),
}

/// A regular expression for the whole name of a topic. Internal topics never match.
#[derive(Debug, Clone)]
pub struct TopicPattern {
    written: String,
    whole: Regex,
}

impl TopicPattern {
    /// Of a regular expression, in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn new(written: impl Into<String>) -> Result<Self, regex::Error> {
        let written = written.into();
        // By itself first, so that an error shows what was written.
        Regex::new(&written)?;
        let whole = Regex::new(&format!(r"\A(?:{written})\z"))?;
        Ok(Self { written, whole })
    }

    /// Whether it matches the whole name of a topic that is not internal.
    pub fn matches(&self, topic: &str) -> bool {
        !topic.starts_with(INTERNAL) && self.whole.is_match(topic)
    }
}

impl Topics {
    /// A single topic.
    pub fn one(topic: impl Into<String>) -> Self {
        Self::Named(vec![topic.into()])
    }

    /// The topic, if there can be no other.
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::Named(topics) if topics.len() == 1 => topics.first().map(String::as_str),
            _ => None,
        }
    }

    /// Whether a topic of this name is one of them.
    pub fn contain(&self, topic: &str) -> bool {
        match self {
            Self::Named(topics) => topics.iter().any(|named| named == topic),
            Self::Matching(pattern) => pattern.matches(topic),
        }
    }

    /// From the keys `topic`, `topics` and `topic_pattern`; `None` if there is a problem, which is at `source` if it is
    /// not in one of their values.
    pub(super) fn validate(
        topic: Option<&Text>,
        topics: Option<&[Text]>,
        pattern: Option<&Text>,
        source: Location,
        values: &mut Values,
    ) -> Option<Self> {
        match (topic, topics, pattern) {
            (Some(topic), None, None) => values.text(topic).map(Self::one),
            (None, Some(topics), None) => named(topics, source, values).map(Self::Named),
            (None, None, Some(pattern)) => matching(pattern, values).map(Self::Matching),
            _ => {
                let given = pattern.or(topics.and_then(<[Text]>::first));
                let at = given.map_or(source, |text| text.referenced);
                let help = "`topic` names one topic, `topics` is a list of several, and `topic_pattern` is a regular \
                            expression for the names of all: keep one of the keys";
                let message = "a Kafka source needs exactly one of `topic`, `topics` and `topic_pattern`";
                values.problem(at, message, Some(help.to_owned()));
                None
            }
        }
    }
}

fn named(topics: &[Text], source: Location, values: &mut Values) -> Option<Vec<String>> {
    if topics.is_empty() {
        let help = "name at least one topic: topics: [clickstream]".to_owned();
        values.problem(source, "`topics` is an empty list", Some(help));
        return None;
    }
    let (mut named, mut is_good) = (vec![], true);
    for topic in topics {
        match values.text(topic) {
            Some(name) if named.contains(&name) => {
                let help = "remove one of them: a source reads each record of a topic once".to_owned();
                values.problem(topic.referenced, format!("`topics` names `{name}` twice"), Some(help));
                is_good = false;
            }
            Some(name) => named.push(name),
            None => is_good = false,
        }
    }
    is_good.then_some(named)
}

fn matching(pattern: &Text, values: &mut Values) -> Option<TopicPattern> {
    let written = values.text(pattern)?;
    match TopicPattern::new(written) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            // The other lines draw the place, which does not fit into one line.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let help = "write a regular expression that matches the whole name, as in \"clicks\\\\..*\"".to_owned();
            let message = format!("`topic_pattern` is not a regular expression: {reason}");
            values.problem(pattern.referenced, message, Some(help));
            None
        }
    }
}

/// `topic a`, `topics a, b` or `topics that match a.*`.
impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(topics) if topics.len() == 1 => write!(f, "topic {}", topics.concat()),
            Self::Named(topics) => write!(f, "topics {}", topics.join(", ")),
            Self::Matching(pattern) => write!(f, "topics that match {}", pattern.written),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_and_no_internal_ones() {
        let clicks = TopicPattern::new(r"clicks\..*|views").unwrap();
        for (topic, matches) in [
            ("clicks.web", true),
            ("clicks.", true),
            ("views", true),
            ("clicks", false),
            ("my.clicks.web", false),
            ("views.old", false),
        ] {
            assert_eq!(clicks.matches(topic), matches, "{topic}");
        }
        let all = TopicPattern::new(".*").unwrap();
        assert!(all.matches("_schemas") && !all.matches("__consumer_offsets"));
        assert!(TopicPattern::new("clicks(").is_err());
        assert!(
            TopicPattern::new("a)|(b").is_err(),
            "not even where it would be well-formed in parentheses"
        );
    }

    #[test]
    fn only_a_single_name_is_an_only_topic() {
        let two = Topics::Named(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!((Topics::one("a").only(), two.only()), (Some("a"), None));
        assert_eq!(Topics::Matching(TopicPattern::new("a").unwrap()).only(), None);
        assert_eq!(two.to_string(), "topics a, b");
        assert!(two.contain("b") && !two.contain("c"));
    }
}
