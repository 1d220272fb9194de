//! Turns a written test into one that can run: resolves its step, CTE, variables and inputs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::Spanned;

use super::batch::{Preparation, schema};
use super::cells::{Misfit, unknown_name};
use super::input::Input;
use super::raw::{Entries, Key, RawTest, Text};
use super::rows::{problem, wrong};
use super::{Test, cte};
use crate::config::{ConfigError, Mode, nearest};
use crate::engine::Engine;
use crate::pipeline::{Node, Runner};

/// Resolves all names in a written test.
pub(super) async fn prepare(file: &Path, raw: Spanned<RawTest>, runner: &Runner) -> Result<Test, ConfigError> {
    let line = raw.referenced.line();
    let raw = raw.value;
    check_shape(file, &raw)?;
    let node = node(file, &raw.step, runner)?;
    let engine = engine(file, &raw.vars, node, runner)?;
    let schema = schema(runner, node.name());
    let cte = raw.cte.as_ref().map(|name| statement(file, name, node)).transpose()?;
    let mut preparation = Preparation {
        file,
        runner,
        node,
        versions: raw.versions.0.iter().map(|(key, n)| (key.clone(), n.value)).collect(),
        engine: &engine,
        cte: cte.as_deref(),
        schema: &schema,
        common: BTreeMap::new(),
        reads_previous: false,
    };
    let mut common = preparation.given(raw.given)?;
    let before = common.remove(&Input::Previous);
    if let (Some((at, _)), Mode::View | Mode::Overwrite) = (&before, node.step.mode) {
        let message = format!("a step with mode `{}` never reads its own rows", node.step.mode);
        let (at, help) = (*at, Some("leave `previous` out".to_owned()));
        return Err(problem(file, Misfit { at, message, help }));
    }
    let before = before.map(|(_, rows)| rows.table("the table", &schema)).transpose()?;
    preparation.common = common;
    let batches = match raw.batches.is_empty() {
        true => vec![
            preparation
                .batch(Entries::default(), raw.expect, raw.expect_table)
                .await?,
        ],
        false => {
            let mut batches = vec![];
            for batch in raw.batches {
                let batch = batch.value;
                batches.push(preparation.batch(batch.given, batch.expect, batch.expect_table).await?);
            }
            batches
        }
    };
    Ok(Test {
        name: raw.name.value,
        step: node.name().clone(),
        file: file.to_owned(),
        line,
        node: node.clone(),
        reads_previous: preparation.reads_previous,
        engine: engine.clone(),
        cte,
        ordered: raw.ordered.is_some_and(|ordered| ordered.value),
        before,
        schema,
        batches,
    })
}

/// Checks for keys that cannot be combined.
fn check_shape(file: &Path, raw: &RawTest) -> Result<(), ConfigError> {
    let at = raw.name.referenced;
    let own = raw.expect.as_ref().or(raw.expect_table.as_ref());
    if let (Some(own), false) = (own, raw.batches.is_empty()) {
        let help = "put `expect` and `expect_table` into each batch".to_owned();
        return Err(wrong(
            file,
            own.referenced,
            "a test with `batches` cannot have an `expect` or `expect_table` of its own",
            Some(help),
        ));
    }
    let of_batches =
        |batch: &Spanned<super::raw::RawBatch>| batch.value.expect.is_some() || batch.value.expect_table.is_some();
    if own.is_none() && !raw.batches.iter().any(of_batches) {
        let help =
            "add `expect:` (rows of the result) or `expect_table:` (rows of the table); [] means no rows".to_owned();
        return Err(wrong(file, at, "the test has no expectation", Some(help)));
    }
    if let (Some(cte), true) = (&raw.cte, raw.expect_table.is_some()) {
        return Err(wrong(file, cte.referenced, "a CTE has no table: use `expect`", None));
    }
    Ok(())
}

fn node<'a>(file: &Path, step: &Text, runner: &'a Runner) -> Result<&'a Node, ConfigError> {
    let found = runner.dag().named(&step.value);
    found.ok_or_else(|| {
        let known: Vec<String> = runner
            .dag()
            .nodes()
            .iter()
            .map(|node| node.name().to_string())
            .collect();
        let help = match nearest(&step.value, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the steps are {}", known.join(", ")),
        };
        wrong(
            file,
            step.referenced,
            format!("there is no step `{}`", step.value),
            Some(help),
        )
    })
}

/// The project's engine with the test's variables; one thread is enough for a few rows.
fn engine(file: &Path, vars: &Entries<Text>, node: &Node, runner: &Runner) -> Result<Engine, ConfigError> {
    let mut variables = runner.engine().variables();
    for (key, value) in &vars.0 {
        if !node.variables.contains(&key.name) {
            let known: Vec<&str> = node.variables.iter().map(String::as_str).collect();
            let message = format!("the SQL of `{}` has no variable", node.name());
            return Err(problem(file, unknown_name(key, &message, &known)));
        }
        variables.insert(key.name.clone(), value.value.clone());
    }
    Ok(runner.engine().clone().over_few_rows().with_variables(variables))
}

fn statement(file: &Path, name: &Text, node: &Node) -> Result<String, ConfigError> {
    cte::statement(&node.step.sql, &name.value).ok_or_else(|| {
        let names = cte::names(&node.step.sql);
        let key = Key {
            at: name.referenced.into(),
            name: name.value.clone(),
        };
        let message = format!("{} has no CTE", node.step.file.display());
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        problem(file, unknown_name(&key, &message, &known))
    })
}
