//! Reads published events, in any format that sources read. `inspect` finds their format, their fields, and the query
//! that makes clicks of records; somebody may name fields instead ([`Hints`]). Without times, positions tell the order;
//! without sessions, visits are inferred. A test file may have a prefix and the next item per row. The queries are
//! `import_sql`. It reports which field was taken for what, and counts what is left out.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use clickrec_udfs::Variables;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast, ident, lit};

use super::EvaluationError;
use super::cases::Reveal;
use super::import_sql::{Order, judged, left_out, ordered, sequences, timed};
use crate::config::TableName;
use crate::engine::{Bindings, Engine, View, query};
use crate::inspect::mapping::{Choice, FieldType, Kinds, Role};
use crate::inspect::place::FieldPath;
use crate::inspect::{Findings, clicks as clicks_sql, look};
use crate::plural::counted;
use crate::settings::normal;
use crate::sources::{FromTheStart, ReadOptions};

/// The roles of fields that the user may name, and what they are called then.
pub const ROLES: [(&str, Role); 6] = [
    ("session", Role::Session),
    ("user", Role::User),
    ("item", Role::Item),
    ("time", Role::Time),
    ("position", Role::Position),
    ("type", Role::Kind),
];
/// The fields of a test file of prefixes, in lower case and without `_`.
const TEST: [&str; 3] = ["testid", "prefix", "target"];

/// What the user says about the fields of files.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// The name of a known schema.
    pub preset: Option<String>,
    /// The fields of roles.
    pub fields: Vec<(Role, String)>,
}

/// What a file holds.
#[derive(Debug)]
pub struct Imported<T> {
    /// Its events, with the columns of the table of events.
    pub events: T,
    /// What determines their order.
    pub order: Order,
    /// What was taken for what, for people.
    pub told: String,
}

/// A query of the events in a file.
///
/// # Errors
/// When the file cannot be read, it is not clear what its fields are, or none of its records is an event.
pub async fn clicks(
    engine: &Engine,
    file: &Path,
    hints: &Hints,
    events: &SchemaRef,
) -> Result<Imported<DataFrame>, EvaluationError> {
    Records::open(engine, file, hints).await?.clicks(events).await
}

/// The events of a test file, session by session, and which of them to predict.
///
/// # Errors
/// As [`clicks`].
pub async fn test(
    engine: &Engine,
    file: &Path,
    hints: &Hints,
    events: &SchemaRef,
) -> Result<(Imported<RecordBatch>, Reveal), EvaluationError> {
    let records = Records::open(engine, file, hints).await?;
    let (imported, reveal) = match prefixes(&records.findings) {
        Some(fields) => (records.sequences(&fields, events).await?, Reveal::LastStep),
        None => (records.clicks(events).await?, Reveal::EveryStep),
    };
    let sort = ["session_id", "event_at"].map(|column| ident(column).sort(true, true));
    let rows = imported.events.sort(sort.to_vec())?;
    let schema = rows.schema().inner().clone();
    let imported = Imported {
        events: concat_batches(&schema, &rows.collect().await?)?,
        order: imported.order,
        told: imported.told,
    };
    Ok((imported, reveal))
}

/// The fields of a test file of prefixes, if it is one.
fn prefixes(findings: &Findings) -> Option<[FieldPath; 3]> {
    let record = findings.records.first()?.value.as_object()?;
    let field = |name: &str| {
        let mut names = record.keys();
        let found = names.find(|known| known.to_lowercase().replace(['_', ' '], "") == name)?;
        Some(FieldPath::default().child(found))
    };
    let [id, prefix, target] = TEST.map(field);
    Some([id?, prefix?, target?])
}

/// The records of a file, and what was found in some of them.
struct Records<'a> {
    /// Without the project's variables: its limits of times are not those of the file.
    engine: Engine,
    file: &'a Path,
    findings: Findings,
    table: Arc<dyn TableProvider>,
}

