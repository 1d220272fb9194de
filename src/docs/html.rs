//! The manual as one self-contained HTML page, with search and highlighted SQL (`page.css`, `page.js`).

use std::collections::BTreeSet;
use std::fmt::Write;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::escape::escape;
use super::graph;
use super::model::{Column, Kind, Manual, Table};
use super::prose::{Part, parts};
use crate::lineage::Origin;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The manual as one self-contained page.
pub fn html(manual: &Manual) -> String {
    let title = escape(&manual.project);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
         <input id=\"search\" type=\"search\" placeholder=\"Find tables and columns\" aria-label=\"Find tables and \
         columns\" autocomplete=\"off\">\n</header>\n"
    );
    // Writing to a string cannot fail.
    _ = writeln!(page, "<div class=\"wide\">\n{}</div>", graph::svg(manual));
    navigation(&mut page, manual);
    page.push_str("<main>\n<p id=\"nothing\" hidden>No matches.</p>\n");
    if let Some(missing) = missing(manual) {
        _ = writeln!(page, "<p class=\"missing\">{missing}</p>");
    }
    let known: BTreeSet<&str> = manual.tables.iter().map(|table| table.name.as_str()).collect();
    for table in &manual.tables {
        section(&mut page, table, &known);
    }
    _ = write!(page, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    page
}

/// A comment as HTML.
fn prose(comment: &str) -> String {
    let parts = parts(comment).into_iter().map(|part| match part {
        Part::Text(text) => escape(text),
        Part::Code(code) => format!("<code>{}</code>", escape(code)),
    });
    parts.collect()
}

/// How many tables and columns lack a description, and how to add one.
fn missing(manual: &Manual) -> Option<String> {
    let tables = manual.tables.iter().filter(|table| table.kind.has_comments());
    let columns = tables.clone().flat_map(|table| &table.columns);
    let without = [
        columns.clone().filter(|column| column.description.is_none()).count(),
        tables.clone().filter(|table| table.description.is_empty()).count(),
    ];
    let told = [
        format!("{} of {} columns", without[0], columns.count()),
        format!("{} of {} tables and views", without[1], tables.count()),
    ];
    let told = told.iter().zip(without).filter(|(_, without)| *without > 0);
    let told: Vec<&str> = told.map(|(told, _)| told.as_str()).collect();
    (!told.is_empty()).then(|| {
        format!(
            "Without a description: {}. To describe a column, add a comment next to it in the final select; to \
             describe a table, add one at the top of its file. Or set <code>columns</code> and \
             <code>description</code> of the step in pipelines.yaml.",
            told.join(" and ")
        )
    })
}

