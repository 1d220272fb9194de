//! What of an object is read: the paths of all columns, merged, so that one pass over the object serves them all.

use crate::functions::columns::{Column, Step};

/// A place in an object, with what is read there and below.
pub(super) struct Node<'s> {
    /// The columns that take the value at this place.
    pub columns: Vec<usize>,
    /// The names of the fields that are read, and what is read of each.
    pub names: Vec<&'s str>,
    pub fields: Vec<Node<'s>>,
    /// The same for indexes in a list.
    pub items: Vec<(usize, Node<'s>)>,
    /// One of the columns at this place or below.
    pub first: usize,
}

impl<'s> Node<'s> {
    /// The root of the paths of columns, in their order. The rest has none.
    pub fn root(columns: impl Iterator<Item = &'s Column>) -> Self {
        let mut root = Self::new(0);
        for (place, column) in columns.filter(|column| !column.is_rest()).enumerate() {
            root.insert(&column.path, place);
        }
        root
    }

    fn new(first: usize) -> Self {
        Self {
            columns: vec![],
            names: vec![],
            fields: vec![],
            items: vec![],
            first,
        }
    }

    fn insert(&mut self, path: &'s [Step], column: usize) {
        match path {
            [] => self.columns.push(column),
            [Step::Name(name), below @ ..] => {
                let known = self.names.iter().position(|known| known == name);
                let place = known.unwrap_or_else(|| {
                    self.names.push(name);
                    self.fields.push(Node::new(column));
                    self.fields.len() - 1
                });
                self.fields[place].insert(below, column);
            }
            [Step::Index(index), below @ ..] => {
                let known = self.items.iter().position(|(known, _)| known == index);
                let place = known.unwrap_or_else(|| {
                    self.items.push((*index, Node::new(column)));
                    self.items.len() - 1
                });
                self.items[place].1.insert(below, column);
            }
        }
    }

    /// Whether anything is read below this place.
    pub fn has_more(&self) -> bool {
        !self.fields.is_empty() || !self.items.is_empty()
    }

    /// Calls a function with each column at this place or below.
    pub fn each_column(&self, visit: &mut impl FnMut(usize)) {
        self.columns.iter().for_each(|column| visit(*column));
        let items = self.items.iter().map(|(_, node)| node);
        self.fields.iter().chain(items).for_each(|node| node.each_column(visit));
    }
}
