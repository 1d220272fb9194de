//! Totals past the range, and others.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use datafusion::prelude::SessionContext;

use crate::engine::test_session::session;
use crate::engine::{Bindings, query};

/// Two groups and a NULL; the second group is past the range, and so is the total of both.
const TABLE: &str = "with t as (select * from (values ('a', 1), ('a', 2), ('b', 9223372036854775807), ('b', 1), \
                     ('b', null)) as t (g, x)) ";

async fn value(session: &SessionContext, sql: &str) -> Result<String, String> {
    let frame = query(session, &format!("{TABLE}{sql}")).await;
    let batches = frame.map_err(|error| error.to_string())?.collect().await;
    let batches = batches.map_err(|error| error.to_string())?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    Ok(arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap())
}

#[tokio::test]
async fn a_total_past_the_range_is_an_error_and_never_a_wrong_number() {
    let session = session(&Bindings::default()).await;
    for sql in [
        "select sum(x) from t",
        "select sum(x) as x from t group by g order by x",
        "select sum(-x - 1) from t where g = 'b'",
        "select sum(x) over () from t",
        "select sum(x) over (order by x rows between 1 preceding and current row) from t where g = 'b'",
        "select sum(distinct x) from t",
        "select sum(distinct x), count(distinct g) from t",
        "select sum(x + 0) filter (where g = 'b') from t",
        "select sum(cast(x as bigint unsigned)) from t cross join (values (1), (2), (3)) as three (n) where g = 'b'",
    ] {
        let error = value(&session, sql).await.unwrap_err();
        assert!(error.contains("out of range for bigint"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn other_totals_are_what_they_were() {
    let session = session(&Bindings::default()).await;
    for (sql, expected) in [
        ("select sum(x) from t where g = 'a'", "3"),
        ("select sum(x) from t where false", ""),
        ("select sum(x) as x from t where g = 'b' and x is null group by g", ""),
        ("select sum(x) filter (where x < 5) from t", "4"),
        (
            "select sum(x) filter (where x < 2) as x from t group by g order by g",
            "1",
        ),
        (
            "select sum(case when x > 5 then x - 1 else x end) from t where g = 'b'",
            "9223372036854775807",
        ),
        ("select sum(distinct x) from t where x < 5", "3"),
        (
            "select sum(x) over (order by x rows between 1 preceding and current row) as x from t where x < 5 \
          order by x desc",
            "3",
        ),
        ("select sum(cast(x as decimal(38, 0))) from t", "9223372036854775811"),
        ("select sum(x * 0.5) from t where g = 'a'", "1.5"),
    ] {
        assert_eq!(value(&session, sql).await, Ok(expected.to_owned()), "{sql}");
    }
}

/// If this fails, DataFusion has been fixed, and its own `sum` can be used.
#[tokio::test]
async fn the_engine_alone_still_wraps() {
    let sql = format!("{TABLE}select sum(x) as x from t");
    let batches = SessionContext::new().sql(&sql).await.unwrap().collect().await.unwrap();
    let text = arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap();
    assert!(text.starts_with('-'), "{text}");
}
