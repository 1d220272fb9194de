//! `\watch` and `\explain`: the last statement once more.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::{SecondsFormat, Utc};

use super::{Shell, ShellError};

impl Shell {
    /// Repeats the last statement, this many times or until it is canceled.
    pub(super) async fn watch(&mut self, every: Duration, times: Option<u32>) -> Result<(), ShellError> {
        let sql = self.last("\\watch")?;
        let mut ticks = tokio::time::interval(every);
        // After a slow query, the next one does not start at once.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut left = times;
        while left != Some(0) {
            ticks.tick().await;
            let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
            self.tell(&format!("{now}, repeated every {}", humantime::format_duration(every)));
            self.statement(&sql).await?;
            left = left.map(|left| left - 1);
        }
        Ok(())
    }

    /// Prints the plan of a statement, or of the last one.
    pub(super) async fn explain(&mut self, analyze: bool, statement: Option<String>) -> Result<(), ShellError> {
        let sql = match statement {
            Some(sql) => sql,
            None => self.last("\\explain")?,
        };
        let explain = if analyze {
            "explain analyze"
        } else {
            "explain format indent"
        };
        let session = self.session().await?;
        let plans = self
            .planned(&session, &format!("{explain} {sql}"))
            .await?
            .collect()
            .await?;
        let mut text = String::new();
        for batch in &plans {
            let columns = [0, 1].map(|column| cast(batch.column(column), &DataType::Utf8));
            let [kinds, plans] = columns;
            let (kinds, plans) = (kinds?, plans?);
            let (kinds, plans) = (kinds.as_string::<i32>(), plans.as_string::<i32>());
            for row in 0..batch.num_rows() {
                text.push_str(&format!("{}:\n{}\n\n", kinds.value(row), plans.value(row).trim_end()));
            }
        }
        self.last = Some(sql);
        self.print_text(&text)
    }

    fn last(&self, command: &str) -> Result<String, ShellError> {
        let last = self.last.clone();
        last.ok_or_else(|| ShellError::Command(format!("{command}: no statement has been run yet")))
    }
}
