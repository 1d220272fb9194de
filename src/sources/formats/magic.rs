//! Files that begin with the mark of some format.

/// What tables begin with.
pub(super) const PARQUET: &[u8] = b"PAR1";
pub(super) const AVRO: &[u8] = b"Obj\x01";
pub(super) const ARROW_FILE: &[u8] = b"ARROW1";
pub(super) const ARROW_STREAM: &[u8] = b"\xff\xff\xff\xff";

/// What a file with this beginning is, and what to do about it.
const KNOWN: [(&[u8], &str); 9] = [
    (b"\xff\xfe", "UTF-16 text; convert it with: iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text; convert it with: iconv -f UTF-16 -t UTF-8"),
    (
        b"PK\x03\x04",
        "a zip archive; unpack it, or compress its contents with gzip, bzip2, xz or zstd instead",
    ),
    (
        b"\x04\x22\x4d\x18",
        "compressed with lz4; use gzip, bzip2, xz or zstd instead",
    ),
    (
        b"\xff\x06\x00\x00sNaPpY",
        "compressed with snappy; use gzip, bzip2, xz or zstd instead",
    ),
    (PARQUET, "a Parquet file"),
    (AVRO, "an Avro file"),
    (ARROW_FILE, "an Arrow file"),
    (b"FEA1", "a Feather file of version 1; write it as version 2"),
];

/// Describes a file with the mark of a known format.
pub(super) fn known(first: &[u8]) -> Option<&'static str> {
    let found = KNOWN.iter().find(|(mark, _)| first.starts_with(mark));
    found.map(|(_, what)| *what)
}

/// Describes a file that begins with none of these marks; it is `not` what it should be.
pub(super) fn other_than(marks: &[&[u8]], first: &[u8], not: &'static str) -> Option<&'static str> {
    let may_be = marks
        .iter()
        .any(|mark| first.starts_with(mark) || mark.starts_with(first));
    (!may_be).then(|| known(first).unwrap_or(not))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_what_a_file_is_as_far_as_it_is_there() {
        let marks = [PARQUET];
        for first in ["", "PA", "PAR1", "PAR1 and more"] {
            assert_eq!(other_than(&marks, first.as_bytes(), "no"), None, "{first}");
        }
        assert_eq!(other_than(&marks, b"{}", "no"), Some("no"));
        assert_eq!(other_than(&marks, b"Obj\x01", "no"), Some("an Avro file"));
        assert_eq!(known(b"PARENT,CHILD\n1,2\n"), None);
    }
}
