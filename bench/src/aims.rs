//! What was aimed at, beside what kept results say.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::results::Results;
use crate::table::number;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The aims, as docs/aims.toml has them.
    file: PathBuf,
}

/// A file of aims.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aims {
    aim: Vec<Aim>,
}

/// What a figure is to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aim {
    /// In words.
    what: String,
    /// Which figure.
    figure: Place,
    /// What it is divided by, if it is to be so many times another one.
    by: Option<Place>,
    /// Of what: shown after both numbers.
    #[serde(default)]
    unit: String,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// A figure in a file of results.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The file, from where the aims lie.
    file: PathBuf,
    /// Its name there.
    name: String,
    /// Whether it is its share of what binds it that counts.
    #[serde(default)]
    share: bool,
}

/// Prints a table for a page.
///
/// # Errors
/// When a file cannot be read, or has no such figure.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&args.file);
    let text = text.with_context(|| format!("cannot read {}", args.file.display()))?;
    let named = || format!("cannot use {}", args.file.display());
    let aims: Aims = toml::from_str(&text).with_context(named)?;
    print!("{}", table(&aims, args.file.parent().unwrap_or(Path::new("."))).with_context(named)?);
    Ok(())
}

fn table(aims: &Aims, folder: &Path) -> anyhow::Result<String> {
    let mut text = String::from("| what | aim | measured | |\n|---|--:|--:|---|\n");
    for Aim { what, figure, by, unit, at_least, at_most } in &aims.aim {
        let mut value = figure.read(folder)?;
        if let Some(by) = by {
            value /= by.read(folder)?;
        }
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let (aim, is_reached) = match (at_least, at_most) {
            (Some(least), None) => (format!("at least {least}{unit}"), value >= *least),
            (None, Some(most)) => (format!("at most {most}{unit}"), value <= *most),
            _ => bail!("'{what}' is to have one of at_least and at_most"),
        };
        let reached = if is_reached { "reached" } else { "**not reached**" };
        text += &format!("| {what} | {aim} | {}{unit} | {reached} |\n", number(value));
    }
    Ok(text)
}

impl Place {
    fn read(&self, folder: &Path) -> anyhow::Result<f64> {
        let results = Results::read(&folder.join(&self.file))?;
        let figure = results.figures.iter().find(|figure| figure.name == self.name);
        let figure =
            figure.with_context(|| format!("{} has no figure '{}'", self.file.display(), self.name))?;
        if !self.share {
            return Ok(figure.spread.median);
        }
        let share = figure.share.as_ref();
        let share = share.with_context(|| format!("'{}' has nothing that binds it", self.name))?;
        Ok(share.spread.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::results;

    fn shown(aims: &str) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("a.json"), results(&[10.0, 11.0, 14.0]).to_json()?)?;
        table(&toml::from_str(aims)?, folder.path())
    }

    /// The name of the figure whose values those are.
    fn name() -> String {
        let results = results(&[10.0, 11.0, 14.0]);
        let figure = results.figures.iter().find(|figure| figure.spread.median == 11.0);
        figure.expect("the figure of these values").name.clone()
    }

    #[test]
    fn medians_are_held_against_aims() {
        let name = name();
        let aims = format!(
            "[[aim]]\nwhat = 'much'\nfigure = {{ file = 'a.json', name = '{name}' }}\nunit = '/s'\nat_least = 11\n\
             [[aim]]\nwhat = 'little'\nfigure = {{ file = 'a.json', name = '{name}' }}\nat_most = 10.5\n\
             [[aim]]\nwhat = 'the same'\nfigure = {{ file = 'a.json', name = '{name}' }}\n\
             by = {{ file = 'a.json', name = '{name}' }}\nat_most = 1\n"
        );
        let text = shown(&aims).unwrap();
        assert!(text.contains("| much | at least 11 /s | 11.0 /s | reached |"), "{text}");
        assert!(text.contains("| little | at most 10.5 | 11.0 | **not reached** |"), "{text}");
        assert!(text.contains("| the same | at most 1 | 1.00 | reached |"), "{text}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let missing = |aims: &str| format!("{:#}", shown(aims).unwrap_err());
        let figure = "[[aim]]\nwhat = 'x'\nfigure = { file = 'a.json', name = 'none' }\nat_most = 1\n";
        assert_eq!(missing(figure), "a.json has no figure 'none'");
        let file = "[[aim]]\nwhat = 'x'\nfigure = { file = 'b.json', name = 'none' }\nat_most = 1\n";
        assert!(
            missing(file).starts_with("cannot read ") && missing(file).contains("b.json"),
            "{}",
            missing(file)
        );
        let unbound = format!("[[aim]]\nwhat = 'x'\nfigure = {{ file = 'a.json', name = '{}' }}\n", name());
        assert_eq!(missing(&unbound), "'x' is to have one of at_least and at_most");
        let bound = "[[aim]]\nwhat = 'x'\nfigure = { file = 'a.json', name = 'none' }\nabout = 1\n";
        assert!(missing(bound).contains("unknown field `about`"), "{}", missing(bound));
    }
}