/// Sources, then the layers.
fn navigation(page: &mut String, manual: &Manual) {
    let layer = |table: &Table| match table.kind {
        Kind::Source => "sources".to_owned(),
        _ => table.name.split('.').next().unwrap_or_default().to_owned(),
    };
    let mut layers: Vec<String> = vec![];
    for table in &manual.tables {
        let layer = layer(table);
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    page.push_str("<nav>\n");
    for name in layers {
        _ = write!(page, "<div><b>{}</b>", escape(&name));
        for table in manual.tables.iter().filter(|table| layer(table) == name) {
            let short = table.name.rsplit('.').next().unwrap_or_default();
            _ = write!(page, " <a href=\"#{}\">{}</a>", escape(&table.name), escape(short));
        }
        page.push_str("</div>\n");
    }
    page.push_str("</nav>\n");
}

fn section(page: &mut String, table: &Table, known: &BTreeSet<&str>) {
    let name = escape(&table.name);
    _ = writeln!(
        page,
        "<section id=\"{name}\">\n<h2>{name} <span class=\"kind\">{}</span></h2>",
        table.kind.word()
    );
    for paragraph in table.description.split("\n\n").filter(|text| !text.trim().is_empty()) {
        _ = writeln!(page, "<p>{}</p>", prose(paragraph.trim()));
    }
    if table.description.is_empty() && table.kind.has_comments() {
        page.push_str("<p class=\"missing\">not described</p>\n");
    }
    facts(page, table, known);
    if !table.columns.is_empty() {
        page.push_str(
            "<table class=\"columns\">\n<thead><tr><th>column</th><th>type</th><th>description</th>\
             <th>computed from</th></tr></thead>\n<tbody>\n",
        );
        rows(page, table, known);
        page.push_str("</tbody>\n</table>\n");
    }
    if !table.predicates.is_empty() {
        let origins = origins(&table.predicates, known);
        _ = writeln!(
            page,
            "<p class=\"predicates\"><b>Rows, groups and order depend on</b> {origins}</p>"
        );
    }
    if !table.tests.is_empty() {
        page.push_str("<h3>Tests</h3>\n<ul class=\"tests\">\n");
        for test in &table.tests {
            let place = escape(&format!("{}:{}", test.file, test.line));
            _ = writeln!(page, "<li>{} <code>{place}</code></li>", prose(&test.name));
        }
        page.push_str("</ul>\n");
    }
    if let Some(sql) = &table.sql {
        let file = escape(table.file.as_deref().unwrap_or("SQL"));
        _ = writeln!(
            page,
            "<details><summary><code>{file}</code></summary><pre>{}</pre></details>",
            colored(sql)
        );
    }
    page.push_str("</section>\n");
}

/// Settings, inputs and readers.
fn facts(page: &mut String, table: &Table, known: &BTreeSet<&str>) {
    let mut facts = vec![];
    for setting in &table.settings {
        facts.push((setting.name, format!("<code>{}</code>", escape(&setting.value))));
    }
    let reads = table.reads.iter().map(|read| match read.how {
        "table" => link(&read.name, &read.name, known),
        how => format!("{} <small>({how})</small>", link(&read.name, &read.name, known)),
    });
    let reads: Vec<String> = reads.collect();
    let readers: Vec<String> = table.read_by.iter().map(|name| link(name, name, known)).collect();
    for (name, tables) in [("reads", reads), ("read by", readers)] {
        if !tables.is_empty() {
            facts.push((name, tables.join(", ")));
        }
    }
    if facts.is_empty() {
        return;
    }
    page.push_str("<dl>\n");
    for (name, value) in facts {
        _ = writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>\n");
}

fn rows(page: &mut String, table: &Table, known: &BTreeSet<&str>) {
    let mut heading: Option<&String> = None;
    for column in &table.columns {
        if let Some(text) = column.heading.as_ref().filter(|text| heading != Some(text)) {
            _ = writeln!(
                page,
                "<tr class=\"heading\"><td colspan=\"4\">{}</td></tr>",
                prose(text)
            );
        }
        heading = column.heading.as_ref();
        row(page, table, column, known);
    }
}

fn row(page: &mut String, table: &Table, column: &Column, known: &BTreeSet<&str>) {
    let name = escape(&column.name);
    let description = match &column.description {
        Some(text) => format!("<td>{}</td>", prose(text)),
        None if table.kind.has_comments() => "<td class=\"missing\">not described</td>".to_owned(),
        None => "<td></td>".to_owned(),
    };
    _ = writeln!(
        page,
        "<tr id=\"{}.{name}\" data-column=\"{name}\"><td><code>{name}</code></td><td class=\"type\">{}</td>\
         {description}<td class=\"from\">{}</td></tr>",
        escape(&table.name),
        escape(&column.data_type),
        origins(&column.from, known)
    );
}

fn origins(origins: &[Origin], known: &BTreeSet<&str>) -> String {
    let links = origins.iter().map(|origin| {
        let full = format!("{}.{}", origin.table, origin.column);
        match known.contains(origin.table.as_str()) {
            true => format!("<a href=\"#{0}\"><code>{0}</code></a>", escape(&full)),
            false => format!("<code>{}</code>", escape(&full)),
        }
    });
    links.collect::<Vec<_>>().join(" ")
}

fn link(name: &str, shown: &str, known: &BTreeSet<&str>) -> String {
    match known.contains(name) {
        true => format!("<a href=\"#{}\">{}</a>", escape(name), escape(shown)),
        false => escape(shown),
    }
}

/// SQL with its comments, words and strings highlighted.
fn colored(sql: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).with_unescape(false).tokenize() else {
        return escape(sql);
    };
    let mut html = String::with_capacity(2 * sql.len());
    for token in tokens {
        let text = escape(&token.to_string());
        let class = match &token {
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => "comment",
            Token::SingleQuotedString(_) => "text",
            Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => "word",
            _ => "",
        };
        match class {
            "" => html.push_str(&text),
            class => _ = write!(html, "<span class=\"{class}\">{text}</span>"),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_comments_is_code_and_never_markup() {
        assert_eq!(prose("`a < b` or <b>"), "<code>a &lt; b</code> or &lt;b&gt;");
    }

    #[test]
    fn what_sql_says_is_never_markup() {
        assert_eq!(
            colored("select '<b>' -- </pre>\n"),
            "<span class=\"word\">select</span> <span class=\"text\">&#39;&lt;b&gt;&#39;</span> \
             <span class=\"comment\">-- &lt;/pre&gt;\n</span>"
        );
    }
}
