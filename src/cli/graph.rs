//! The steps as a graph, drawn with lines for a terminal, for `clickrec plan`.

use std::collections::BTreeSet;

use renderdag::{Ancestor, GraphRowRenderer, Renderer};

/// A step or a source, and which others it reads.
pub(super) struct Vertex {
    pub name: String,
    pub reads: BTreeSet<String>,
    pub glyph: &'static str,
    /// The text next to it; may have several lines.
    pub text: String,
}

/// Draws vertices from top to bottom, each one below those that it reads. Edges that others imply are left out.
pub(super) fn draw(vertices: &[Vertex]) -> String {
    let mut renderer = GraphRowRenderer::new()
        .output()
        .with_min_row_height(1)
        .build_box_drawing();
    let rows = vertices.iter().map(|vertex| {
        let readers = vertices
            .iter()
            .filter(|reader| reads_directly(vertices, reader, &vertex.name));
        let readers = readers.map(|reader| Ancestor::Parent(reader.name.clone())).collect();
        renderer.next_row(
            vertex.name.clone(),
            readers,
            vertex.glyph.to_owned(),
            vertex.text.clone(),
        )
    });
    rows.collect()
}

/// Whether it reads the other one directly, not only through a third.
fn reads_directly(vertices: &[Vertex], reader: &Vertex, name: &str) -> bool {
    let reads_it = |third: &String| third != name && ancestors(vertices, third).contains(name);
    reader.reads.contains(name) && !reader.reads.iter().any(reads_it)
}

fn ancestors<'a>(vertices: &'a [Vertex], name: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![name];
    while let Some(vertex) = open
        .pop()
        .and_then(|name| vertices.iter().find(|vertex| vertex.name == name))
    {
        for read in &vertex.reads {
            if found.insert(read.as_str()) {
                open.push(read);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_that_others_imply_are_not_drawn() {
        let vertex = |name: &str, reads: &[&str]| Vertex {
            name: name.to_owned(),
            reads: reads.iter().map(|read| (*read).to_owned()).collect(),
            glyph: "o",
            text: name.to_owned(),
        };
        let vertices = [
            vertex("clicks", &[]),
            vertex("bronze", &["clicks"]),
            vertex("events", &["bronze"]),
            vertex("quarantine", &["bronze"]),
            vertex("sessions", &["events", "bronze"]),
        ];
        insta::assert_snapshot!(draw(&vertices), @r"
        o  clicks
        o    bronze
        ├─╮
        o │  events
        │ o  quarantine
        o  sessions
        ");
    }
}
