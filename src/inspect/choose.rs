//! Uses the fields that the user names for roles, whatever was found for them.

use super::InspectError;
use super::findings::{Findings, named_fields};
use super::infer::{field, kinds_of};
use super::mapping::{Choice, Field, List, Mapping, Role};
use super::place::Place;
use super::roles::field_type;
use super::shape::Shape;

impl Findings {
    /// Takes a field for a role, written like `session_id`, `visit.id` or `items[].sku`.
    ///
    /// # Errors
    /// When the records have no such field.
    pub fn choose(&mut self, role: Role, name: &str) -> Result<(), InspectError> {
        let shape = Shape::of(self.records.iter().map(|record| &record.value));
        let place = Place::parse(name);
        let Some(seen) = shape.field(&place) else {
            return Err(InspectError::NoField {
                sample: self.sample.clone(),
                field: name.to_owned(),
                fields: named_fields(&shape),
            });
        };
        let choice = Choice {
            fields: vec![field(role, seen)],
            reason: "as asked".to_owned(),
            ..Choice::default()
        };
        let mapping = &mut self.mapping;
        match role {
            Role::EventId => mapping.event_id = choice,
            Role::Time => (mapping.time, mapping.time_offset_ms) = (choice, None),
            Role::Session => (mapping.session, mapping.session_within_user) = (choice, None),
            Role::User => mapping.user = choice,
            Role::Item => mapping.item = choice,
            Role::Kind => mapping.kinds = kinds_of(choice, seen),
            Role::Price | Role::Quantity => take(&mut mapping.others, role, choice),
            Role::Position => {
                // A position tells the order where there is no time.
                (mapping.time, mapping.time_offset_ms) = (Choice::default(), None);
                take(&mut mapping.others, role, choice);
            }
        }
        if role == Role::Item {
            let plain = place.path.is_empty().then(|| field_type(seen));
            let is_in_list = in_lists(mapping).next().is_some();
            mapping.list = match place.list {
                Some(path) => Some(List {
                    path,
                    plain,
                    reason: "as asked".to_owned(),
                }),
                // Rows are made of a list only for what is in it.
                None => mapping.list.take().filter(|_| is_in_list),
            };
        }
        Ok(())
    }

    /// Checks that all fields that are in a list are in the one whose items become rows.
    ///
    /// # Errors
    /// When one is in another list.
    pub fn check_lists(&self) -> Result<(), InspectError> {
        let rows = self.mapping.list.as_ref().map(|list| &list.path);
        match in_lists(&self.mapping).find(|field| field.place.list.as_ref() != rows) {
            None => Ok(()),
            Some(field) => Err(InspectError::OtherList {
                sample: self.sample.clone(),
                field: field.place.to_string(),
            }),
        }
    }

    /// The fields that records have, for people.
    pub fn fields(&self) -> String {
        named_fields(&Shape::of(self.records.iter().map(|record| &record.value)))
    }
}

/// The chosen fields that are in a list.
fn in_lists(mapping: &Mapping) -> impl Iterator<Item = &Field> {
    let chosen = mapping.choices().into_iter().flat_map(|(_, choice)| &choice.fields);
    chosen
        .chain(&mapping.time_offset_ms)
        .filter(|field| field.place.list.is_some())
}

/// Takes a field that events keep in `extra`.
fn take(others: &mut Vec<(Role, Field)>, role: Role, choice: Choice) {
    others.retain(|(known, _)| *known != role);
    others.extend(choice.fields.into_iter().map(|field| (role, field)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::super::infer::infer;
    use super::super::mapping::Kinds;
    use super::super::sample::Record;
    use super::*;

    fn findings(values: impl Iterator<Item = Value>) -> Findings {
        let records: Vec<Record> = values
            .map(|value| Record {
                text: value.to_string(),
                value,
            })
            .collect();
        let mapping = infer(&Shape::of(records.iter().map(|record| &record.value)), &records);
        Findings {
            sample: "a.json".to_owned(),
            sources: vec![],
            left_out: vec![],
            records,
            others: 0,
            preset: None,
            mapping,
        }
    }

    #[test]
    fn rows_are_made_of_the_list_of_the_item_or_of_none() {
        let values = (0..20).map(|n| {
            json!({
                "sid": n / 4,
                "ts": 1_772_359_200_000_u64 + n,
                "page_item": n % 3,
                "products": [{"sku": n % 5}, {"sku": n % 7}],
                "shown": [{"ref_item": n}],
            })
        });
        let mut findings = findings(values);
        let list = |findings: &Findings| findings.mapping.list.as_ref().map(|list| list.path.to_string());
        findings.choose(Role::Item, "page_item").unwrap();
        assert_eq!(
            list(&findings),
            None,
            "else each record would be an event for each product"
        );
        findings.choose(Role::Item, "products[].sku").unwrap();
        assert!(list(&findings).is_some());
        findings.check_lists().unwrap();
        findings.choose(Role::User, "shown[].ref_item").unwrap();
        let error = findings.check_lists().unwrap_err().to_string();
        assert!(error.contains("`shown[].ref_item` is in a different list"), "{error}");
    }

    #[test]
    fn what_somebody_says_of_a_role_counts() {
        let values =
            (0..20).map(|n| json!({"created": 100 + n, "sid": n / 4, "sku": n % 3, "article": n % 5, "did": "buy"}));
        let mut findings = findings(values);
        let mapping = &findings.mapping;
        assert!(mapping.time.fields.is_empty(), "no times of this century");
        let position = mapping.other(Role::Position).map(|field| field.place.to_string());
        assert_eq!(position.as_deref(), Some("created"), "but an order");
        findings.choose(Role::Item, "article").unwrap();
        findings.choose(Role::Kind, "did").unwrap();
        assert_eq!(findings.mapping.item.fields[0].place.to_string(), "article");
        assert!(matches!(&findings.mapping.kinds, Kinds::ByValue { known, .. } if known.len() == 1));
        let error = findings.choose(Role::Time, "when").unwrap_err().to_string();
        assert!(
            error.starts_with("a.json has no field `when`")
                && ["article", "created", "sku"].iter().all(|field| error.contains(field)),
            "{error}"
        );
    }
}
