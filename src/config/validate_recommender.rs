//! Validates `recommender`: tables that no step makes or reads, missing SQL files, and malformed parts of a score (with
//! their colors) are refused with their line.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_yaml::Spanned;

use super::ordered_map::OrderedMap;
use super::raw::RawProject;
use super::raw_recommender::{RawRecommender, RawScore};
use super::recommender::{BLEND, Color, RecommenderConfig, Score, SqlFile};
use super::table_name::is_identifier;
use super::validate::Validator;
use super::{Mode, Pipeline, Step, TableName, nearest};
use crate::settings::Text;

/// Fields of a recommendation that are not parts of its score.
const NOT_PARTS: [&str; 6] = ["session_id", "item_id", "rank", "score", "because", "details"];

/// The steps of the file.
struct Steps<'a> {
    /// Their names, including those of steps that are not valid, which have a problem of their own.
    names: BTreeSet<&'a str>,
    valid: Vec<&'a Step>,
}

impl<'a> Steps<'a> {
    fn new(raw: &'a RawProject, pipelines: &'a [Pipeline]) -> Self {
        let written = raw.pipelines.0.iter().flat_map(|(_, pipeline)| &pipeline.steps);
        Self {
            names: written.map(|step| step.value.name.value.as_str()).collect(),
            valid: pipelines.iter().flat_map(|pipeline| &pipeline.steps).collect(),
        }
    }

    fn get(&self, name: &TableName) -> Option<&'a Step> {
        self.valid.iter().copied().find(|step| step.name == *name)
    }

    fn has(&self, name: &TableName) -> bool {
        self.get(name).is_some() || self.names.contains(name.to_string().as_str())
    }

    /// Whether a step names the table in its SQL: another program may write it.
    fn read(&self, name: &TableName) -> bool {
        let name = name.to_string();
        self.valid.iter().any(|step| step.sql.contains(&name))
    }

    fn is_view(&self, name: &TableName) -> bool {
        self.get(name).is_some_and(|step| step.mode == Mode::View)
    }

    /// `did you mean …`, or all names.
    fn help(&self, name: &TableName) -> String {
        let known = || self.names.iter().copied();
        match nearest(&name.to_string(), known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the steps are {}", known().collect::<Vec<_>>().join(", ")),
        }
    }
}

