//! Each preset with a few lines as its schema has them.

#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::super::interpret::rows;
use super::super::times::written;
use super::*;

fn parsed(lines: &[&str]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every row as `time session user item kind`, or its reason.
fn events(name: &str, lines: &[&str]) -> Vec<String> {
    let records = parsed(lines);
    let (_, preset) = preset(name).unwrap();
    let mapping = preset.mapping(name, &Shape::of(&records)).unwrap();
    let rows = records.iter().flat_map(|record| rows(&mapping, record).unwrap());
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = rows.map(|row| match row.reason {
        Some(reason) => reason.to_owned(),
        None => [
            text(row.event_at.map(written)),
            text(row.session_id),
            text(row.user_id),
            text(row.item_id),
            text(row.event_type.map(|event| event.to_string())),
        ]
        .join(" "),
    });
    rows.collect()
}

const GA4: [&str; 3] = [
    r#"{"event_date":"20260301","event_timestamp":"1772359200000000","event_name":"view_item","user_pseudo_id":"1.2","event_params":[{"key":"ga_session_id","value":{"int_value":"17"}}],"items":[{"item_id":"a","item_name":"A","price":9.5}]}"#,
    r#"{"event_date":"20260301","event_timestamp":"1772359201000000","event_name":"purchase","user_pseudo_id":"1.2","items":[{"item_id":"a","quantity":"1"},{"item_id":"b","quantity":"2"}]}"#,
    r#"{"event_date":"20260301","event_timestamp":"1772359202000000","event_name":"view_item_list","user_pseudo_id":"1.2","items":[{"item_id":"c"}]}"#,
];
const SEGMENT: [&str; 4] = [
    r#"{"type":"track","event":"Product Viewed","messageId":"m1","anonymousId":"a","userId":null,"timestamp":"2026-03-01T10:00:00.000Z","context":{"sessionId":1772359200000},"properties":{"product_id":"p1","price":9.5}}"#,
    r#"{"type":"track","event":"Order Completed","messageId":"m2","anonymousId":"a","userId":"u","timestamp":"2026-03-01T10:00:01.000Z","context":{"sessionId":1772359200000},"properties":{"products":[{"product_id":"p1"},{"product_id":"p2"}]}}"#,
    r#"{"type":"track","event":"Order Completed","messageId":"m3","userId":"u","timestamp":"2026-03-01T10:00:02Z","properties":{"products":[{"product_id":"p3"}]}}"#,
    r#"{"type":"identify","messageId":"m4","anonymousId":"a","timestamp":"2026-03-01T10:00:03Z"}"#,
];
const SNOWPLOW: [&str; 2] = [
    r#"{"event_id":"e1","event":"unstruct","collector_tstamp":"2026-03-01T10:00:09.000Z","derived_tstamp":"2026-03-01T10:00:00.000Z","domain_userid":"d","domain_sessionid":"s","unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1":{"type":"product_view"},"contexts_com_snowplowanalytics_snowplow_ecommerce_product_1":[{"id":"p1","price":9.5}]}"#,
    r#"{"event_id":"e2","event":"page_view","collector_tstamp":"2026-03-01T10:00:09.000Z","derived_tstamp":"2026-03-01T10:00:01.000Z","domain_userid":"d","domain_sessionid":"s"}"#,
];
const RETAILROCKET: [&str; 2] = [
    r#"{"timestamp":"1433221332117","visitorid":"257597","event":"view","itemid":"355908"}"#,
    r#"{"timestamp":"1433221999827","visitorid":"257597","event":"transaction","itemid":"355908","transactionid":"4000"}"#,
];
const OTTO: [&str; 1] = [
    r#"{"session":7,"events":[{"aid":1,"ts":1772359200000,"type":"clicks"},{"aid":1,"ts":1772359201000,"type":"carts"},{"aid":2,"ts":1772359202000,"type":"orders"}]}"#,
];
const OTTO_ROWS: [&str; 1] = [r#"{"session":7,"aid":1,"ts":1772359200,"type":1}"#];
const YOOCHOOSE: [&str; 2] = [
    r#"{"session_id":"420374","timestamp":"2014-04-06T18:44:58.314Z","item_id":"214537888","category":"0"}"#,
    r#"{"session_id":"420374","timestamp":"2014-04-06T18:45:58.314Z","item_id":"214537888","price":"12462","quantity":"1"}"#,
];
const DIGINETICA: [&str; 2] = [
    r#"{"sessionId":"1","itemId":"81766","timeframe":"526309","eventdate":"2016-05-09"}"#,
    r#"{"sessionId":"150","timeframe":"16038","eventdate":"2016-05-06","ordernumber":"16421","itemId":"25911"}"#,
];
const REES46: [&str; 2] = [
    r#"{"event_time":"2019-10-01 00:00:00 UTC","event_type":"view","product_id":"44600062","category_id":"2103807459595387724","price":"35.79","user_id":"541312140","user_session":"72d76fde"}"#,
    r#"{"event_time":"2019-10-01 00:00:01 UTC","event_type":"remove_from_cart","product_id":"44600062","category_id":"2103807459595387724","user_id":"541312140","user_session":"72d76fde"}"#,
];
const SHOES: [&str; 1] = [
    r#"{"product_id":"p1","user_id":"u1","view_time":42,"page_url":"https://www.acme.com/product/p1","ip":"10.0.0.1","ts":1772359200000}"#,
];
const PAGEVIEWS: [&str; 1] = [r#"{"viewtime":1772359200000,"userid":"User_1","pageid":"Page_7"}"#];

#[test]
fn each_preset_reads_its_schema() {
    let day = "2026-03-01T10:00:0";
    for (name, lines, expected) in [
        (
            "ga4",
            &GA4[..],
            vec![
                format!("{day}0Z - 1.2 a view"),
                format!("{day}1Z - 1.2 a purchase"),
                format!("{day}1Z - 1.2 b purchase"),
                "event_type is unknown".to_owned(),
            ],
        ),
        (
            "segment",
            &SEGMENT,
            vec![
                format!("{day}0Z a/1772359200000 - p1 view"),
                format!("{day}1Z a/1772359200000 u p1 purchase"),
                format!("{day}1Z a/1772359200000 u p2 purchase"),
                format!("{day}2Z - u p3 purchase"),
                "item_id is missing".to_owned(),
            ],
        ),
        (
            "snowplow",
            &SNOWPLOW,
            vec![format!("{day}0Z s d p1 view"), "item_id is missing".to_owned()],
        ),
        (
            "retailrocket",
            &RETAILROCKET,
            vec![
                "2015-06-02T05:02:12.117Z - 257597 355908 view".to_owned(),
                "2015-06-02T05:13:19.827Z - 257597 355908 purchase".to_owned(),
            ],
        ),
        (
            "otto",
            &OTTO,
            vec![
                format!("{day}0Z 7 - 1 view"),
                format!("{day}1Z 7 - 1 add_to_cart"),
                format!("{day}2Z 7 - 2 purchase"),
            ],
        ),
        ("otto", &OTTO_ROWS, vec![format!("{day}0Z 7 - 1 add_to_cart")]),
        (
            "yoochoose",
            &YOOCHOOSE,
            vec![
                "2014-04-06T18:44:58.314Z 420374 - 214537888 view".to_owned(),
                "2014-04-06T18:45:58.314Z 420374 - 214537888 purchase".to_owned(),
            ],
        ),
        (
            "diginetica",
            &DIGINETICA,
            vec![
                "2016-05-09T00:08:46.309Z 1 - 81766 view".to_owned(),
                "2016-05-06T00:00:16.038Z 150 - 25911 purchase".to_owned(),
            ],
        ),
        (
            "rees46",
            &REES46,
            vec![
                "2019-10-01T00:00:00Z 72d76fde 541312140 44600062 view".to_owned(),
                "2019-10-01T00:00:01Z 72d76fde 541312140 44600062 remove_from_cart".to_owned(),
            ],
        ),
        ("datagen", &SHOES, vec![format!("{day}0Z - u1 p1 view")]),
        ("datagen", &PAGEVIEWS, vec![format!("{day}0Z - User_1 Page_7 view")]),
    ] {
        assert_eq!(events(name, lines), expected, "{name}");
    }
}

#[test]
fn schemas_are_recognized_by_their_fields() {
    for (lines, expected) in [
        (&GA4[..], Some("ga4")),
        (&SEGMENT, Some("segment")),
        (&SNOWPLOW, Some("snowplow")),
        (&RETAILROCKET, Some("retailrocket")),
        (&OTTO, Some("otto")),
        (&DIGINETICA, Some("diginetica")),
        (&REES46, Some("rees46")),
        (&SHOES, Some("datagen")),
        (
            &[r#"{"timestamp":"2026-03-01T10:00:00Z","session_id":"s","item_id":"a"}"#],
            None,
        ),
    ] {
        let found = recognized(&Shape::of(&parsed(lines)));
        assert_eq!(found.map(|(name, _)| name), expected);
    }
    for name in names() {
        let (_, preset) = preset(name).expect(name);
        assert!(!preset.about.is_empty(), "{name}");
        assert!(
            preset
                .layouts
                .iter()
                .all(|layout| layout.columns.len() == layout.types.len()),
            "{name}"
        );
    }
}

#[test]
fn a_sample_of_another_schema_lacks_fields() {
    let shape = Shape::of(&parsed(&RETAILROCKET));
    let (_, preset) = preset("ga4").unwrap();
    assert_eq!(preset.mapping("ga4", &shape), Err("event_timestamp".to_owned()));
}

#[test]
fn files_without_a_header_are_recognized_by_their_values() {
    let row = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let name = |rows: &[&str], preset: Option<&str>| {
        let rows: Vec<Vec<String>> = rows.iter().map(|text| row(text)).collect();
        layout_of(&rows, preset).map(|(preset, layout)| (preset, layout.name.unwrap()))
    };
    let clicks = Some(("yoochoose", "clicks".to_owned()));
    let rows = [
        "1,2014-04-07T10:51:09.277Z,214536502,0",
        "1,2014-04-07T10:54:09.868Z,214536500,S",
    ];
    assert_eq!(name(&rows, None), clicks);
    assert_eq!(name(&rows, Some("otto")), None);
    let buys = Some(("yoochoose", "buys".to_owned()));
    assert_eq!(
        name(&["1,2014-04-07T10:57:00.306Z,214536506,12462,1"], Some("yoochoose")),
        buys
    );
    assert_eq!(name(&["1,soon,214536506,0"], None), None);
    assert_eq!(name(&[], None), None);
}
