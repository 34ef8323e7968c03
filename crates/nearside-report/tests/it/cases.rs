//! What documents are made of in these tests.

use nearside_economics::{Case, Given, Input, Roi};
use nearside_report::Findings;
use nearside_units::{Basis, Currency, Span};

/// Low, likely and high of an input.
pub(crate) type Stated = (&'static str, (f64, f64, f64));

pub(crate) const fn exact(name: &'static str, value: f64) -> Stated {
    (name, (value, value, value))
}

fn given(values: &[Stated]) -> Given {
    let input = |&(name, (low, likely, high)): &Stated| {
        let basis =
            Basis::published("a price list, page 3", Some("2026-07".parse().expect("a date")));
        let span = Span::new(low, likely, high).expect("low to high");
        (name, Input { span, basis })
    };
    values.iter().map(input).collect()
}

/// A case that tests change.
#[derive(Clone)]
pub(crate) struct Stating {
    pub(crate) near: Vec<Stated>,
    pub(crate) far: Vec<(String, Vec<Stated>)>,
}

impl Stating {
    pub(crate) fn findings(&self) -> Findings {
        let far = self.far.iter().map(|(name, values)| (name.as_str().into(), given(values)));
        let case = Case { near: given(&self.near), far: far.collect() };
        Findings {
            roi: Roi::of(&case).expect("all is stated"),
            title: "a test".to_owned(),
            currency: Currency::EUR,
            date: "2026-11-20".parse().expect("a date"),
            warnings: vec!["The price of electricity is a guess.".to_owned()],
            drawn: Vec::new(),
        }
    }

    /// The same with some inputs at other values, their ends as before.
    pub(crate) fn with(&self, edits: &[(&str, f64)]) -> Self {
        let mut changed = self.clone();
        for (name, value) in edits {
            let (of, bare) = match name.strip_prefix("far").and_then(|rest| rest.split_once('_')) {
                Some((number, bare)) => {
                    let number: usize = number.parse().expect("a number");
                    (&mut changed.far[number - 1].1, bare)
                }
                None => (&mut changed.near, *name),
            };
            let found = of.iter_mut().find(|(other, _)| *other == bare);
            found.expect("it is stated").1.1 = *value;
        }
        changed
    }
}

/// The workstation of published comparisons against an hour, a year and a machine that may be taken away;
/// nearly all inputs have wide ranges, so that each can be put anywhere.
pub(crate) fn base() -> Stating {
    let near = vec![
        ("machine_price", (0.0, 3500.0, 1e6)),
        ("life", (1.0, 4.0, 10.0)),
        ("yearly_loss", (0.0, 0.4, 1.0)),
        ("discount_rate", (0.0, 0.08, 1.0)),
        ("tax_rate", (0.0, 0.0, 0.9)),
        ("depreciation", (1.0, 1.0, 5.0)),
        ("financed", (0.0, 0.0, 1.0)),
        ("loan_rate", (0.0, 0.07, 1.0)),
        ("loan_years", (1.0, 3.0, 10.0)),
        ("hours", (0.0, 240.0, 2000.0)),
        ("load", (0.0, 550.0, 1000.0)),
        ("idle", (0.0, 100.0, 200.0)),
        ("tariff", (0.0, 0.15, 10.0)),
        ("tariff_change", (-0.5, 0.02, 1.0)),
        ("maintenance", (0.0, 0.05, 1.0)),
        exact("staff_hours", 1.0),
        exact("room", 3.5),
        exact("people", 3.0),
        exact("waits", 2.0),
        exact("wait_there", 4.0),
        exact("intensity", 380.0),
        exact("embodied", 300.0),
    ];
    let far = vec![
        (
            "by the hour".to_owned(),
            vec![
                ("price", (0.0, 1.006, 100.0)),
                ("price_change", (-0.9, -0.1, 1.0)),
                exact("power", 350.0),
                exact("pue", 1.2),
                exact("intensity", 120.0),
                exact("embodied_hour", 20.0),
            ],
        ),
        (
            "a year".to_owned(),
            vec![
                exact("price", 1.006),
                exact("discount", 0.47),
                ("committed", (0.0, 730.0, 730.0)),
            ],
        ),
        (
            "may be taken away".to_owned(),
            vec![
                exact("price", 0.35),
                ("interruptions", (0.0, 0.1, 60.0)),
                ("checkpoint", (0.5, 3.0, 10.0)),
                exact("speed", 1.15),
                exact("storage", 500.0),
                exact("storage_price", 0.023),
                exact("egress", 90.0),
                exact("egress_price", 0.09),
                exact("forgotten", 12.0),
                exact("support", 0.03),
                exact("fee", 5.0),
            ],
        ),
    ];
    Stating { near, far }
}

/// Names that would do something if they were not text.
pub(crate) fn hostile() -> Stating {
    let names = [
        "=HYPERLINK(\"http://example.org\",\"x\")".to_owned(),
        "+1+1".to_owned(),
        "-2+3".to_owned(),
        "@SUM(A1)".to_owned(),
        "a \"quoted\" & <b>'s</b> ]]> {x}".to_owned(),
        "\u{0}\u{1}\u{7}b\u{1b}[31m\u{202e}c\u{ffff}".to_owned(),
        "x".repeat(300),
        "same".to_owned(),
        "same".to_owned(),
        String::new(),
        "[Book.xlsx]Sheet!A1 :?*/\\".to_owned(),
    ];
    let one = vec![exact("price", 1.0)];
    Stating { near: base().near, far: names.map(|name| (name, one.clone())).to_vec() }
}