impl Validator<'_> {
    /// What the recommender consists of. Names that are not given have defaults, which need not exist.
    pub(super) fn recommender(&mut self, raw: &RawProject, pipelines: &[Pipeline]) -> RecommenderConfig {
        let Some(written) = &raw.recommender else {
            return RecommenderConfig::default();
        };
        let steps = Steps::new(raw, pipelines);
        let default = RecommenderConfig::default();
        let events = self.events(written, &steps).unwrap_or(default.events);
        let requests = self.requests(written, &steps).unwrap_or(default.requests);
        let recommendations = self.made("recommendations", written.recommendations.as_ref(), &steps);
        let description = self.description(written, &steps);
        let items = written.items.as_ref();
        let stale_after = written.stale_after.iter();
        RecommenderConfig {
            events,
            items: items.and_then(|text| self.versioned("items", text, &steps)),
            requests,
            recommendations: recommendations.unwrap_or(default.recommendations),
            description,
            stale_after: stale_after
                .filter_map(|text| self.versioned("stale_after", text, &steps))
                .collect(),
            similar: written.similar.as_ref().and_then(|text| self.sql_file(text)),
            scores: self.scores(&written.scores),
            models: self.models(written),
        }
    }

    fn events(&mut self, written: &RawRecommender, steps: &Steps<'_>) -> Option<TableName> {
        let text = written.events.as_ref()?;
        let name = self.table(text)?;
        if steps.is_view(&name) {
            let message = format!("`events` must be a table, but `{name}` is a view");
            self.problem(
                text.referenced,
                message,
                Some("name the table that the view reads".to_owned()),
            );
        } else if !steps.has(&name) && !steps.read(&name) {
            let message = format!("`events`: no step writes or reads `{name}`");
            self.problem(text.referenced, message, Some(steps.help(&name)));
        }
        Some(name)
    }

    fn requests(&mut self, written: &RawRecommender, steps: &Steps<'_>) -> Option<TableName> {
        let name = self.made("requests", written.requests.as_ref(), steps)?;
        if let (Some(text), Some(step)) = (&written.requests, steps.get(&name))
            && step.mode != Mode::View
        {
            let message = format!("`requests` must be a view, but `{name}` has mode `{}`", step.mode);
            let help = "give that step `mode: view`; requests for other sessions replace its rows".to_owned();
            self.problem(text.referenced, message, Some(help));
        }
        Some(name)
    }

    fn description(&mut self, written: &RawRecommender, steps: &Steps<'_>) -> Option<TableName> {
        let name = self.made("description", written.description.as_ref(), steps)?;
        if let Some(text) = written.description.as_ref().filter(|_| steps.is_view(&name)) {
            let message = format!("`description` must be a table, but `{name}` is a view");
            let help = "give that step `mode: overwrite`".to_owned();
            self.problem(text.referenced, message, Some(help));
        }
        Some(name)
    }

    /// A table or view that is a step.
    fn made(&mut self, key: &str, text: Option<&Text>, steps: &Steps<'_>) -> Option<TableName> {
        let text = text?;
        let name = self.table(text)?;
        if !steps.has(&name) {
            let message = format!("`{key}`: there is no step `{name}`");
            self.problem(text.referenced, message, Some(steps.help(&name)));
        }
        Some(name)
    }

    /// A table that has versions.
    fn versioned(&mut self, key: &str, text: &Text, steps: &Steps<'_>) -> Option<TableName> {
        let name = self.table(text)?;
        if steps.is_view(&name) {
            let message = format!("`{key}`: `{name}` is a view, which has no versions");
            let help = "name the tables that the view reads".to_owned();
            self.problem(text.referenced, message, Some(help));
        } else if !steps.has(&name) && !steps.read(&name) {
            let message = format!("`{key}`: no step writes or reads `{name}`");
            self.problem(text.referenced, message, Some(steps.help(&name)));
        }
        Some(name)
    }

    fn table(&mut self, text: &Text) -> Option<TableName> {
        let name = self.text(text)?.parse::<TableName>();
        name.map_err(|error| self.problem(text.referenced, error.to_string(), None))
            .ok()
    }

    fn sql_file(&mut self, text: &Text) -> Option<SqlFile> {
        let file = PathBuf::from(self.text(text)?);
        let sql = self.sql(&file, text.referenced)?;
        Some(SqlFile { file, sql })
    }

    fn scores(&mut self, raw: &[Spanned<RawScore>]) -> Vec<Score> {
        let mut scores: Vec<Score> = vec![];
        let colors: Vec<Option<Color>> = raw.iter().map(|score| self.color(&score.value)).collect();
        for (place, score) in raw.iter().enumerate() {
            let score = &score.value;
            let Some(column) = self.text(&score.column) else {
                continue;
            };
            let at = score.column.referenced;
            if NOT_PARTS.contains(&column.as_str()) {
                let message =
                    format!("`{column}` cannot be a part of the score: every recommendation has such a field");
                let help = "remove it from `scores`, or give the column another name".to_owned();
                self.problem(at, message, Some(help));
            }
            if let Some(other) = scores.iter().find(|other| other.column == column) {
                let message = format!(
                    "the score has the part `{column}` twice, here and on line {}",
                    other.at.0
                );
                self.problem(at, message, Some("remove one of them".to_owned()));
            }
            let label = self.optional(score.label.as_ref()).unwrap_or_else(|| column.clone());
            let taken = |color: Color| colors.contains(&Some(color)) || scores.iter().any(|other| other.color == color);
            let free = Color::ALL.iter().map(|(_, color)| *color).find(|color| !taken(*color));
            let color = colors[place].or(free);
            scores.push(Score {
                label,
                color: color.unwrap_or(Color::ALL[place % Color::ALL.len()].1),
                is_fallback: score.fallback,
                model: score.model.as_ref().and_then(|text| self.sql_file(text)),
                at: (at.line(), at.column()),
                column,
            });
        }
        scores
    }

    fn color(&mut self, score: &RawScore) -> Option<Color> {
        let text = score.color.as_ref()?;
        let value = self.text(text)?;
        let found = Color::ALL
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, color)| *color);
        if found.is_none() {
            let names = || Color::ALL.iter().map(|(name, _)| *name);
            let help = nearest(&value, names()).map(|near| format!("did you mean `{near}`?"));
            let known = names().collect::<Vec<_>>().join(", ");
            self.problem(
                text.referenced,
                format!("unknown color `{value}`; the colors are {known}"),
                help,
            );
        }
        found
    }

    fn models(&mut self, written: &RawRecommender) -> Vec<(String, SqlFile)> {
        let Some(OrderedMap(models)) = &written.models else {
            return vec![];
        };
        let parts: BTreeSet<&str> = written
            .scores
            .iter()
            .filter(|score| score.value.model.is_some())
            .map(|score| score.value.column.value.as_str())
            .collect();
        let mut valid = vec![];
        for (name, text) in models {
            let at = text.referenced;
            if !is_identifier(name) {
                let message = format!("`{name}` is not a valid name for a model");
                let help = "use lower-case letters, digits and underscores, like item_transitions".to_owned();
                self.problem(at, message, Some(help));
            }
            if name == BLEND {
                let help = "choose another name".to_owned();
                let message = format!("the name `{BLEND}` is reserved for the project's own recommendations");
                self.problem(at, message, Some(help));
            } else if parts.contains(name.as_str()) {
                let message = format!("two models are named `{name}`: this one and that of the score's part `{name}`");
                self.problem(at, message, Some("choose another name".to_owned()));
            }
            valid.extend(self.sql_file(text).map(|file| (name.clone(), file)));
        }
        valid
    }
}
