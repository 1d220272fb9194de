#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, LargeStringArray, StringArray, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimeUnit};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};
use proptest::prelude::*;

use super::functions;

/// Calls a function on one or many rows.
fn call(name: &str, args: Vec<ColumnarValue>) -> Result<ArrayRef> {
    let functions = functions();
    let function = functions.iter().find(|function| function.name() == name).unwrap();
    let number_rows = args.iter().find_map(|arg| match arg {
        ColumnarValue::Array(values) => Some(values.len()),
        ColumnarValue::Scalar(_) => None,
    });
    let number_rows = number_rows.unwrap_or(1);
    let arg_fields: Vec<_> = args
        .iter()
        .map(|arg| Arc::new(Field::new("x", arg.data_type(), true)))
        .collect();
    let scalars: Vec<_> = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let return_field = function.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let result = function.invoke_with_args(ScalarFunctionArgs {
        args: args.clone(),
        arg_fields: arg_fields.clone(),
        number_rows,
        return_field: return_field.clone(),
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    let result = result.into_array(number_rows)?;
    assert_eq!(result.data_type(), return_field.data_type(), "{name}");
    assert_eq!(result.len(), number_rows, "{name}");
    Ok(result)
}

fn column(texts: &[&str]) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(StringArray::from(texts.to_vec())))
}

fn literal(text: &str) -> ColumnarValue {
    ColumnarValue::Scalar(text.into())
}

fn numbers(values: &ArrayRef) -> Vec<Option<i64>> {
    cast(values, &DataType::Int64)
        .unwrap()
        .as_primitive::<Int64Type>()
        .iter()
        .collect()
}

/// The time in microseconds.
fn micros(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
}

#[test]
fn text_of_every_layout_is_read() {
    let texts = ["2026-03-01T10:00:00Z", "-"];
    let layouts: [ArrayRef; 4] = [
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(LargeStringArray::from(texts.to_vec())),
        Arc::new(StringViewArray::from(texts.to_vec())),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for layout in layouts {
        let arg = || ColumnarValue::Array(layout.clone());
        let times = call("try_to_timestamp_micros", vec![arg()]).unwrap();
        assert_eq!(
            numbers(&times),
            [micros("2026-03-01T10:00:00Z"), None],
            "{}",
            layout.data_type()
        );
        let times = call("try_at_time_zone", vec![arg(), literal("+02:00")]).unwrap();
        assert_eq!(
            numbers(&times),
            [micros("2026-03-01T10:00:00Z"), None],
            "{}",
            layout.data_type()
        );
        let error = call("to_timestamp_micros", vec![arg()]).unwrap_err().to_string();
        assert!(
            error.contains("'-' is not a time") && error.contains("try_to_timestamp_micros"),
            "{error}"
        );
    }
}

#[test]
fn the_first_format_that_fits_counts() {
    let values = [
        "1.3.2026 10:00",
        "2026/03/01",
        "01 Mar 2026 10:00:00 Europe/Berlin",
        "x",
    ];
    let formats = ["%d.%m.%Y %H:%M", "%Y/%m/%d", "%d %b %Y %H:%M:%S %Z"].map(literal);
    let args = [vec![column(&values)], formats.to_vec()].concat();
    let times = call("try_to_timestamp_micros", args).unwrap();
    let expected = ["2026-03-01T10:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T09:00:00Z"].map(micros);
    assert_eq!(numbers(&times), [&expected[..], &[None]].concat());
    // A format per row, including NULL.
    let per_row = ColumnarValue::Array(Arc::new(StringArray::from(vec![
        Some("%Y"),
        Some("%Y/%m/%d"),
        None,
        None,
    ])));
    let times = call("to_date", vec![column(&["1.3.2026", "2026/03/01", "x", "y"]), per_row]);
    assert!(
        times
            .unwrap_err()
            .to_string()
            .contains("'1.3.2026' is not a date in the given format")
    );
    for wrong in ["%", "%Q", "%Z %Y"] {
        let error = call("try_to_date", vec![column(&["x"]), literal(wrong)])
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("'{wrong}' is not a format")), "{error}");
    }
}