impl<'a> Records<'a> {
    async fn open(engine: &Engine, file: &'a Path, hints: &Hints) -> Result<Self, EvaluationError> {
        let failed = |reason: String| EvaluationError::File {
            file: file.to_owned(),
            reason,
        };
        let folder = normal(&std::path::absolute(".").map_err(|error| failed(error.to_string()))?);
        let name = file.to_str();
        let name = name.ok_or_else(|| failed("its name is not valid UTF-8".to_owned()))?;
        let mut findings = look(name, &folder, hints.preset.as_deref()).await?;
        // A test file of prefixes has fields of its own.
        if prefixes(&findings).is_none() {
            // A named position replaces a time that was found, but not one that is named.
            let (positions, others): (Vec<_>, Vec<_>) =
                hints.fields.iter().partition(|(role, _)| *role == Role::Position);
            for (role, field) in positions.into_iter().chain(others) {
                findings.choose(*role, field)?;
            }
            findings.check_lists()?;
        }
        let session = engine.session(&Bindings::default()).await?;
        let mut records: Option<DataFrame> = None;
        for source in &findings.sources {
            let source = source.open(&folder)?;
            let pending = source.pending(&FromTheStart, ReadOptions::default()).await?;
            let table = session.read_table(pending.provider)?;
            records = Some(match records {
                Some(others) => others.union(table)?,
                None => table,
            });
        }
        let records = records.ok_or_else(|| failed("it has no records".to_owned()))?;
        Ok(Self {
            engine: engine.clone().with_variables(Variables::default()),
            file,
            findings,
            table: records.into_view(),
        })
    }

    async fn clicks(&self, events: &SchemaRef) -> Result<Imported<DataFrame>, EvaluationError> {
        let order = self.order()?;
        let mapping = &self.findings.mapping;
        let judged = judged(mapping, order);
        let accepted = self.accepted(&judged).await?;
        let sql = match order {
            Order::Time => timed(&judged, mapping.visitor()),
            Order::Position => ordered(&judged),
        };
        Ok(Imported {
            events: conform(self.query(&sql).await?, events)?,
            order,
            told: format!("{}\n  {accepted}; to use other fields: {}", self.fields(order), usage()),
        })
    }

    async fn sequences(
        &self,
        fields: &[FieldPath; 3],
        events: &SchemaRef,
    ) -> Result<Imported<DataFrame>, EvaluationError> {
        let rows = self.query(&ordered(&sequences(fields))).await?;
        let [id, prefix, target] = fields;
        Ok(Imported {
            events: conform(rows, events)?,
            order: Order::Position,
            told: format!(
                "{}: {target} follows the items in {prefix}; each row is a test of its own ({id})",
                self.file.display()
            ),
        })
    }

    /// What tells the order of events, provided that it is clear what the fields are.
    fn order(&self) -> Result<Order, EvaluationError> {
        let mapping = &self.findings.mapping;
        let visitor = match (mapping.session.fields.is_empty(), mapping.user.fields.is_empty()) {
            (true, true) => return Err(self.unclear(Role::Session, "no field looks like the session or the user")),
            (true, false) => (Role::User, &mapping.user),
            (false, _) => (Role::Session, &mapping.session),
        };
        if mapping.item.fields.is_empty() {
            return Err(self.unclear(Role::Item, "no field looks like the item"));
        }
        let order = match (mapping.time.fields.is_empty(), mapping.other(Role::Position)) {
            (false, _) => Order::Time,
            (true, Some(_)) if visitor.0 == Role::Session => Order::Position,
            (true, Some(_)) => {
                return Err(self.unclear(
                    Role::Session,
                    "no field looks like the session, and without times none can be inferred",
                ));
            }
            (true, None) => return Err(self.unclear(Role::Time, "no field looks like the time or the position")),
        };
        for (role, choice) in [visitor, (Role::Item, &mapping.item), (Role::Time, &mapping.time)] {
            if choice.is_open {
                let doubt = choice.doubt.as_deref().unwrap_or_default();
                let problem = format!(
                    "it is not clear that {} is the {}: {doubt}",
                    places(choice),
                    role.label()
                );
                return Err(self.unclear(role, &problem));
            }
        }
        Ok(order)
    }

    fn unclear(&self, role: Role, problem: &str) -> EvaluationError {
        EvaluationError::Unclear {
            file: self.file.to_owned(),
            problem: problem.to_owned(),
            role: ROLES
                .iter()
                .find(|(_, known)| *known == role)
                .map_or("", |(name, _)| *name),
            fields: self.findings.fields(),
        }
    }

