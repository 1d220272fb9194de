//! The models to compare: the project's own statement, and those that it declares: parts of the score on their own, and
//! simpler ones.

use super::EvaluationError;
use crate::config::{BLEND, RecommenderConfig, SqlFile};

/// A model: a statement over the view of requests that returns `session_id, item_id, score`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name in reports.
    pub name: String,
    /// Its SQL; `None` means the project's own recommendations.
    pub file: Option<SqlFile>,
}

/// All models of a project, the simplest first, its own statement last.
pub fn models(recommender: &RecommenderConfig) -> Vec<Model> {
    let declared = recommender.compared().into_iter().map(|(name, file)| Model {
        name: name.to_owned(),
        file: Some(file.clone()),
    });
    let own = Model {
        name: BLEND.to_owned(),
        file: None,
    };
    declared.chain([own]).collect()
}

/// The models with these names, in their order; all if there are no names.
pub(super) fn chosen(recommender: &RecommenderConfig, names: &[String]) -> Result<Vec<Model>, EvaluationError> {
    let models = models(recommender);
    if names.is_empty() {
        return Ok(models);
    }
    let model = |name: &String| {
        let found = models.iter().find(|model| model.name == *name).cloned();
        found.ok_or_else(|| EvaluationError::UnknownModel {
            name: name.clone(),
            known: models
                .iter()
                .map(|model| model.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    };
    names.iter().map(model).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Color, Score};

    fn file(name: &str) -> SqlFile {
        SqlFile {
            file: PathBuf::from(name),
            sql: "select 1".to_owned(),
        }
    }

    fn names(models: &[Model]) -> Vec<&str> {
        models.iter().map(|model| model.name.as_str()).collect()
    }

    #[test]
    fn models_are_the_declared_ones_the_simplest_first_and_the_blend() {
        let score = |column: &str, is_fallback: bool, model: Option<SqlFile>| Score {
            column: column.to_owned(),
            label: column.to_owned(),
            color: Color::Blue,
            is_fallback,
            model,
            at: (1, 1),
        };
        let declared = RecommenderConfig {
            scores: vec![
                score("mine", false, Some(file("mine.sql"))),
                score("boost", false, None),
                score("popular", true, Some(file("popular.sql"))),
            ],
            models: vec![("simple".to_owned(), file("simple.sql"))],
            ..RecommenderConfig::default()
        };
        assert_eq!(names(&models(&declared)), ["popular", "simple", "mine", "blend"]);
        assert_eq!(names(&models(&RecommenderConfig::default())), ["blend"]);
        let some = chosen(&declared, &["blend".to_owned(), "simple".to_owned()]).unwrap();
        assert_eq!(names(&some), ["blend", "simple"]);
        let error = chosen(&declared, &["boost".to_owned()]).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no model `boost`; the models are popular, simple, mine, blend"
        );
    }
}
