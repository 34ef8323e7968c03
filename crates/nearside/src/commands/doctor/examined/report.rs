//! What is wrong as Markdown to paste into a question or a ticket: nothing in it says who asks.

use std::fmt::Write as _;

use nearside_units::{Bytes, Date};

use super::{Examined, StatusView};
use crate::commands::doctor::view::MachineView;
use crate::redact::Redaction;
use crate::view::Figure;

pub(in super::super) fn of(examined: &Examined, machine: &MachineView, today: Date) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("### nearside {version} doctor, {today}\n\n| | |\n|---|---|\n");
    for (name, value) in facts(machine) {
        let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
    }
    if let Figure::Value(torch) = &examined.torch {
        let _ = writeln!(text, "| PyTorch that fits | {} |", torch.build);
    }
    let checks = || examined.sections.iter().flat_map(|section| &section.checks);
    let problems = checks().filter(|check| check.status.is_problem());
    for check in problems {
        let _ =
            writeln!(text, "\n**{}** `{}`: {}\n", check.status.word(), check.id, check.headline());
        for evidence in &check.evidence {
            let _ = writeln!(text, "- seen: `{}`", evidence.replace('`', "'"));
        }
        let _ = writeln!(text, "- rule: {}", check.rule);
        if !check.fix.is_empty() {
            let _ = writeln!(text, "\n```sh\n{}\n```", check.fix.join("\n"));
        }
    }
    let count = |status| checks().filter(|check| check.status == status).count();
    let _ = writeln!(
        text,
        "\n{} ok, {} warnings, {} faults, {} unknown",
        count(StatusView::Ok),
        count(StatusView::Warning),
        count(StatusView::Fault),
        count(StatusView::Unknown)
    );
    for check in checks().filter(|check| check.status == StatusView::Unknown) {
        let _ = writeln!(text, "- unknown: `{}`: {}", check.id, check.headline());
    }
    Redaction::of(&examined.identity).applied(&text)
}

fn facts(machine: &MachineView) -> Vec<(&'static str, String)> {
    fn shown<T>(figure: &Figure<T>, text: impl FnOnce(&T) -> String) -> String {
        match figure {
            Figure::Value(value) => text(value),
            Figure::Unknown { .. } => "unknown".to_owned(),
        }
    }
    let mut rows = vec![
        ("system", shown(&machine.operating_system, Clone::clone)),
        ("kernel", shown(&machine.kernel, Clone::clone)),
        ("processor", shown(&machine.processor, Clone::clone)),
        ("memory", shown(&machine.memory_bytes, |bytes| Bytes::new(*bytes).to_string())),
    ];
    rows.extend(machine.accelerators.iter().map(|found| {
        let driver = shown(&found.driver, Clone::clone);
        ("accelerator", format!("{}, driver {driver}", shown(&found.name, Clone::clone)))
    }));
    rows
}
