#![allow(clippy::unwrap_used)]

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::{Column, Kind, Step, parse_columns, parse_declaration};

fn column(declaration: &str) -> Column {
    let mut columns = parse_declaration("f", declaration).unwrap();
    assert_eq!(columns.len(), 1, "{declaration}");
    columns.remove(0)
}

fn names(names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| Step::Name((*name).to_owned())).collect()
}

#[test]
fn types_nest() {
    let declared = column("items struct(id string, \"a b\" decimal(10,2)[], m MAP( string , json ) ) [ ] []");
    let Kind::List(lists) = declared.kind else { panic!() };
    let Kind::List(items) = *lists else { panic!() };
    let Kind::Struct(fields) = *items else { panic!() };
    let kinds: Vec<(&str, &Kind)> = fields.iter().map(|field| (field.name.as_str(), &field.kind)).collect();
    let expected = [
        ("id", Kind::String),
        ("a b", Kind::List(Box::new(Kind::Decimal(10, 2)))),
        ("m", Kind::Map(Box::new(Kind::Json))),
    ];
    assert_eq!(
        kinds,
        expected.iter().map(|(name, kind)| (*name, kind)).collect::<Vec<_>>()
    );
    assert_eq!(fields[0].path, names(&["id"]));
    assert_eq!(column("j json").path, names(&["j"]));
}

#[test]
fn a_rest_has_no_path() {
    let declared = column("extra REST");
    assert!(declared.is_rest() && declared.path.is_empty());
    // A name may be that of a type.
    assert_eq!(column("rest json").path, names(&["rest"]));
    for misplaced in [
        "a rest, b rest",
        "a rest[]",
        "a rest from $.a",
        "a struct(b rest)",
        "a struct(b rest[])[]",
        "a map(string, rest)",
    ] {
        let error = parse_declaration("f", misplaced).unwrap_err().to_string();
        assert!(
            error.contains("`rest` is for one column of the record"),
            "{misplaced}: {error}"
        );
    }
    // A table has it as text.
    let fields = parse_columns("previous", "id string, extra rest").unwrap();
    assert_eq!(fields[1].data_type(), &DataType::Utf8);
}

#[test]
fn paths_may_be_quoted() {
    let deep = names(&["properties", "product_id"]);
    for path in [
        "$.properties.product_id",
        "'$.properties.product_id'",
        "\"$.properties.product_id\"",
        "$['properties'][\"product_id\"]",
        "'$[''properties''].product_id'",
    ] {
        let declared = column(&format!("item_id string FROM {path} "));
        assert_eq!((declared.kind, declared.path), (Kind::String, deep.clone()), "{path}");
    }
    let steps = vec![
        Step::Name("a, b]'".to_owned()),
        Step::Index(3),
        Step::Name("größe".to_owned()),
    ];
    assert_eq!(column("x int from $['a, b]'''][3].größe").path, steps);
}

#[test]
fn times_have_formats() {
    assert_eq!(column("at timestamp").kind, Kind::Timestamp(vec![]));
    let formats = vec!["%d.%m.%Y %H:%M".to_owned(), "%Y/%m/%d".to_owned()];
    let declared = column("at timestamp '%d.%m.%Y %H:%M' \"%Y/%m/%d\"[] from $.at");
    assert_eq!(declared.kind, Kind::List(Box::new(Kind::Timestamp(formats))));
    assert_eq!(
        column("d date '%d.%m.%Y'").kind,
        Kind::Date(vec!["%d.%m.%Y".to_owned()])
    );
    assert_eq!(column("at timestamp_ms").kind, Kind::Epoch(TimeUnit::Millisecond));
}

#[test]
fn what_is_wrong_has_a_message() {
    let deep = format!("a {}int{}", "struct(a ".repeat(40), ")".repeat(40));
    let lists = format!("a int{}", "[]".repeat(32));
    let steps = format!("a int from ${}", ".a".repeat(33));
    for (declaration, message) in [
        ("", "`` needs a name and a type"),
        ("id", "`id` needs a name and a type"),
        ("id string,", "`` needs a name and a type"),
        (
            "id strng",
            "column `id` has the unknown type `strng`; the types are string",
        ),
        ("id string string", "ends before `string`"),
        ("id string)", "ends before `)`"),
        ("\"id string", "the quote around a name is not closed"),
        ("a int, a int", "column `a` is declared twice"),
        ("s struct(a int, a int)", "column `a` is declared twice"),
        ("s struct()", "`` needs a name and a type"),
        ("s struct(a int", "needs a `)` before ``"),
        ("s struct", "needs a `(` before ``"),
        ("l int[", "needs a `]` before ``"),
        ("m map(int, int)", "the keys of the map `m` must be string"),
        ("m map(string)", "needs a `,` before `)`"),
        ("d decimal(39, 2)", "needs a decimal(precision, scale)"),
        ("d decimal(5, 6)", "needs a decimal(precision, scale)"),
        ("d decimal", "needs a `(`"),
        ("at timestamp '%Q'", "'%Q' is not a format"),
        ("x int from properties", "a path starts with `$`"),
        ("x int from $", "starts with the name of a field"),
        ("x int from $[0]", "starts with the name of a field"),
        ("x int from $.a.", "a name is missing"),
        ("x int from $.a[*].b", "declare a list"),
        ("x int from '$.a b'", "consists of .name"),
        ("x int from $['a", "not closed"),
        ("s struct(a int from $.b)", "only columns have one"),
        (deep.as_str(), "nested more than 32 deep"),
        (lists.as_str(), "nested more than 32 deep"),
        (steps.as_str(), "at most 32 steps"),
    ] {
        let error = parse_declaration("f", declaration).unwrap_err().to_string();
        assert!(error.contains(message), "{declaration}: {error}");
    }
    let error = parse_columns("previous", "a int from $.b").unwrap_err().to_string();
    assert!(error.contains("column `a` cannot have a path"), "{error}");
}
