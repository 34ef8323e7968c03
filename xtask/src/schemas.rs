//! The JSON schemas under `schemas/`, which the program itself generates.
//!
//! `cargo xtask schemas` writes them, `cargo xtask check` fails when one is out of date.

use std::fs;

use crate::shell::{self, Outcome};

/// A schema and how the program prints it.
pub(crate) struct Schema {
    /// The file, below the root of the checkout.
    file: &'static str,
    /// Arguments of `nearside`.
    arguments: &'static [&'static str],
}

/// Every schema; one row each.
pub(crate) fn listed() -> &'static [Schema] {
    &[
        Schema { file: "schemas/project.schema.json", arguments: &["config", "schema", "project"] },
        Schema { file: "schemas/plan.schema.json", arguments: &["config", "schema", "plan"] },
        Schema { file: "schemas/fit.schema.json", arguments: &["config", "schema", "fit"] },
        Schema {
            file: "schemas/fit-list.schema.json",
            arguments: &["config", "schema", "fit-list"],
        },
        Schema { file: "schemas/run.schema.json", arguments: &["config", "schema", "run"] },
        Schema { file: "schemas/why.schema.json", arguments: &["config", "schema", "why"] },
        Schema {
            file: "schemas/ledger-list.schema.json",
            arguments: &["config", "schema", "ledger-list"],
        },
        Schema {
            file: "schemas/ledger-show.schema.json",
            arguments: &["config", "schema", "ledger-show"],
        },
        Schema {
            file: "schemas/ledger-accuracy.schema.json",
            arguments: &["config", "schema", "ledger-accuracy"],
        },
        Schema {
            file: "schemas/ledger-verify.schema.json",
            arguments: &["config", "schema", "ledger-verify"],
        },
        Schema { file: "schemas/doctor.schema.json", arguments: &["config", "schema", "doctor"] },
        Schema { file: "schemas/config.schema.json", arguments: &["config", "schema", "config"] },
        Schema {
            file: "schemas/catalog-list.schema.json",
            arguments: &["config", "schema", "catalog-list"],
        },
        Schema {
            file: "schemas/catalog-check.schema.json",
            arguments: &["config", "schema", "catalog-check"],
        },
    ]
}

/// Writes every schema anew.
pub(crate) fn write() -> Outcome {
    for schema in listed() {
        let text = generate(schema)?;
        let path = shell::root().join(schema.file);
        let folder = path.parent().unwrap_or_else(|| shell::root());
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", schema.file))?;
        println!("wrote {}", schema.file);
    }
    println!("{} schemas are up to date", listed().len());
    Ok(())
}

/// Compares every schema with what the program prints now.
pub(crate) fn compare() -> Outcome {
    for schema in listed() {
        let stored = fs::read_to_string(shell::root().join(schema.file))
            .map_err(|error| format!("cannot read {}: {error}", schema.file))?;
        if let Some(difference) = difference(&stored, &generate(schema)?) {
            let file = schema.file;
            return Err(format!("{file} is out of date: {difference}\nhint: cargo xtask schemas"));
        }
    }
    Ok(())
}

fn generate(schema: &Schema) -> Outcome<String> {
    let arguments = ["run", "--quiet", "--package", "nearside", "--locked", "--"];
    shell::output(shell::program("cargo").args(arguments).args(schema.arguments))
}

/// The first line in which two texts differ.
fn difference(stored: &str, generated: &str) -> Option<String> {
    if stored == generated {
        return None;
    }
    let same = stored.lines().zip(generated.lines()).take_while(|(old, new)| old == new).count();
    let show = |text: &str| text.lines().nth(same).map_or("(the end)".to_owned(), str::to_owned);
    Some(format!("line {}: {:?} is now {:?}", same + 1, show(stored), show(generated)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let check = |old, new, expect: Option<&str>| {
            assert_eq!(difference(old, new).as_deref(), expect, "{old:?} {new:?}");
        };
        check("a\nb\n", "a\nb\n", None);
        check("a\nb\n", "a\nc\n", Some("line 2: \"b\" is now \"c\""));
        check("a\n", "a\nb\n", Some("line 2: \"(the end)\" is now \"b\""));
    }
}
