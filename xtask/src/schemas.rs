//! The JSON schemas under `schemas/`, which the program itself generates.
//!
//! `cargo xtask schemas` writes them, `cargo xtask check` fails when one is out of date.

use std::fs;

use crate::shell::{self, Outcome};

/// A schema, by the name that the program knows it by.
pub(crate) struct Schema(&'static str);

impl Schema {
    /// The file, below the root of the checkout.
    fn file(&self) -> String {
        format!("schemas/{}.schema.json", self.0)
    }
}

/// Every schema; one name each.
pub(crate) fn listed() -> &'static [Schema] {
    &[
        Schema("project"),
        Schema("plan"),
        Schema("fit"),
        Schema("fit-list"),
        Schema("run"),
        Schema("why"),
        Schema("profile"),
        Schema("iteration"),
        Schema("spec"),
        Schema("spec-classes"),
        Schema("resilience"),
        Schema("unknown"),
        Schema("roi"),
        Schema("roi-inputs"),
        Schema("roi-cases"),
        Schema("carbon"),
        Schema("bill"),
        Schema("cache"),
        Schema("cache-reseal"),
        Schema("logs"),
        Schema("privacy-anonymize"),
        Schema("privacy-reveal"),
        Schema("privacy-erase"),
        Schema("privacy-audit-verify"),
        Schema("privacy-audit-head"),
        Schema("privacy-audit-list"),
        Schema("privacy-audit-check"),
        Schema("privacy-audit-document"),
        Schema("ledger-list"),
        Schema("ledger-show"),
        Schema("ledger-accuracy"),
        Schema("ledger-verify"),
        Schema("privacy-certify"),
        Schema("privacy-verify"),
        Schema("privacy-certificates"),
        Schema("doctor"),
        Schema("doctor-emit"),
        Schema("doctor-compare"),
        Schema("doctor-power"),
        Schema("runbook"),
        Schema("privacy-anonymize-table"),
        Schema("privacy-risk"),
        Schema("privacy-account"),
        Schema("privacy-release"),
        Schema("privacy-scan"),
        Schema("config"),
        Schema("catalog-list"),
        Schema("catalog-check"),
        Schema("catalog-refresh"),
        Schema("model-pull"),
        Schema("model-list"),
        Schema("model-inspect"),
        Schema("model-generate"),
        Schema("model-chat"),
        Schema("model-serve"),
        Schema("model-bench"),
        Schema("model-bench-elsewhere"),
        Schema("model-engines"),
        Schema("model-parity"),
        Schema("model-quantize"),
        Schema("model-train"),
    ]
}

/// Writes every schema anew.
pub(crate) fn write() -> Outcome {
    for schema in listed() {
        let (text, file) = (generate(schema)?, schema.file());
        let path = shell::root().join(&file);
        let folder = path.parent().unwrap_or_else(|| shell::root());
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("cannot write {file}: {error}"))?;
        println!("wrote {file}");
    }
    println!("{} schemas are up to date", listed().len());
    Ok(())
}

/// Compares every schema with what the program prints now.
pub(crate) fn compare() -> Outcome {
    for schema in listed() {
        let file = schema.file();
        let stored = fs::read_to_string(shell::root().join(&file))
            .map_err(|error| format!("cannot read {file}: {error}"))?;
        if let Some(difference) = difference(&stored, &generate(schema)?) {
            return Err(format!("{file} is out of date: {difference}\nhint: cargo xtask schemas"));
        }
    }
    Ok(())
}

fn generate(schema: &Schema) -> Outcome<String> {
    let arguments = ["run", "--quiet", "--package", "nearside", "--locked", "--"];
    let asked = ["config", "schema", schema.0];
    shell::output(shell::program("cargo").args(arguments).args(asked))
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
