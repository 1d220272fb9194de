use super::*;
use crate::backend::MergeKeys;
use crate::backend::by_queries::Calls;
use crate::lake::{CommitMode, LakeError};
use crate::pipeline::step::commit::commit;
use crate::pipeline::step::expectations::{Passed, check};
use crate::pipeline::step::merge::merge;
use crate::pipeline::step::plan::physical;
use crate::pipeline::step::rehearse;
use crate::pipeline::step::shape::shape;
use crate::pipeline::step::write::{Wrote, write};

const THREE: &str = "select * from (values (1, 'a'), (2, 'b'), (3, 'c')) as t (id, name)";
const ALL: &str = "select id, name from gold.items order by id, name";

/// The phases up to the files.
async fn written(prepared: &Prepared<'_>) -> Result<Wrote, PipelineError> {
    let (attempt, result) = (prepared.attempt(), prepared.result().await);
    let shape = shape(attempt.node, attempt.inputs, &result)?;
    let plan = physical(attempt, &result, Calls::Required).await?;
    write(attempt, &shape, &result, plan).await
}

async fn checked(prepared: &Prepared<'_>) -> Result<Passed, PipelineError> {
    let (attempt, result) = (prepared.attempt(), prepared.result().await);
    let shape = shape(attempt.node, attempt.inputs, &result)?;
    check(attempt, &shape.layout, written(prepared).await?.files).await
}

#[tokio::test]
async fn the_shape_of_a_result_is_that_of_its_step() {
    let world = World::new();
    let mut step = writing(Mode::Merge, THREE);
    step.delete = Some("name = 'c'".to_owned());
    step.partition_by = vec!["name".to_owned()];
    let prepared = Prepared::new(&world, &world.here, step, Decision::Incremental).await;
    let result = prepared.result().await;
    let shape = shape(&prepared.node, &prepared.inputs, &result).unwrap();
    let columns: Vec<&String> = shape.layout.schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(columns, ["id", "name"], "the mark of rows to delete is not stored");
    assert_eq!(shape.layout.partition_by, ["name"]);
    assert!(shape.merge.is_some() && shape.keeps_rest);

    let append = writing(Mode::Append, THREE);
    let prepared = Prepared::new(&world, &world.here, append, full()).await;
    let shape = super::super::shape::shape(&prepared.node, &prepared.inputs, &prepared.result().await).unwrap();
    assert!(shape.merge.is_none() && !shape.keeps_rest);
}

