//! Changes to the shipped files: the source and the catalog in `pipelines.yaml`, Bronze with several sources, and
//! Silver with several rows per record.

use super::super::locate::LocatedSource;

/// The text of each file, by its path in the project.
pub type Files = Vec<(String, String)>;

/// The files of a new project, as shipped.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// `pipelines.yaml`.
    pub pipelines: &'static str,
    /// The text of a file in `sql/`, by its path there; empty if there is none.
    pub sql: fn(&str) -> &'static str,
}

/// The text of a file, and what it becomes.
pub(super) type Edit = (&'static str, &'static str);

/// The source in the shipped `pipelines.yaml`.
pub(super) const SOURCE: &str = "  clicks:\n    files: { path: sample_data, format: ndjson }\n";

/// Where the shipped `pipelines.yaml` finds the catalog of the sample data.
pub(super) const SAMPLE_CATALOG: &str = "path: sample_data/_catalog/items.csv";

/// A catalog without items, for the shop to fill in.
const EMPTY_CATALOG: (&str, &str) = (
    "_catalog/items.csv",
    "item_id,title,category,price,image,url,availability,created\n",
);

/// Where a record may be several rows, its rows are counted, and their lines tell them apart.
pub(super) const LINES: [(&str, &[Edit]); 4] = [
    (
        "silver/unaccepted.sql",
        &[(
            "    \"offset\",\n    received_at,\n    value,\n\n    ---------- the event that it describes\n",
            "    \"offset\",\n    line,\n    received_at,\n    value,\n\n    ---------- the event that it describes\n",
        )],
    ),
    (
        "silver/quarantine.sql",
        &[
            (
                "-- Key: topic, partition, offset.",
                "-- Key: topic, partition, offset, line.",
            ),
            (
                "    \"offset\",\n    received_at,\n\n    ---------- what is wrong",
                "    \"offset\",\n    line,\n    received_at,\n\n    ---------- what is wrong",
            ),
        ],
    ),
    (
        "silver/reconciliation.sql",
        &[
            (
                "-- silver.reconciliation: one row per batch of records: what became of them.\n",
                "-- silver.reconciliation: one row per batch of records: what became of them. A record that is several rows of\n\
                 -- silver.clicks counts once for each.\n",
            ),
            (
                "        timestamp as received_at\n    from changes('bronze.clicks')\n",
                "        received_at\n    from silver.clicks\n",
            ),
        ],
    ),
    (
        "tests/silver_quarantine.yaml",
        &[
            (
                "      changes('bronze.clicks'):
        - { topic: clicks, partition: 0, offset: 1, timestamp: 2025-07-13T12:00:00Z }
        - { topic: clicks, partition: 0, offset: 2, timestamp: 2025-07-13T12:00:00Z }
        - { topic: clicks, partition: 0, offset: 3, timestamp: 2025-07-13T12:00:00Z }
        - { topic: clicks, partition: 0, offset: 4, timestamp: 1970-01-21T12:00:00Z }
        - { topic: clicks, partition: 0, offset: 5 }
        - { topic: clicks, partition: 0, offset: 6, timestamp: 2100-01-01T00:00:00Z }
",
                "",
            ),
            (
                "        - { <<: *again, offset: 4, item_id: p2 }
        - { <<: *again, offset: 5, reason: item_id is missing }
        - { <<: *again, offset: 6, reason: item_id is missing }
",
                "        - { <<: *again, offset: 4, received_at: 1970-01-21T12:00:00Z, item_id: p2 }
        - { <<: *again, offset: 5, reason: item_id is missing }
        - { <<: *again, offset: 6, received_at: 2100-01-01T00:00:00Z, reason: item_id is missing }
",
            ),
        ],
    ),
];

/// `pipelines.yaml` with these sources, and a catalog of the project's own.
pub(super) fn pipelines(sources: &[LocatedSource], shipped: &Shipped) -> String {
    let sources = sources
        .iter()
        .map(|source| format!("  {}:\n    {}\n", source.name, source.settings));
    let with_sources = shipped.pipelines.replacen(SOURCE, &sources.collect::<String>(), 1);
    with_sources.replacen(SAMPLE_CATALOG, &format!("path: {}", EMPTY_CATALOG.0), 1)
}

/// The catalog: a header alone.
pub(super) fn catalog() -> (String, String) {
    let (file, header) = EMPTY_CATALOG;
    (file.to_owned(), header.to_owned())
}

/// `sql/bronze/clicks.sql`, if there are several sources.
pub(super) fn bronze(sources: &[LocatedSource], shipped: &Shipped) -> Option<(String, String)> {
    let (_, others) = sources.split_first()?;
    let sql = (shipped.sql)("bronze/clicks.sql");
    let (comments, select) = sql.split_at(sql.find("select").unwrap_or_default());
    let more = others.iter().map(|source| {
        let of_source = select.replace("changes('clicks')", &format!("changes('{}')", source.name));
        format!("\nunion all\n\n{of_source}")
    });
    let more: String = more.collect();
    (!more.is_empty()).then(|| ("sql/bronze/clicks.sql".to_owned(), format!("{comments}{select}{more}")))
}

/// The files in which rows of a record are told apart.
pub(super) fn for_lines(shipped: &Shipped) -> Files {
    let files = LINES.iter().map(|(file, edits)| {
        let text = edits.iter().fold((shipped.sql)(file).to_owned(), |text, (from, to)| {
            text.replacen(from, to, 1)
        });
        (format!("sql/{file}"), text)
    });
    files.collect()
}
