//! The scores as one object, for programs.

use serde_json::{Map, Value, json};

use crate::fit::verdicts;
use crate::score::{After, Group, Scored, Scores, after, before, groups, holds, percent};

/// Rows, groups, verdicts and what was not scored.
pub(crate) fn object(scores: &Scores) -> Value {
    let groups: Vec<Value> = groups(&scores.scored)
        .iter()
        .map(|((file, metric), rows)| {
            json!({
                "file": file,
                "metric": metric.name(),
                "uncalibrated": group(Group::of(&before(rows))),
                "after_probes": group(Group::of(&after(rows))),
            })
        })
        .collect();
    let fit: Vec<Value> = verdicts(&scores.scored)
        .iter()
        .map(|(size, said)| {
            json!({
                "capacity_over_need": size,
                "fits": said.fits,
                "uncertain": said.uncertain,
                "does_not_fit": said.does_not,
            })
        })
        .collect();
    let not_scored: Vec<Value> = scores
        .not_scored
        .iter()
        .map(|(row, reason)| json!({ "row": row.cells(), "reason": reason }))
        .collect();
    json!({
        "rows": scores.scored.iter().map(row).collect::<Vec<_>>(),
        "groups": groups,
        "verdicts": fit,
        "not_scored": not_scored,
    })
}

fn row(one: &Scored) -> Value {
    let mut object = Map::new();
    object.insert("row".to_owned(), json!(one.row.cells()));
    object.insert("metric".to_owned(), json!(one.metric.name()));
    object.insert("measured".to_owned(), json!(one.value));
    let estimate = |span: nearside_units::Span<f64>| {
        json!({
            "estimate": span.likely(),
            "low": span.low(),
            "high": span.high(),
            "error_percent": percent(span.likely(), one.value),
            "covered": holds(span, one.value),
        })
    };
    if let Value::Object(fields) = estimate(one.estimate) {
        object.extend(fields);
    }
    match one.after {
        After::Nothing => {}
        After::Probe => {
            object.insert("probe".to_owned(), json!(true));
        }
        After::Estimate(span) => {
            object.insert("after_probes".to_owned(), estimate(span));
        }
    }
    Value::Object(object)
}

fn group(group: Option<Group>) -> Value {
    group.map_or(Value::Null, |group| {
        json!({
            "rows": group.rows,
            "mean_error_percent": group.mean,
            "worst_error_percent": group.worst,
            "coverage": group.coverage,
            "median_width_percent": group.width,
        })
    })
}
