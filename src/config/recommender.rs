//! `recommender`, validated: which tables, SQL files and parts of a score the recommender consists of.

use std::fmt;
use std::path::PathBuf;

use super::TableName;

/// The project's own statement among the models that `clickrec evaluate` compares.
pub const BLEND: &str = "blend";

/// What the recommender consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecommenderConfig {
    /// The table of session events.
    pub events: TableName,
    /// The shop's catalog: a table of its items, which says what to show of them.
    pub items: Option<TableName>,
    /// The view whose rows are the sessions to recommend for.
    pub requests: TableName,
    /// The step whose SQL answers requests.
    pub recommendations: TableName,
    /// The table whose one row describes the model.
    pub description: Option<TableName>,
    /// Tables whose new versions mean new models; the first is the model: answers report its version. If there are
    /// none, the tables that `recommendations` reads decide.
    pub stale_after: Vec<TableName>,
    /// The statement that finds similar items.
    pub similar: Option<SqlFile>,
    /// The parts of a score, in the order in which they are shown.
    pub scores: Vec<Score>,
    /// Further models to compare, by name.
    pub models: Vec<(String, SqlFile)>,
}

/// An SQL file of the project that is not a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// As written, relative to the project's folder.
    pub file: PathBuf,
    /// Its text.
    pub sql: String,
}

/// A part of a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Its column in the recommendations.
    pub column: String,
    /// Its display name.
    pub label: String,
    /// How the page colors it.
    pub color: Color,
    /// Whether it does not depend on the session: everyone gets it.
    pub is_fallback: bool,
    /// The statement with which this part is evaluated on its own.
    pub model: Option<SqlFile>,
    /// Line and column in the project file, from 1.
    pub at: (u64, u64),
}

/// The color of a part of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// `blue`
    Blue,
    /// `green`
    Green,
    /// `orange`
    Orange,
    /// `purple`
    Purple,
    /// `red`
    Red,
    /// `teal`
    Teal,
    /// `pink`
    Pink,
    /// `gray`
    Gray,
}

impl Color {
    /// All colors, by their names in the file, in the order in which parts get them.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("blue", Self::Blue),
        ("green", Self::Green),
        ("orange", Self::Orange),
        ("purple", Self::Purple),
        ("red", Self::Red),
        ("teal", Self::Teal),
        ("pink", Self::Pink),
        ("gray", Self::Gray),
    ];
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, color)| color == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl Default for RecommenderConfig {
    fn default() -> Self {
        let name = |layer: &str, table: &str| TableName {
            layer: layer.to_owned(),
            table: table.to_owned(),
        };
        Self {
            events: name("silver", "events"),
            items: None,
            requests: name("gold", "requests"),
            recommendations: name("gold", "recommendations"),
            description: None,
            stale_after: vec![],
            similar: None,
            scores: vec![],
            models: vec![],
        }
    }
}

impl RecommenderConfig {
    /// The models to compare with the project's own statement, by name, the simplest first: parts that do not
    /// depend on the session, further models, and the other parts.
    pub fn compared(&self) -> Vec<(&str, &SqlFile)> {
        let parts = |is_fallback: bool| {
            let parts = self.scores.iter().filter(move |score| score.is_fallback == is_fallback);
            parts.filter_map(|score| Some((score.column.as_str(), score.model.as_ref()?)))
        };
        let further = self.models.iter().map(|(name, file)| (name.as_str(), file));
        parts(true).chain(further).chain(parts(false)).collect()
    }

    /// All SQL files that are declared here.
    pub fn files(&self) -> impl Iterator<Item = &SqlFile> {
        self.compared().into_iter().map(|(_, file)| file).chain(&self.similar)
    }
}
