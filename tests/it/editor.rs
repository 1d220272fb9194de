//! What editors and shells get: a schema, completions, manual pages.

use std::fs;

use crate::support::Shop;

#[test]
fn the_schema_of_a_new_project_is_that_of_the_program_and_of_this_repository() {
    let shop = Shop::new();
    let schema = shop.ok(&["schema"]);
    assert_eq!(
        fs::read_to_string(shop.path(".editor/pipelines.schema.json")).unwrap(),
        schema
    );
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/.editor/pipelines.schema.json");
    assert_eq!(
        fs::read_to_string(repository).unwrap(),
        schema,
        "clickrec schema > .editor/pipelines.schema.json"
    );
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let step = &schema["$defs"]["RawStep"];
    assert_eq!(step["properties"]["mode"]["enum"][2], "merge");
    assert_eq!(step["additionalProperties"], false);
    for key in ["key", "expect", "partition_by", "every"] {
        assert!(step["properties"][key]["description"].is_string(), "{key}");
    }
    let config = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
    assert!(config.starts_with("# yaml-language-server: $schema=.editor/pipelines.schema.json\n"));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let shop = Shop::new();
    let bash = shop.ok(&["completions", "bash"]);
    shop.ok(&["man", "man1"]);
    for command in ["run", "plan", "quarantine", "optimize"] {
        assert!(bash.contains(command), "{command}");
        let page = fs::read_to_string(shop.path(&format!("man1/clickrec-{command}.1"))).unwrap();
        assert!(page.contains("Examples"), "{command}");
    }
    assert!(shop.ok(&["man"]).starts_with(".ie"));
}
