//! Where `copy … to` writes, and in which format: its target says it as the names of files do that are read.

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::sql::parser::CopyToStatement;
use datafusion::sql::sqlparser::ast::Value;

use super::format::{self, Format};
use super::paths;
use crate::sources::is_pattern;

/// Adds the format and its options that the target's name says, unless `stored as` says the format.
///
/// # Errors
/// When nothing says the format, or the target is a pattern.
pub fn complete_target(copy: &mut CopyToStatement) -> Result<()> {
    if is_pattern(&copy.target) {
        return plan_err!("`copy` writes one file or folder, but `{}` is a pattern", copy.target);
    }
    copy.target = paths::expanded(&copy.target);
    if copy.stored_as.is_some() {
        return Ok(());
    }
    let Some((format, options)) = Format::of_path(&copy.target) else {
        return Err(format::unknown(
            &copy.target,
            "name the format: copy … to '…' stored as csv",
        ));
    };
    copy.stored_as = Some(format.name().to_owned());
    let of_name = options.into_iter();
    let of_name = of_name.map(|(name, value)| (format!("format.{name}"), Value::SingleQuotedString(value)));
    // The last value of an option counts.
    copy.options = of_name.chain(std::mem::take(&mut copy.options)).collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use datafusion::sql::parser::{DFParser, Statement};

    use super::*;

    fn completed(sql: &str) -> Result<String> {
        let Some(Statement::CopyTo(mut copy)) = DFParser::parse_sql(sql).unwrap().pop_front() else {
            panic!("{sql} is not a copy");
        };
        complete_target(&mut copy)?;
        Ok(copy.to_string())
    }

    #[test]
    fn the_name_of_a_target_says_its_format() {
        assert_eq!(
            completed("copy (select 1) to 'x.tsv.gz'").unwrap(),
            "COPY (SELECT 1) TO x.tsv.gz STORED AS csv OPTIONS ('format.compression' 'gz', 'format.delimiter' '\t')"
        );
        assert_eq!(
            completed("copy t to 'out' stored as parquet").unwrap(),
            "COPY t TO out STORED AS PARQUET"
        );
        for (target, reason) in [
            ("x.txt", "stored as csv"),
            ("out/", "stored as csv"),
            ("x*.csv", "pattern"),
        ] {
            let error = completed(&format!("copy t to '{target}'")).unwrap_err().to_string();
            assert!(error.contains(reason), "{target}: {error}");
        }
    }
}
