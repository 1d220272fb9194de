//! Takes fields for roles as somebody says, whatever was found for them.

use super::InspectError;
use super::findings::{Findings, named_fields};
use super::infer::{field, kinds_of};
use super::mapping::{Choice, Field, Role};
use super::place::Place;
use super::shape::Shape;

impl Findings {
    /// Takes a field for a role, written like `session_id`, `visit.id` or `items[].sku`.
    ///
    /// # Errors
    /// When the records have no such field.
    pub fn choose(&mut self, role: Role, name: &str) -> Result<(), InspectError> {
        let shape = Shape::of(self.records.iter().map(|record| &record.value));
        let Some(seen) = shape.field(&Place::parse(name)) else {
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
        Ok(())
    }

    /// The fields that records have, for people.
    pub fn fields(&self) -> String {
        named_fields(&Shape::of(self.records.iter().map(|record| &record.value)))
    }
}

/// Takes a field that events keep in `extra`.
fn take(others: &mut Vec<(Role, Field)>, role: Role, choice: Choice) {
    others.retain(|(known, _)| *known != role);
    others.extend(choice.fields.into_iter().map(|field| (role, field)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::infer::infer;
    use super::super::mapping::Kinds;
    use super::super::sample::Record;
    use super::*;

    #[test]
    fn what_somebody_says_of_a_role_counts() {
        let values =
            (0..20).map(|n| json!({"created": 100 + n, "sid": n / 4, "sku": n % 3, "article": n % 5, "did": "buy"}));
        let records: Vec<Record> = values
            .map(|value| Record {
                text: value.to_string(),
                value,
            })
            .collect();
        let mapping = infer(&Shape::of(records.iter().map(|record| &record.value)), &records);
        assert!(mapping.time.fields.is_empty(), "no times of this century");
        let position = mapping.other(Role::Position).map(|field| field.place.to_string());
        assert_eq!(position.as_deref(), Some("created"), "but an order");
        let mut findings = Findings {
            sample: "a.json".to_owned(),
            sources: vec![],
            left_out: vec![],
            records,
            others: 0,
            preset: None,
            mapping,
        };
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