    /// What was taken for what.
    fn fields(&self, order: Order) -> String {
        let Findings { mapping, preset, .. } = &self.findings;
        let formats: Vec<&str> = self
            .findings
            .sources
            .iter()
            .map(|source| source.format.as_str())
            .collect();
        let preset = preset
            .as_ref()
            .map_or_else(String::new, |(name, ..)| format!(", preset `{name}`"));
        let visits = |visitor: String| format!("sessions = visits of {visitor}, which end after 30 minutes of silence");
        let session = match mapping.visitor() {
            Some(Role::User) => visits(places(&mapping.user)),
            Some(_) => visits(places(&mapping.session)),
            None => format!("session = {}", places(&mapping.session)),
        };
        let when = match (order, mapping.time.fields.first(), mapping.other(Role::Position)) {
            (Order::Time, Some(time), _) => match time.field_type {
                FieldType::Time(notation) => format!("time = {} ({})", places(&mapping.time), notation.description()),
                _ => format!("time = {}", places(&mapping.time)),
            },
            (_, _, Some(position)) => format!("order = {}", position.place),
            _ => String::new(),
        };
        let kind = match &mapping.kinds {
            Kinds::Views => "every event counts as a view".to_owned(),
            Kinds::ByValue { choice, .. } => format!("type = {}", places(choice)),
            Kinds::ByPresence(choice) => format!("a purchase where {} has a value", places(choice)),
        };
        format!(
            "{}: {}{preset}: {session}, item = {}, {when}, {kind}",
            self.file.display(),
            formats.join(" and "),
            places(&mapping.item)
        )
    }

    /// How many records are events, and why others are left out.
    async fn accepted(&self, judged: &str) -> Result<String, EvaluationError> {
        let (mut events, mut others, mut reasons) = (0, 0, vec![]);
        for batch in self.query(&left_out(judged)).await?.collect().await? {
            let (reason, count) = (
                batch.column(0).as_string::<i32>(),
                batch.column(1).as_primitive::<Int64Type>(),
            );
            for row in 0..batch.num_rows() {
                let count = u64::try_from(count.value(row)).unwrap_or_default();
                if reason.is_null(row) {
                    events += count;
                } else {
                    others += count;
                    reasons.push(format!("{} ({count})", reason.value(row)));
                }
            }
        }
        let reasons = reasons.join(", ");
        if events == 0 {
            return Err(EvaluationError::TooFew(format!(
                "{}: none of {} is an event: {reasons}\n  help: name the fields, as in {}",
                self.file.display(),
                counted(others, "record", "records"),
                usage()
            )));
        }
        let left_out = match others {
            0 => String::new(),
            _ => format!(", {others} left out: {reasons}"),
        };
        Ok(format!("{}{left_out}", counted(events, "event", "events")))
    }

    async fn query(&self, sql: &str) -> Result<DataFrame, EvaluationError> {
        let clicks = View {
            name: TableName {
                layer: "silver".to_owned(),
                table: "clicks".to_owned(),
            },
            sql: clicks_sql(&self.findings),
        };
        let mut bindings = Bindings {
            views: vec![clicks],
            ..Bindings::default()
        };
        bindings.changes.insert("bronze.clicks".to_owned(), self.table.clone());
        let session = self.engine.session(&bindings).await?;
        Ok(query(&session, sql).await?)
    }
}

/// The fields of a choice.
fn places(choice: &Choice) -> String {
    let places: Vec<String> = choice.fields.iter().map(|field| field.place.to_string()).collect();
    places.join(" or ")
}

/// How fields are named.
fn usage() -> String {
    let roles: Vec<String> = ROLES.iter().map(|(name, _)| format!("{name}=FIELD")).collect();
    format!("--field {}", roles.join(","))
}

/// The columns of the table of events, in their order and types; columns that the file lacks are NULL.
fn conform(rows: DataFrame, events: &SchemaRef) -> Result<DataFrame, EvaluationError> {
    let column = |field: &arrow::datatypes::FieldRef| -> Result<Expr, EvaluationError> {
        let value = match rows.schema().has_column_with_unqualified_name(field.name()) {
            true => cast(ident(field.name()), field.data_type().clone()),
            false => lit(ScalarValue::try_new_null(field.data_type())?),
        };
        Ok(value.alias(field.name()))
    };
    let columns = events.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.select(columns)?)
}
