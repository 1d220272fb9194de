//! Where in a record a value is: `items[2].price`.

use super::fault::cut;

/// A step toward a value.
#[derive(Clone)]
pub(super) enum Part {
    /// A declared field.
    Field(String),
    /// A declared index in a list.
    Index(usize),
    /// An item of a list; how many it has depends on the record.
    Item(usize),
    /// A key of a map; which ones it has depends on the record.
    Key(String),
}

/// The steps from a record to a value.
#[derive(Default)]
pub(super) struct Place {
    /// The innermost comes first.
    parts: Vec<Part>,
}

impl Place {
    /// Adds a step before the others.
    pub fn prepend(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// The field of the record that the value is in.
    pub fn field(&self) -> Option<&str> {
        match self.parts.last()? {
            Part::Field(name) => Some(name),
            _ => None,
        }
    }

    /// What is declared of it, which is the same for many records: `items[].price`.
    pub fn declared(&self) -> String {
        self.written(|part| match part {
            Part::Item(_) | Part::Key(_) => "[]".to_owned(),
            part => exactly(part),
        })
    }

    /// The place itself, if it is not what is declared: `items[2].price`.
    pub fn exact(&self) -> Option<String> {
        let depends = |part: &Part| matches!(part, Part::Item(_) | Part::Key(_));
        self.parts.iter().any(depends).then(|| self.written(exactly))
    }

    fn written(&self, write: impl Fn(&Part) -> String) -> String {
        let mut parts = self.parts.iter().rev();
        let mut text = match parts.next() {
            Some(Part::Field(name)) => name.clone(),
            Some(part) => write(part),
            None => String::new(),
        };
        for part in parts {
            text.push_str(&write(part));
        }
        text
    }
}

fn exactly(part: &Part) -> String {
    match part {
        Part::Field(name) if is_plain(name) => format!(".{name}"),
        Part::Field(name) => format!("['{name}']"),
        Part::Index(index) | Part::Item(index) => format!("[{index}]"),
        Part::Key(key) => format!("['{}']", cut(key)),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(|mark: char| mark.is_whitespace() || ".,()[]'\"".contains(mark))
}
