//! Comments of generated SQL: what was chosen, why, and what remains to be done by hand.

use super::super::mapping::{Choice, Kinds, Mapping, Role};

/// The width of a line.
const WIDTH: usize = 120;
/// Kinds that a comment lists.
const KINDS_LISTED: usize = 20;
/// The beginning of a line that the user has to edit.
pub(super) const EDIT: &str = "EDIT: ";

/// A comment with this indentation, in lines.
pub(super) fn comment(indent: usize, text: &str) -> String {
    let start = format!("{}--", " ".repeat(indent));
    let (mut comment, mut line) = (String::new(), start.clone());
    for word in text.split_whitespace() {
        if line.len() > start.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            comment.push_str(&line);
            comment.push('\n');
            line.clone_from(&start);
        }
        line.push(' ');
        line.push_str(word);
    }
    comment.push_str(&line);
    comment.push('\n');
    comment
}

/// Why a column is what it is.
pub(super) fn choice(role: Role, column: &str, mapping: &Mapping) -> String {
    let choices = mapping.choices();
    let found = choices
        .iter()
        .find(|(known, _)| *known == role)
        .map(|(_, choice)| *choice);
    let chosen = found.filter(|choice| !choice.fields.is_empty());
    match chosen {
        Some(choice) => taken(role, column, choice, mapping),
        None => comment(8, &left_open(role, column, mapping)),
    }
}

fn taken(role: Role, column: &str, choice: &Choice, mapping: &Mapping) -> String {
    let fields: Vec<String> = choice.fields.iter().map(|field| field.place.to_string()).collect();
    let (fields, reason) = (fields.join(", else "), &choice.reason);
    let mut text = match (role, &mapping.kinds) {
        (Role::Kind, Kinds::ByPresence(_)) => {
            format!("{column}: a purchase where {fields} has a value, because of {reason}")
        }
        _ => format!("{column}: taken from {fields}, because of {reason}"),
    };
    if let (Role::Session, Some(why)) = (role, &mapping.session_within_user) {
        text = format!("{text}. With {}, because {why}", mapping.owner_of_sessions());
    }
    let mut comments = comment(8, &text);
    if let Some(doubt) = &choice.doubt {
        comments.push_str(&comment(8, &format!("not sure: {doubt}")));
    }
    comments
}

fn left_open(role: Role, column: &str, mapping: &Mapping) -> String {
    let has_user = !mapping.user.fields.is_empty();
    let (what, example) = match role {
        Role::EventId => {
            return format!("{column}: no field identifies an event, so records with the same content are one event");
        }
        Role::Kind => return format!("{column}: no field says what happened, so every event counts as a view"),
        Role::Session if has_user => {
            return format!(
                "{column}: no field names a session; silver.events infers them: the events of a user that are no more \
                 than 30 minutes apart"
            );
        }
        Role::User => {
            return format!("{column}: no field names a user, which is needed only where sessions are missing");
        }
        Role::Session => ("a session or a user", "session_id string from $.visit.id"),
        Role::Time => ("the time of an event", "event_at timestamp from $.created_at"),
        _ => ("the ID of an item", "item_id string from $.product.id"),
    };
    let read = match role {
        Role::Time => format!("click['{column}']"),
        _ => format!("nullif(trim(click['{column}']), '')"),
    };
    format!("{EDIT}no field looks like {what}. Declare it above, as in: {example}; and write here: {read}")
}

/// The kinds that count as nothing.
pub(super) fn unknown_kinds(mapping: &Mapping) -> String {
    let Kinds::ByValue { known, unknown, .. } = &mapping.kinds else {
        return String::new();
    };
    if unknown.is_empty() {
        return String::new();
    }
    let listed = unknown.iter().take(KINDS_LISTED);
    let listed: Vec<String> = listed
        .map(|(kind, count)| format!("{} ({count})", kind.escape_debug()))
        .collect();
    let more = match unknown.len().saturating_sub(KINDS_LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let kinds = format!("{}{more}", listed.join(", "));
    match known.is_empty() {
        true => comment(
            12,
            &format!("{EDIT}none of these kinds is known; say here what they count as: {kinds}"),
        ),
        false => comment(12, &format!("not mapped, so such records are not accepted: {kinds}")),
    }
}

/// The lines of a file that the user has to edit, from 1, with what to do.
pub(super) fn edits(sql: &str) -> Vec<(usize, String)> {
    let mark = format!("-- {EDIT}");
    let lines: Vec<&str> = sql.lines().collect();
    let marked = lines.iter().enumerate().filter_map(|(index, line)| {
        let (_, first) = line.split_once(&mark)?;
        let more = lines[index + 1..]
            .iter()
            .map_while(|line| line.trim_start().strip_prefix("-- "));
        let text: Vec<&str> = [first].into_iter().chain(more).collect();
        Some((index + 1, text.join(" ")))
    });
    marked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_and_edits_found() {
        let text = comment(8, &format!("{EDIT}{}", "word ".repeat(40)));
        assert!(
            text.lines().count() > 1
                && text
                    .lines()
                    .all(|line| line.len() <= WIDTH && line.starts_with("        -- "))
        );
        let sql = format!("select\n{text}        a\n-- other\n");
        assert_eq!(edits(&sql), [(2, "word ".repeat(40).trim().to_owned())]);
        assert_eq!(comment(0, "a\nb -- c"), "-- a b -- c\n");
    }
}
