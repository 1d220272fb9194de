//! `\df`: the documentation of the functions.

use super::describe::rows;
use super::{Shell, ShellError};
use crate::config::nearest;
use crate::engine::{FunctionHelp, help};

impl Shell {
    /// Help for the function of this name; otherwise, lists the functions whose names contain the text, or all of them.
    pub(super) async fn functions(&mut self, text: Option<&str>) -> Result<(), ShellError> {
        let session = self.session().await?;
        let all = help(&session);
        let Some(text) = text.map(|text| text.trim_end_matches("()").to_lowercase()) else {
            return self.list(all.iter()).await;
        };
        let named: Vec<&FunctionHelp> = all.iter().filter(|help| help.name == text).collect();
        if !named.is_empty() {
            let pages: Vec<String> = named.into_iter().map(page).collect();
            return self.print_text(&pages.join("\n"));
        }
        let alike: Vec<&FunctionHelp> = all.iter().filter(|help| help.name.contains(&text)).collect();
        if alike.is_empty() {
            let help = match nearest(&text, all.iter().map(|help| help.name.as_str())) {
                Some(near) => format!("did you mean {near}? \\df lists all functions"),
                None => "\\df lists all functions".to_owned(),
            };
            return Err(ShellError::Command(format!(
                "there is no function {text}\n  help: {help}"
            )));
        }
        self.list(alike.into_iter()).await
    }

    async fn list(&mut self, functions: impl Iterator<Item = &FunctionHelp> + Clone) -> Result<(), ShellError> {
        let of = |text: fn(&FunctionHelp) -> String| functions.clone().map(|help| Some(text(help))).collect();
        let listed = rows([
            ("function", of(|help| help.name.clone())),
            ("kind", of(|help| help.kind.name().to_owned())),
            (
                "what it returns",
                of(|help| help.summary.lines().next().unwrap_or_default().to_owned()),
            ),
        ])?;
        self.print_rows(listed).await
    }
}

/// The full help for one function.
fn page(help: &FunctionHelp) -> String {
    let mut page = format!("{} ({})\n\n", help.name, help.kind.name());
    for syntax in &help.syntax {
        page.push_str(&format!("    {}\n", syntax.trim().replace('\n', "\n    ")));
    }
    if !help.summary.is_empty() {
        page.push_str(&format!("\n{}\n", help.summary));
    }
    let width = help
        .parameters
        .iter()
        .map(|parameter| parameter.name.chars().count())
        .max();
    if let Some(width) = width {
        page.push('\n');
        for parameter in &help.parameters {
            page.push_str(&format!("  {:<width$}  {}\n", parameter.name, parameter.doc));
        }
    }
    if let Some(example) = &help.example {
        page.push_str(&format!("\n{example}\n"));
    }
    page
}