#[tokio::test]
async fn a_column_that_would_disappear_is_an_error_before_anything_is_written() {
    let world = World::new();
    world.run(writing(Mode::Append, THREE), full()).await.unwrap();
    let files = world.files();
    let fewer = writing(Mode::Append, "select 4 as id");
    let error = world.run(fewer, Decision::Incremental).await.unwrap_err();
    let PipelineError::Lake { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(source.to_string().contains("column `name`"), "{source}");
    assert_eq!(world.files(), files);
}

#[tokio::test]
async fn written_rows_are_in_files_that_no_reader_sees() {
    let world = World::new();
    let prepared = Prepared::new(&world, &world.here, writing(Mode::Append, THREE), full()).await;
    let wrote = written(&prepared).await.unwrap();
    assert_eq!(wrote.files.rows, 3);
    let names: BTreeSet<String> = wrote.files.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(names, world.files());
    assert_eq!(prepared.progress.rows_written(), 3);
    assert_eq!(world.table().await.version(), None);
}

#[tokio::test]
async fn few_rows_are_written_to_one_file() {
    let world = World::new();
    let sql = "select value as id from generate_series(1, 50000) group by value";
    let mut prepared = Prepared::new(&world, &world.here, writing(Mode::Overwrite, sql), full()).await;
    assert!(written(&prepared).await.unwrap().files.files.len() > 1);
    prepared.inputs.waiting = Some(50_000);
    assert_eq!(written(&prepared).await.unwrap().files.files.len(), 1);
}

#[tokio::test]
async fn rows_that_fail_an_expectation_are_deleted() {
    let world = World::new();
    let step = expecting(
        writing(Mode::Append, THREE),
        Severity::Fail,
        "select * from gold.items where name = 'b'",
    );
    let prepared = Prepared::new(&world, &world.here, step, full()).await;
    let error = checked(&prepared).await.unwrap_err();
    let PipelineError::Expectation {
        name, rows, examples, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((name.as_str(), *rows), ("no bad names", 1));
    assert_eq!(examples.concat().trim(), r#"{"id":2,"name":"b"}"#);
    assert_eq!(world.files(), BTreeSet::new());
}

#[tokio::test]
async fn a_warning_counts_rows_and_keeps_them() {
    let world = World::new();
    let step = expecting(
        writing(Mode::Append, THREE),
        Severity::Warn,
        "select * from gold.items where id > 1",
    );
    let prepared = Prepared::new(&world, &world.here, step, full()).await;
    let passed = checked(&prepared).await.unwrap();
    assert_eq!(
        (passed.written.rows, passed.checked[0].rows, passed.aside.len()),
        (3, 2, 0)
    );
}

#[tokio::test]
async fn rows_that_are_put_aside_are_in_the_quarantine_only_with_the_commit() {
    let world = World::new();
    let step = expecting(
        writing(Mode::Append, THREE),
        Severity::Quarantine,
        "select * from gold.items where name = 'b'",
    );
    let prepared = Prepared::new(&world, &world.here, step, full()).await;
    let passed = checked(&prepared).await.unwrap();
    assert_eq!((passed.written.rows, passed.aside[0].found.rows()), (2, 1));
    let names: BTreeSet<String> = passed.written.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(names, world.files(), "the files with all rows are gone");
    let quarantine = table("system.quarantine");
    assert_eq!(world.lake.table(&quarantine).await.unwrap().version(), None);

    let attempt = prepared.attempt();
    let shape = shape(attempt.node, attempt.inputs, &prepared.result().await).unwrap();
    let mode = merge(attempt, &shape, &passed, MergeKeys::default()).await.unwrap();
    assert!(matches!(mode, CommitMode::Overwrite), "{mode:?}");
    let done = commit(attempt, shape.layout, passed, mode).await.unwrap();
    assert_eq!((done.version, done.written), (0, 2));
    let found = world
        .rows("select count(*) as n, min(row) as row from system.quarantine")
        .await;
    assert!(found.contains(r#"| 1 | {"id":2,"name":"b"} |"#), "{found}");
}

#[tokio::test]
async fn a_merge_replaces_the_rows_of_its_keys_and_keeps_the_others() {
    let world = World::new();
    world.run(writing(Mode::Merge, THREE), full()).await.unwrap();
    let sql = "select * from (values (2, 'B'), (3, 'gone'), (4, 'd')) as t (id, name)";
    let mut step = writing(Mode::Merge, sql);
    step.delete = Some("name = 'gone'".to_owned());
    let done = world.run(step, Decision::Incremental).await.unwrap();
    assert_eq!((done.version, done.written), (1, 2));
    let expected = "+----+------+\n\
                    | id | name |\n\
                    +----+------+\n\
                    | 1  | a    |\n\
                    | 2  | B    |\n\
                    | 4  | d    |\n\
                    +----+------+";
    assert_eq!(world.rows(ALL).await, expected);
}

#[tokio::test]
async fn a_key_that_is_null_is_an_error_unless_the_row_is_put_aside() {
    let world = World::new();
    world.run(writing(Mode::Merge, THREE), full()).await.unwrap();
    let sql = "select * from (values (2, 'B'), (null, 'n')) as t (id, name)";
    let error = world
        .run(writing(Mode::Merge, sql), Decision::Incremental)
        .await
        .unwrap_err();
    assert!(crate::pipeline::data_error::is_of_data(&error), "{error:?}");
    let nulls = "select * from gold.items where id is null";
    let step = expecting(writing(Mode::Merge, sql), Severity::Quarantine, nulls);
    world.run(step, Decision::Incremental).await.unwrap();
    let expected = "+----+------+\n\
                    | id | name |\n\
                    +----+------+\n\
                    | 1  | a    |\n\
                    | 2  | B    |\n\
                    | 3  | c    |\n\
                    +----+------+";
    assert_eq!(world.rows(ALL).await, expected);
    // An expectation that lets the row through does not save it.
    let other = "select * from gold.items where name = 'B'";
    let step = expecting(writing(Mode::Merge, sql), Severity::Quarantine, other);
    let error = world.run(step, Decision::Incremental).await.unwrap_err();
    let is_null_key = |source: &LakeError| matches!(source, LakeError::NullKey { .. });
    let found = match &error {
        PipelineError::Lake { source, .. } => is_null_key(source),
        PipelineError::Query { source, .. } => format!("{source:?}").contains("NullKey"),
        _ => false,
    };
    assert!(found, "{error:?}");
    assert_eq!(world.rows(ALL).await, expected);
}

#[tokio::test]
async fn of_two_attempts_over_one_version_the_second_is_a_conflict() {
    let world = World::new();
    world.run(writing(Mode::Append, THREE), full()).await.unwrap();
    let step = || writing(Mode::Append, "select 4 as id, 'd' as name");
    let first = Prepared::new(&world, &world.here, step(), Decision::Incremental).await;
    let second = Prepared::new(&world, &world.here, step(), Decision::Incremental).await;
    assert_eq!(first.run().await.unwrap().version, 1);
    let error = second.run().await.unwrap_err();
    let is_conflict = matches!(
        error,
        PipelineError::Lake {
            source: LakeError::Conflict { .. },
            ..
        }
    );
    assert!(is_conflict, "{error:?}");
    let table = world.table().await;
    assert_eq!((table.version(), table.rows()), (Some(1), 4));
    assert_eq!(table.transaction("input").await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_rehearsal_finds_errors_and_writes_nothing() {
    let world = World::new();
    let bad = "select id, cast(name as bigint) as number from (values (1, 'x')) as t (id, name)";
    for (sql, is_good) in [(THREE, true), (bad, false)] {
        let prepared = Prepared::new(&world, &world.here, writing(Mode::Append, sql), full()).await;
        let rehearsed = rehearse(prepared.attempt().tools, &prepared.node, &prepared.inputs).await;
        assert_eq!(rehearsed.is_ok(), is_good, "{rehearsed:?}");
    }
    assert_eq!(world.files(), BTreeSet::new());
}
