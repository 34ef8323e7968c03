//! Checks as text: a line for a healthy section; evidence, rule and commands for what is wrong.

use std::fmt::Write as _;

use super::{CheckView, SectionView, StatusView, TorchView};
use crate::output::Detail;
use crate::view::Figure;

/// Columns of the name of a section.
const NAME: usize = 20;

pub(in super::super) fn of(
    sections: &[SectionView],
    torch: &Figure<TorchView>,
    detail: Detail,
) -> String {
    let mut text = String::new();
    for section in sections {
        let _ = writeln!(text, "{:NAME$} {}", section.section, summary(section));
        let shown = section
            .checks
            .iter()
            .filter(|check| check.status.is_problem() || detail == Detail::Explained);
        for check in shown {
            text.push_str(&one(check));
        }
    }
    text.push_str(&build(torch, detail));
    text.trim_end().to_owned()
}

/// `2 faults, 1 warning`, or `ok`, with how many checks that is and how many could not be made.
fn summary(section: &SectionView) -> String {
    let count = |status| section.checks.iter().filter(|check| check.status == status).count();
    let [faults, warnings, unknown, ok] =
        [StatusView::Fault, StatusView::Warning, StatusView::Unknown, StatusView::Ok].map(count);
    let plural = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    };
    let problems = [plural(faults, "FAULT"), plural(warnings, "WARNING")];
    let problems = problems.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let unknown = if unknown == 0 { String::new() } else { format!(", {unknown} unknown") };
    match (problems.as_str(), ok) {
        ("", 0) if unknown.is_empty() => "nothing to check".to_owned(),
        ("", 0) => unknown.trim_start_matches(", ").to_owned(),
        ("", ok) => format!("ok ({ok} checks{unknown})").replace("(1 checks", "(1 check"),
        (problems, _) => format!("{problems}{unknown}"),
    }
}

fn one(check: &CheckView) -> String {
    let mut text = format!("  {}  {}  [{}]\n", check.status.word(), check.headline(), check.id);
    for evidence in &check.evidence {
        let _ = writeln!(text, "    seen  {evidence}");
    }
    if check.status.is_problem() {
        let _ = writeln!(text, "    rule  {}", check.rule);
        let _ = writeln!(text, "          ({})", check.source);
        for fix in &check.fix {
            let _ = writeln!(text, "    fix   {fix}");
        }
    }
    text
}

/// Which build of PyTorch fits; nothing where no device is that it could be for.
fn build(torch: &Figure<TorchView>, detail: Detail) -> String {
    let Figure::Value(torch) = torch else { return String::new() };
    let mut text =
        format!("\nPyTorch that fits: {}\n  {}\n  {}\n", torch.build, torch.pip, torch.uv);
    if detail == Detail::Explained {
        if let Some(floor) = &torch.driver_floor {
            let _ = writeln!(text, "  needs driver {floor} or newer");
        }
        for refused in &torch.refused {
            let _ = writeln!(text, "  not {refused}");
        }
        let _ = writeln!(text, "  source: {}", torch.source);
    }
    text
}
