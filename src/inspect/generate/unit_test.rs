//! `sql/tests/silver_clicks.yaml`: records of the sample, and the rows that they should become.

use super::super::findings::Findings;
use super::super::interpret::{Row, rows};
use super::super::sample::Record;
use super::super::times::written;
use crate::settings::yaml_quoted;

/// How many records a test has of each outcome.
const OF_EACH: usize = 2;
const RECORDS_MAX: usize = 8;
const ROWS_MAX: usize = 60;
/// Longer records are not for people to read.
const BYTES_MAX: usize = 8_192;

/// The test file.
pub(super) fn unit_test(findings: &Findings) -> String {
    let has_lines = findings.mapping.list.is_some();
    let chosen = chosen(findings);
    let nothing = if chosen.is_empty() { " []" } else { "" };
    let given = chosen.iter().enumerate().map(|(index, (record, _))| {
        format!(
            "        - {{ offset: {}, value: {} }}\n",
            index + 1,
            yaml_quoted(record.text.trim())
        )
    });
    let expected = chosen.iter().enumerate().flat_map(|(index, (_, rows))| {
        let rows = rows.iter().enumerate();
        rows.map(move |(line, row)| expected(index + 1, has_lines.then_some(line + 1), row))
    });
    let expected: String = expected.collect();
    format!(
        "# Tests of sql/silver/clicks.sql: records of {}, with the rows that `clickrec init --from` expects of them. If the
# meaning of a field was guessed wrong, correct both.
tests:
  - name: records of the sample become rows
    step: silver.clicks
    given:
      changes('bronze.clicks'):{nothing}
{}    expect:{nothing}
{expected}",
        findings.sample.escape_debug(),
        given.collect::<String>(),
    )
}

/// The first records of each outcome, with their rows.
fn chosen(findings: &Findings) -> Vec<(&Record, Vec<Row>)> {
    let mut found: Vec<(&Record, Vec<Row>)> = vec![];
    let (mut outcomes, mut lines) = (vec![], 0);
    for record in &findings.records {
        if record.text.len() > BYTES_MAX || record.text.contains('\0') {
            continue;
        }
        let Some(rows) = rows(&findings.mapping, &record.value) else {
            continue;
        };
        let outcome = rows.first().map(|row| (row.event_type, row.reason));
        let same = outcomes.iter().filter(|known| **known == outcome).count();
        if same < OF_EACH && lines + rows.len() <= ROWS_MAX {
            lines += rows.len();
            outcomes.push(outcome);
            found.push((record, rows));
        }
        if found.len() == RECORDS_MAX {
            break;
        }
    }
    found
}

fn expected(offset: usize, line: Option<usize>, row: &Row) -> String {
    let text = |value: Option<&str>| value.map_or_else(|| "null".to_owned(), yaml_quoted);
    let line = line.map_or_else(String::new, |line| format!(" line: {line},"));
    let event_at = row.event_at.map(written);
    let event_type = row.event_type.map(|event| event.to_string());
    format!(
        "      - {{ offset: {offset},{line} event_at: {}, session_id: {}, user_id: {}, item_id: {}, event_type: {}, reason: \
         {} }}\n",
        text(event_at.as_deref()),
        text(row.session_id.as_deref()),
        text(row.user_id.as_deref()),
        text(row.item_id.as_deref()),
        text(event_type.as_deref()),
        text(row.reason)
    )
}
