//! Validates `timezone`, the time zone of days and hours: unknown names are refused with their line and the nearest
//! names, and so is one among `vars`. SQL reads it as `var('timezone', 'UTC')`.

use std::collections::BTreeMap;

use super::TimeZone;
use super::raw::RawProject;
use super::time_zone::NotATimeZone;
use super::validate::Validator;
use crate::settings::Secret;

/// The name of the variable in SQL.
const VARIABLE: &str = "timezone";

impl Validator<'_> {
    /// The zone of `--var timezone=…`, otherwise the file's, otherwise UTC. One that is given becomes a variable.
    pub(super) fn timezone(&mut self, raw: &RawProject, vars: &mut BTreeMap<String, Secret>) -> TimeZone {
        if let Some(text) = raw.vars.get(VARIABLE) {
            let help = format!("write it at the top level: timezone: {}", text.value);
            self.problem(text.referenced, "`timezone` cannot be one of the `vars`", Some(help));
            return TimeZone::default();
        }
        if let Some(given) = self.options.vars.get(VARIABLE) {
            return given.parse().unwrap_or_else(|error: NotATimeZone| {
                let message = format!("--var {VARIABLE}: {error}");
                self.values.problem_of_all(message, Some(help(&error)));
                TimeZone::default()
            });
        }
        let Some(text) = &raw.timezone else {
            return TimeZone::default();
        };
        let Some(name) = self.text(text) else {
            return TimeZone::default();
        };
        match name.parse::<TimeZone>() {
            Ok(zone) => {
                vars.insert(VARIABLE.to_owned(), Secret::new(name));
                zone
            }
            Err(error) => {
                self.problem(text.referenced, error.to_string(), Some(help(&error)));
                TimeZone::default()
            }
        }
    }
}

fn help(error: &NotATimeZone) -> String {
    match error.nearest[..] {
        [] => "write a name of the IANA database, such as Europe/Berlin or America/Denver; an offset would not follow \
               clock changes"
            .to_owned(),
        [only] => format!("did you mean {only}?"),
        ref several => format!("did you mean one of {}?", several.join(", ")),
    }
}
