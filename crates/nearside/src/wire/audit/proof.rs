//! A proof of an entry as JSON: the row cell by cell, the hashes beside its way to the root, and the signed
//! head.

use nearside_ledger::{CellValue, HeadRow, Record, merkle};
use nearside_policy::Hash;
use serde_json::{Value, json};

/// What a proof is called.
const FORM: &str = "nearside/inclusion-proof/1";

/// A proof that was read.
pub(super) struct Proof {
    pub(super) record: Record,
    pub(super) path: Vec<merkle::Hash>,
    pub(super) note: String,
    pub(super) key: Hash,
}

pub(super) fn write(record: &Record, path: &[merkle::Hash], head: &HeadRow) -> Value {
    let cell = |(column, value): &(String, CellValue)| {
        let (kind, text) = match value {
            CellValue::Integer(number) => ("integer", number.to_string()),
            // The bits, so that every reader gets the same number.
            CellValue::Real(number) => ("real", format!("{:016x}", number.to_bits())),
            CellValue::Text(text) => ("text", text.clone()),
        };
        json!({"column": column, "kind": kind, "value": text})
    };
    json!({
        "schema": FORM,
        "entry": record.number,
        "table": record.table,
        "cells": record.cells.iter().map(cell).collect::<Vec<_>>(),
        "path": path.iter().map(|hash| Hash(*hash).to_string()).collect::<Vec<_>>(),
        "public_key": head.public_key,
        "head": head.note,
    })
}

pub(super) fn read(text: &str) -> Result<Proof, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no proof: {error}"))?;
    let missing = |what: &str| format!("no proof: it has no {what}");
    if value["schema"] != FORM {
        return Err(format!("no proof: it is no {FORM}"));
    }
    let text = |value: &Value, what: &str| {
        value[what].as_str().map(str::to_owned).ok_or_else(|| missing(what))
    };
    let list = |what: &str| value[what].as_array().ok_or_else(|| missing(what));
    let hash = |text: &str| text.parse::<Hash>().map_err(|_none| missing("hash"));
    let cell = |cell: &Value| {
        let stated = text(cell, "value")?;
        let damaged = || missing("number in a cell");
        let held = match text(cell, "kind")?.as_str() {
            "integer" => CellValue::Integer(stated.parse().map_err(|_none| damaged())?),
            "real" => {
                let bits = u64::from_str_radix(&stated, 16).map_err(|_none| damaged())?;
                CellValue::Real(f64::from_bits(bits))
            }
            "text" => CellValue::Text(stated),
            _ => return Err(missing("kind of cell")),
        };
        Ok((text(cell, "column")?, held))
    };
    let path =
        list("path")?.iter().map(|one| hash(one.as_str().unwrap_or_default()).map(|it| it.0));
    Ok(Proof {
        record: Record {
            number: value["entry"].as_u64().ok_or_else(|| missing("entry"))?,
            table: text(&value, "table")?,
            cells: list("cells")?.iter().map(cell).collect::<Result<_, String>>()?,
        },
        path: path.collect::<Result<_, _>>()?,
        note: text(&value, "head")?,
        key: hash(&text(&value, "public_key")?)?,
    })
}

/// A cell for people.
pub(super) fn shown(value: &CellValue) -> String {
    match value {
        CellValue::Integer(number) => number.to_string(),
        CellValue::Real(number) => number.to_string(),
        CellValue::Text(text) => text.clone(),
    }
}
