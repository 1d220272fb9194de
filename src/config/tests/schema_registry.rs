//! Schemas of a Kafka source: a registry, or a file.

use super::*;

/// The file with these further settings of a topic.
fn with(settings: &str) -> String {
    GOOD.replace(
        "files: { path: sample_data/*.json, format: ndjson }",
        &format!("kafka: {{ brokers: b, topic: t, {settings} }}"),
    )
}

#[test]
fn a_registry_has_an_address_and_keeps_its_secrets() {
    let settings =
        r#"schema_registry: { url: "http://registry:8081/api/", username: "${KEY}", password: "${SECRET}" }"#;
    let env = [("KEY", "key-1234"), ("SECRET", "hush-5678")];
    let project = load(&with(settings), None, &env).unwrap();
    let schemas = project.schemas();
    let printed = format!("{project:?} {schemas:?}");
    assert!(printed.contains("http://registry:8081/api\""), "{printed}");
    assert!(!printed.contains("hush") && !printed.contains("key-1234"), "{printed}");
    assert_eq!(schemas.keys().collect::<Vec<_>>(), ["clicks"]);
    assert!(load(&with("options: {}"), None, &[]).unwrap().schemas().is_empty());
}

#[test]
fn problems_of_schemas_have_a_place_and_a_way_out() {
    for (settings, told) in [
        (
            r#"schema_registry: { url: "http://user:hush@registry" }"#,
            &["`url` contains a user name or a password", "environment"][..],
        ),
        (
            r#"schema_registry: { url: "registry:8081" }"#,
            &["`url` is not the address", "https://HOST:PORT"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry?a=b" }"#,
            &["more than an address", "leave out"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry", password: "${P:-}" }"#,
            &["`password` has no `username`"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry", username: u, password: hush }"#,
            &["contains the secret `password`", "rotate"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry", token: hush }"#,
            &["contains the secret `token`", "rotate"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry", username: u, token: "${T:-}" }"#,
            &["`username` and `token` cannot both be set", "keep one of them"][..],
        ),
        (
            r#"schema_registry: { url: "http://registry, registry:8081" }"#,
            &["`url` is not the address", "Commas separate"][..],
        ),
        ("message: shop.Click", &["`message` has no `schema`"][..]),
        (
            "schema: click.proto",
            &["click.proto may have several messages", "`message` names a message"][..],
        ),
        (
            "schema: click.proto, message: shop.Click",
            &["click.proto has no Protobuf schema"][..],
        ),
        (
            r#"schema: a.sql, schema_registry: { url: "http://registry" }"#,
            &["`schema_registry` and `schema` cannot both be set", "keep one of them"][..],
        ),
        (
            "schema: click.avsc",
            &["click.avsc cannot be read", "Avro schema of a record"][..],
        ),
        ("schema: a.sql", &["a.sql has no Avro schema"][..]),
    ] {
        let error = error(&with(settings), None);
        assert!(error.contains("pipelines.yaml:5:"), "{settings}: {error}");
        assert!(told.iter().all(|told| error.contains(told)), "{settings}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