#[test]
fn a_clock_change_leaves_out_one_hour_and_repeats_another() {
    let values = [
        "2026-03-29 02:30:00",
        "2026-10-25 02:30:00",
        "2026-10-25 02:30:00+01:00",
        "-",
    ];
    let expected = [
        None,
        micros("2026-10-25T00:30:00Z"),
        micros("2026-10-25T01:30:00Z"),
        None,
    ];
    let times = call("try_at_time_zone", vec![column(&values), literal("Europe/Berlin")]).unwrap();
    assert_eq!(numbers(&times), expected);
    let locals = call("try_to_timestamp_micros", vec![column(&values[..2])]).unwrap();
    let locals = cast(&locals, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
    let zones = column(&["Europe/Berlin", "Europe/Berlin"]);
    let times = call(
        "try_at_time_zone",
        vec![ColumnarValue::Array(locals.clone()), zones.clone()],
    )
    .unwrap();
    assert_eq!(numbers(&times), expected[..2]);
    let error = call("at_time_zone", vec![ColumnarValue::Array(locals), zones])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("2026-03-29T02:30:00") && error.contains("try_at_time_zone"),
        "{error}"
    );
    let unknown = call(
        "try_at_time_zone",
        vec![column(&values[1..2]), column(&["Europe/Atlantis"])],
    )
    .unwrap();
    assert_eq!(numbers(&unknown), [None]);
    let error = call("try_at_time_zone", vec![column(&values), literal("Europe/Atlantis")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown time zone 'Europe/Atlantis'"), "{error}");
}

fn zone() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "UTC",
            "+02:00",
            "-0930",
            "+14",
            "America/Sao_Paulo",
            "Pacific/Apia",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ]
}

/// Texts that are times, almost times, or nothing like times.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,30}",
        "[0-9]{4}-[0-1][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|[+-][0-2][0-9]:[0-6]0| \
         Europe/Berlin)?",
        "20(25|26)-(03|10)-(25|26|27|28|29|30|31) 0[0-4]:[0-5][0-9]:00",
        "[-+0-9.:TZ ]{0,30}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_a_try_function_fail_and_it_agrees_with_its_sister(
        texts in prop::collection::vec(text(), 1..8), zone in zone(), format in "(%[YmdHMSfzZ+sjp][-:. /T]?){0,6}"
    ) {
        let column = |texts: &[String]| {
            ColumnarValue::Array(Arc::new(StringArray::from(texts.to_vec())) as ArrayRef)
        };
        let zones = column(&vec![zone; texts.len()]);
        let formats = column(&vec![format; texts.len()]);
        let calls = [
            ("to_timestamp", None), ("to_timestamp_seconds", None), ("to_timestamp_millis", None),
            ("to_timestamp_micros", Some(formats.clone())), ("to_timestamp_nanos", Some(formats.clone())),
            ("to_date", None), ("to_date", Some(formats)), ("at_time_zone", Some(zones)), ("to_unixtime", None),
        ];
        for (name, second) in calls {
            let args = |rows: &[String], first: usize| {
                let second = second.clone().map(|second| match second {
                    ColumnarValue::Array(values) => ColumnarValue::Array(values.slice(first, rows.len())),
                    scalar => scalar,
                });
                [vec![column(rows)], second.into_iter().collect()].concat()
            };
            let tried = call(&format!("try_{name}"), args(&texts, 0)).unwrap();
            if name == "to_unixtime" {
                continue;
            }
            for row in 0..texts.len() {
                match call(name, args(&texts[row..=row], row)) {
                    Ok(one) => prop_assert_eq!(numbers(&one)[0], numbers(&tried.slice(row, 1))[0]),
                    Err(_) => prop_assert!(tried.is_null(row), "{}({:?})", name, texts[row]),
                }
            }
        }
    }

    #[test]
    fn no_number_makes_a_try_function_fail(values in prop::collection::vec(any::<i64>(), 1..8), float in any::<f64>()) {
        let column = || ColumnarValue::Array(Arc::new(Int64Array::from(values.clone())) as ArrayRef);
        for name in ["try_to_timestamp", "try_to_timestamp_seconds", "try_to_timestamp_millis", "try_to_timestamp_micros",
                     "try_to_timestamp_nanos", "try_to_date"] {
            let results = call(name, vec![column()]).unwrap();
            // Every result can be displayed, and stored in microseconds.
            let micros = cast(&results, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
            prop_assert_eq!(micros.null_count(), results.null_count());
            for row in 0..results.len() {
                super::values::shown(&results, row).unwrap();
            }
            call(name, vec![ColumnarValue::Scalar(float.into())]).unwrap();
        }
    }

    #[test]
    fn try_arithmetic_is_exact_or_null(pairs in prop::collection::vec((any::<i64>(), -3_i64..4), 1..20)) {
        let column = |values: Vec<i64>| ColumnarValue::Array(Arc::new(Int64Array::from(values)) as ArrayRef);
        let (left, right): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        type Checked = fn(i64, i64) -> Option<i64>;
        let calls: [(&str, Checked); 4] = [
            ("try_add", i64::checked_add), ("try_subtract", i64::checked_sub),
            ("try_multiply", i64::checked_mul), ("try_divide", i64::checked_div),
        ];
        for (name, checked) in calls {
            let results = call(name, vec![column(left.clone()), column(right.clone())]).unwrap();
            let expected: Vec<_> = left.iter().zip(&right).map(|(left, right)| checked(*left, *right)).collect();
            prop_assert_eq!(numbers(&results), expected, "{}", name);
        }
    }
}
