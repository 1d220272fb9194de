//! Topics of a Kafka source: one, a list, or a pattern.

use super::*;
use crate::sources::kafka::Topics;

/// The file with these settings of its topics.
fn with(topics: &str) -> String {
    GOOD.replace(
        "files: { path: sample_data/*.json, format: ndjson }",
        &format!("kafka: {{ brokers: b, {topics} }}"),
    )
}

fn topics(settings: &str) -> Topics {
    let project = load(&with(settings), None, &[("TOPIC", "app")]).unwrap();
    KafkaConfig::of(&*project.sources["clicks"]).unwrap().topics.clone()
}

#[test]
fn topics_are_one_a_list_or_a_pattern() {
    assert_eq!(topics("topic: web").only(), Some("web"));
    assert_eq!(topics("topics: [web]").only(), Some("web"));
    let listed = topics(r#"topics: [web, "${TOPIC}"]"#);
    assert!(listed.contain("web") && listed.contain("app") && !listed.contain("other"));
    let matching = topics(r#"topic_pattern: "clicks\\..*""#);
    assert!(matching.contain("clicks.web") && !matching.contain("clicksXweb"));
}

#[test]
fn problems_of_topics_have_a_place_and_a_way_out() {
    for (settings, told) in [
        (
            "options: {}",
            &[
                "exactly one of `topic`, `topics` and `topic_pattern`",
                "`topics` is a list",
            ][..],
        ),
        (
            "topic: a, topics: [b]",
            &[
                "exactly one of `topic`, `topics` and `topic_pattern`",
                "keep one of the keys",
            ][..],
        ),
        ("topics: [a], topic_pattern: b", &["exactly one of"][..]),
        (
            "topics: []",
            &["`topics` is an empty list", "topics: [clickstream]"][..],
        ),
        (
            "topics: [a, b, a]",
            &["`topics` names `a` twice", "remove one of them"][..],
        ),
        ("topics: [a, \"${MISSING}\"]", &["does not define `MISSING`"][..]),
        (
            r#"topic_pattern: "clicks(""#,
            &[
                "`topic_pattern` is not a regular expression: unclosed group",
                "the whole name",
            ][..],
        ),
    ] {
        let error = error(&with(settings), None);
        assert!(error.starts_with("pipelines.yaml:5:"), "{settings}: {error}");
        for words in told {
            assert!(error.contains(words), "{settings}: `{words}` is not in {error}");
        }
    }
}
