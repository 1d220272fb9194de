//! What `silver.clicks` makes of records: which fields are the parts of an event, and which kinds of events there are.
//! The inference and the presets make it, and the generator writes SQL of it.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::place::{FieldPath, Place};
use super::times::TimeNotation;

/// A part of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What identifies the event.
    EventId,
    /// When it happened.
    Time,
    /// The visit.
    Session,
    /// The visitor.
    User,
    /// The item.
    Item,
    /// What happened.
    Kind,
    /// The item's price.
    Price,
    /// How many of the item.
    Quantity,
    /// Its position among the events of the session.
    Position,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 9] = [
        Self::EventId,
        Self::Time,
        Self::Session,
        Self::User,
        Self::Item,
        Self::Kind,
        Self::Price,
        Self::Quantity,
        Self::Position,
    ];

    /// Its name in output for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::EventId => "event ID",
            Self::Time => "time",
            Self::Session => "session",
            Self::User => "user",
            Self::Item => "item",
            Self::Kind => "kind of event",
            Self::Price => "price",
            Self::Quantity => "quantity",
            Self::Position => "position",
        }
    }
}

/// What an event counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An item was looked at.
    View,
    /// It was put into the cart.
    AddToCart,
    /// It was taken out of the cart again.
    RemoveFromCart,
    /// It was bought.
    Purchase,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
        })
    }
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    Text,
    /// Integers.
    Integer,
    /// Text and numbers, or numbers beyond 64 bits.
    Mixed,
    /// A time.
    Time(TimeNotation),
}

/// A field that was chosen for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it is.
    pub place: Place,
    /// The type of its values.
    pub field_type: FieldType,
    /// Whether 0 may be an ID among them; else it stands for nobody.
    pub counts_from_zero: bool,
}

impl Field {
    /// Its value in a record and, if it is in a list, in an item of it.
    pub(super) fn value<'v>(&self, record: &'v Value, item: Option<&'v Value>) -> Option<&'v Value> {
        match self.place.list {
            None => self.place.path.get(record),
            Some(_) => self.place.path.get(item?),
        }
    }
}

/// What was chosen for a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The fields; the first one that has a value counts.
    pub fields: Vec<Field>,
    /// Why these.
    pub reason: String,
    /// What is not sure about it.
    pub doubt: Option<String>,
    /// Whether another field may be meant just as well: it has a name that fits almost as well, or this one has none
    /// that fits.
    pub is_open: bool,
}

/// A list that becomes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Where it is in a record.
    pub path: FieldPath,
    /// The type of its items, if they are plain values.
    pub plain: Option<FieldType>,
    /// Why its items are rows.
    pub reason: String,
}

/// How the kind of an event is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kinds {
    /// Everything is a view.
    Views,
    /// By the value of a field.
    ByValue {
        /// The field.
        choice: Choice,
        /// What its values count as, in the order of the SQL.
        known: Vec<(String, Event)>,
        /// Values of the sample that count as nothing, with how often they occur.
        unknown: Vec<(String, usize)>,
    },
    /// Whatever has a value there is a purchase, and all else a view.
    ByPresence(Choice),
}

/// What records mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The list whose items are events, or lines of an order.
    pub list: Option<List>,
    /// What identifies an event; may be empty.
    pub event_id: Choice,
    /// When it happened.
    pub time: Choice,
    /// A number of milliseconds to add to the time.
    pub time_offset_ms: Option<Field>,
    /// The session; may be empty.
    pub session: Choice,
    /// Whether session IDs are unique only within a user, and why.
    pub session_within_user: Option<String>,
    /// The user; may be empty.
    pub user: Choice,
    /// The browser or device, apart from the user: events keep it in `extra`, as `anonymous_id`, by which
    /// `sql/silver/people.sql` finds out who logged in there. Sessions within a user are then within it.
    pub anonymous: Option<Field>,
    /// The item.
    pub item: Choice,
    /// What happened.
    pub kinds: Kinds,
    /// Fields that events keep in `extra`, for the reader of the report; the position only if there is no time.
    pub others: Vec<(Role, Field)>,
}

impl Mapping {
    /// The choices, by role; kinds that need no field have none.
    pub fn choices(&self) -> Vec<(Role, &Choice)> {
        let mut choices = vec![
            (Role::EventId, &self.event_id),
            (Role::Time, &self.time),
            (Role::Session, &self.session),
            (Role::User, &self.user),
            (Role::Item, &self.item),
        ];
        match &self.kinds {
            Kinds::Views => {}
            Kinds::ByValue { choice, .. } | Kinds::ByPresence(choice) => choices.push((Role::Kind, choice)),
        }
        choices
    }

    /// Whose visits are the sessions, if no field names a visit: the user's, or the browser's.
    pub(crate) fn visitor(&self) -> Option<Role> {
        let is_browser = |field: &Field| self.anonymous.as_ref() == Some(field);
        match (
            self.session.fields.is_empty(),
            self.session.fields.iter().all(is_browser),
        ) {
            (true, _) => Some(Role::User),
            (false, true) => Some(Role::Session),
            (false, false) => None,
        }
    }

    /// Whose session IDs may be the same as those of others, for people.
    pub(super) fn owner_of_sessions(&self) -> &'static str {
        match self.anonymous {
            Some(_) => "the anonymous ID",
            None => "the user",
        }
    }

    /// A field that events keep in `extra`.
    pub fn other(&self, role: Role) -> Option<&Field> {
        let mut others = self.others.iter();
        others.find(|(known, _)| *known == role).map(|(_, field)| field)
    }

    /// Whether some column takes text and numbers.
    pub(super) fn is_mixed(&self) -> bool {
        let choices = self.choices();
        let mut fields = choices.iter().flat_map(|(_, choice)| &choice.fields);
        let plain = self.list.as_ref().and_then(|list| list.plain);
        plain == Some(FieldType::Mixed) || fields.any(|field| field.field_type == FieldType::Mixed)
    }
}

/// Lists of kinds, as presets write them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindLists {
    #[serde(default)]
    pub view: Vec<String>,
    #[serde(default)]
    pub add_to_cart: Vec<String>,
    #[serde(default)]
    pub remove_from_cart: Vec<String>,
    #[serde(default)]
    pub purchase: Vec<String>,
}

impl KindLists {
    /// Each kind with what it counts as.
    pub fn known(&self) -> Vec<(String, Event)> {
        let lists = [
            (&self.view, Event::View),
            (&self.add_to_cart, Event::AddToCart),
            (&self.remove_from_cart, Event::RemoveFromCart),
            (&self.purchase, Event::Purchase),
        ];
        let known = lists
            .into_iter()
            .flat_map(|(kinds, event)| kinds.iter().map(move |kind| (kind.clone(), event)));
        known.collect()
    }
}
