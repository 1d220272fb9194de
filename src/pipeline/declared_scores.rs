//! Whether the step that recommends returns the parts of the score that the project file declares (`scores`), as
//! numbers.

use arrow::datatypes::Schema;

use super::{Node, PipelineError};
use crate::config::{Project, nearest};

/// The step that recommends returns the declared parts of the score.
///
/// # Errors
/// When its result lacks one, or has one that is not a number.
pub(super) fn check(node: &Node, result: &Schema, project: &Project) -> Result<(), PipelineError> {
    let recommender = &project.recommender;
    if *node.name() != recommender.recommendations {
        return Ok(());
    }
    for score in &recommender.scores {
        let error = |message: String| PipelineError::Sql {
            file: project.file.clone(),
            at: Some(score.at),
            message,
        };
        let (column, table) = (&score.column, node.name());
        let Ok(field) = result.field_with_name(column) else {
            let known: Vec<&str> = result.fields().iter().map(|field| field.name().as_str()).collect();
            let near = match nearest(column, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its columns are {}.", known.join(", ")),
            };
            return Err(error(format!(
                "`{table}` has no column `{column}`, which is declared as a part of its score\n  help: {near} Select the \
                 column in {}, or remove the part from `scores`",
                node.step.file.display()
            )));
        };
        if !field.data_type().is_numeric() {
            return Err(error(format!(
                "the column `{column}` of `{table}` is declared as a part of its score, so it must be a number, but \
                 its type is {}\n  help: select a number in {}",
                field.data_type(),
                node.step.file.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::super::test_project::{dag, project, step};
    use super::*;
    use crate::config::{Color, Mode, Score};

    #[test]
    fn every_part_of_the_score_is_a_numeric_column_of_the_recommendations() {
        let sql = "select 's' as session_id, 1.0 as mine";
        let mut project = project(vec![
            step("gold.recommendations", Mode::Overwrite, sql),
            step("gold.other", Mode::Overwrite, sql),
        ]);
        project.recommender.scores = vec![Score {
            column: "mine".to_owned(),
            label: "Mine".to_owned(),
            color: Color::Blue,
            is_fallback: false,
            model: None,
            at: (7, 9),
        }];
        let dag = dag(&project);
        let checked = |step: &str, name: &str, kind: DataType| {
            let schema = Schema::new(vec![Field::new(name, kind, true)]);
            check(dag.named(step).unwrap(), &schema, &project).map_err(|error| error.to_string())
        };
        assert_eq!(checked("gold.recommendations", "mine", DataType::Float64), Ok(()));
        assert_eq!(checked("gold.other", "yours", DataType::Float64), Ok(()));
        let missing = checked("gold.recommendations", "mime", DataType::Float64).unwrap_err();
        assert!(
            missing.starts_with("pipelines.yaml:7:9: `gold.recommendations` has no column `mine`")
                && missing.contains("did you mean `mime`?"),
            "{missing}"
        );
        let text = checked("gold.recommendations", "mine", DataType::Utf8).unwrap_err();
        assert!(
            text.contains("its type is Utf8") && text.contains("select a number"),
            "{text}"
        );
    }
}
