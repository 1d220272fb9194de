//! The columns that `from_json` declares, and the expressions that read them.

use super::super::mapping::{Field, FieldType, Mapping, Role};
use super::super::place::FieldPath;

/// The columns that SQL calls by these names.
const LIST: &str = "items";
/// The number of milliseconds in the time of an event.
const OFFSET: &str = "event_at_ms";
/// The ID of the browser, as text and as JSON.
const ANONYMOUS: &str = "anonymous_id";
const ANONYMOUS_JSON: &str = "anonymous_json";

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    in_list: bool,
    field: Field,
}

/// All columns of a mapping.
#[derive(Debug)]
pub(super) struct Columns<'m> {
    mapping: &'m Mapping,
    columns: Vec<(Role, Column)>,
    offset: Option<Column>,
    anonymous: Option<Column>,
}

impl<'m> Columns<'m> {
    pub fn of(mapping: &'m Mapping) -> Self {
        let mut columns: Vec<(Role, Column)> = vec![];
        for (role, choice) in mapping.choices() {
            for field in &choice.fields {
                let in_list = field.place.list.is_some();
                let before = columns
                    .iter()
                    .filter(|(known, column)| *known == role && column.in_list == in_list);
                let name = match before.count() {
                    0 => name(role).to_owned(),
                    before => format!("{}_{}", name(role), before + 1),
                };
                columns.push((
                    role,
                    Column {
                        name,
                        in_list,
                        field: field.clone(),
                    },
                ));
            }
        }
        let column = |name: &str, field: &Field| Column {
            name: name.to_owned(),
            in_list: field.place.list.is_some(),
            field: field.clone(),
        };
        Self {
            mapping,
            columns,
            offset: mapping.time_offset_ms.as_ref().map(|field| column(OFFSET, field)),
            anonymous: mapping.anonymous.as_ref().map(|field| column(ANONYMOUS, field)),
        }
    }

    /// The declarations of the columns of records, without the rest.
    pub fn of_record(&self) -> Vec<String> {
        let mut declared = self.declared(false);
        if let Some(list) = &self.mapping.list {
            let items = list.plain.map_or("json", plain_type);
            declared.push(column(LIST, &format!("{items}[]"), &list.path));
        }
        declared
    }

    /// The same of the items of the list, if they are objects.
    pub fn of_items(&self) -> Vec<String> {
        self.declared(true)
    }

    fn declared(&self, in_list: bool) -> Vec<String> {
        let columns = self.columns.iter().map(|(_, column)| column);
        let columns = columns.chain(&self.offset).chain(&self.anonymous);
        let declared = columns.filter(|column| column.in_list == in_list && !column.is_item());
        let declared = declared.map(|known| column(&known.name, &known.sql_type(), &known.field.place.path));
        let as_json = self.anonymous.iter().filter(|column| column.in_list == in_list);
        let as_json = as_json.map(|known| column(ANONYMOUS_JSON, "json", &known.field.place.path));
        declared.chain(as_json).collect()
    }

    /// The ID of the browser, if it is kept apart from the user: as text, and as JSON.
    pub fn anonymous(&self) -> Option<(String, String)> {
        let known = self.anonymous.as_ref()?;
        let json = Column {
            name: ANONYMOUS_JSON.to_owned(),
            ..known.clone()
        };
        Some((known.text(), json.value()))
    }

    /// The text of a role: its first value, or `None` if no field has it.
    pub fn text(&self, role: Role) -> Option<String> {
        let texts = self.columns.iter().filter(|(known, _)| *known == role);
        coalesced(texts.map(|(_, column)| column.text()).collect())
    }

    /// The time, with what is added to it.
    pub fn time(&self) -> Option<String> {
        let times = self.columns.iter().filter(|(known, _)| *known == Role::Time);
        let time = coalesced(times.map(|(_, column)| column.value()).collect())?;
        Some(match &self.offset {
            None => time,
            Some(offset) => format!(
                "arrow_cast(\n            arrow_cast({time}, 'Int64') + 1000 * coalesce(try_cast({} as bigint), 0),\n            \
                 'Timestamp(Microsecond, Some(\"UTC\"))'\n        )",
                offset.text()
            ),
        })
    }

    /// Whether the ID of an event stands for all items of its record.
    pub fn has_record_id(&self) -> bool {
        self.columns
            .iter()
            .any(|(role, column)| *role == Role::EventId && !column.in_list)
    }
}

impl Column {
    /// Whether it is the item of a list of plain values.
    fn is_item(&self) -> bool {
        self.in_list && self.field.place.path.is_empty()
    }

    fn value(&self) -> String {
        match (self.is_item(), self.in_list) {
            (true, _) => "item".to_owned(),
            (_, true) => format!("item['{}']", self.name),
            (_, false) => format!("click['{}']", self.name),
        }
    }

    fn text(&self) -> String {
        match self.field.field_type {
            FieldType::Integer | FieldType::Time(_) => format!("cast({} as varchar)", self.value()),
            FieldType::Text | FieldType::Mixed => format!("nullif(trim({}), '')", self.value()),
        }
    }

    fn sql_type(&self) -> String {
        match self.field.field_type {
            FieldType::Time(notation) => notation.declared(),
            other => plain_type(other).to_owned(),
        }
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::EventId => "event_id",
        Role::Time => "event_at",
        Role::Session => "session_id",
        Role::User => "user_id",
        Role::Item => "item_id",
        Role::Kind => "event_type",
        Role::Price => "price",
        Role::Quantity => "quantity",
        Role::Position => "position",
    }
}

fn plain_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Integer => "bigint",
        _ => "string",
    }
}

fn column(name: &str, sql_type: &str, path: &FieldPath) -> String {
    match path.is_field(name) {
        true => format!("{name} {sql_type}"),
        false => format!("{name} {sql_type} from {}", path.declared()),
    }
}

fn coalesced(values: Vec<String>) -> Option<String> {
    match &values[..] {
        [] => None,
        [only] => Some(only.clone()),
        _ => Some(format!("coalesce({})", values.join(", "))),
    }
}
