//! How long lists are: plans the project's own statement for the table's length, for more items (`var('k', …)`), or for
//! the long lists that reasons are computed from (1,000 items; [`Recommender::of_length`]).

use clickrec_udfs::Variables;

use super::steps::step;
use super::{Recommender, RecommenderError};
use crate::engine::{Bindings, Engine};
use crate::pipeline::Runner;

/// The length of lists where the SQL says `var('k', 10)`.
const USUAL: u32 = 10;
/// The length of the lists that explanations are computed from.
const DEEP: u32 = 1000;

/// How long lists are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As long as the table's.
    Usual,
    /// At most this many items.
    Items(u32),
    /// Long enough for [`reasons`](fn@super::reasons), and no item displaces another.
    Deep,
}

impl Length {
    fn variables(self, mut variables: Variables) -> Variables {
        let mut set = |name: &str, value: u32| _ = variables.insert(name.to_owned(), value.to_string());
        match self {
            Self::Usual => {}
            Self::Items(k) => set("k", k),
            Self::Deep => {
                set("k", DEEP);
                set("max_per_category", DEEP);
            }
        }
        variables
    }
}

/// The length of the table's lists: the project's value of `var('k', …)`.
pub fn usual_length(engine: &Engine) -> u32 {
    let variables = engine.variables();
    variables.get("k").and_then(|k| k.parse().ok()).unwrap_or(USUAL)
}

impl Recommender {
    /// Plans the project's own statement for lists of this length, over tables that are already open.
    ///
    /// # Errors
    /// When the project has no step that recommends, or no view of requests, or its SQL does not plan.
    pub async fn of_length(
        runner: &Runner,
        engine: &Engine,
        bindings: Bindings,
        length: Length,
    ) -> Result<Self, RecommenderError> {
        let own = step(runner, &runner.recommender().recommendations)?;
        let engine = engine.clone().with_variables(length.variables(engine.variables()));
        let planned = Self::over(runner, &engine, bindings, &own.step.sql).await;
        planned.map_err(|error| error.in_file(&own.step.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_lists_are_long_and_crowd_nobody_out() {
        let given = Variables::from([("k".to_owned(), "5".to_owned()), ("seen".to_owned(), "show".to_owned())]);
        let of = |length: Length, name: &str| length.variables(given.clone()).get(name).cloned();
        assert_eq!(of(Length::Usual, "k").as_deref(), Some("5"));
        assert_eq!(of(Length::Items(20), "k").as_deref(), Some("20"));
        assert_eq!(of(Length::Items(20), "max_per_category"), None);
        assert_eq!(of(Length::Deep, "k").as_deref(), Some("1000"));
        assert_eq!(of(Length::Deep, "max_per_category").as_deref(), Some("1000"));
        assert_eq!(of(Length::Deep, "seen").as_deref(), Some("show"));
    }
}
