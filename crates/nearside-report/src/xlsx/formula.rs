//! A formula of a calculation as text that Excel and LibreOffice compute by the same rules.
//!
//! In a spreadsheet `a^b^c` is `(a^b)^c` and `-2^2` is 4, so that whatever is not plain is put into brackets, and
//! so is each right-hand side of equal rank: numbers are then added up in the same order as in the calculation.
//! `MIN` and `MAX` pass over empty cells, where everything else takes them for 0: `N` makes them 0 there too.

use nearside_economics::{Formula, Id, Operator};

/// Where cells are found.
pub(super) trait Addresses {
    /// How a formula names a cell.
    fn cell(&self, id: Id) -> String;
    /// How it names several that stand side by side, where they do.
    fn range(&self, ids: &[Id]) -> Option<String>;
}

/// The formula, without the sign of equality before it.
pub(super) fn text(formula: &Formula, addresses: &impl Addresses) -> String {
    let of = |part: &Formula| text(part, addresses);
    match formula {
        Formula::Number(number) => literal(*number),
        Formula::Cell(id) => addresses.cell(*id),
        Formula::Nothing(word) => quoted(word),
        Formula::Binary(Operator::Least, parts) => extreme("MIN", parts, addresses),
        Formula::Binary(Operator::Most, parts) => extreme("MAX", parts, addresses),
        Formula::Binary(operator, parts) => {
            let (sign, rank) = infix(*operator);
            // A power of a power is bracketed on both sides, for those who read it.
            let left = bracketed(&parts[0], addresses, if rank == 3 { 3 } else { rank - 1 });
            format!("{left}{sign}{}", bracketed(&parts[1], addresses, rank))
        }
        Formula::When(choice) => format!(
            "IF({}<={},{},{})",
            of(&choice.left),
            of(&choice.right),
            of(&choice.then),
            of(&choice.otherwise)
        ),
        Formula::Pick(which, of_these) => {
            let these: Vec<String> = of_these.iter().map(of).collect();
            format!("CHOOSE(ROUND({},0),{})", of(which), these.join(","))
        }
        Formula::Total(ids) => total(ids, addresses),
        Formula::RateOfReturn(ids, guess) => rate_of_return(ids, &of(guess), addresses),
    }
}

/// A number in the fewest digits that come back as the same number; below zero never bare.
pub(super) fn literal(number: f64) -> String {
    let size = number.abs();
    match size == 0.0 || (1e-5..1e15).contains(&size) {
        true => format!("{number}"),
        false => format!("{number:E}"),
    }
}

/// A word as a formula holds it.
pub(super) fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// How an operator is written between its two sides, and how tightly it binds.
const fn infix(operator: Operator) -> (&'static str, u8) {
    match operator {
        Operator::Plus => ("+", 1),
        Operator::Minus => ("-", 1),
        Operator::Times => ("*", 2),
        Operator::Over => ("/", 2),
        Operator::Power => ("^", 3),
        // Written as functions.
        Operator::Least | Operator::Most => ("", RANK_OF_ONE),
    }
}

/// Of what needs no brackets anywhere.
const RANK_OF_ONE: u8 = 4;

/// A part of a formula, in brackets if it binds no tighter than this.
fn bracketed(part: &Formula, addresses: &impl Addresses, rank: u8) -> String {
    let own = match part {
        Formula::Binary(operator, _) => infix(*operator).1,
        Formula::Number(number) if number.is_sign_negative() => 0,
        _ => RANK_OF_ONE,
    };
    let text = text(part, addresses);
    if own <= rank { format!("({text})") } else { text }
}

fn extreme(function: &str, parts: &[Formula; 2], addresses: &impl Addresses) -> String {
    let part = |part: &Formula| match part {
        Formula::Cell(_) => format!("N({})", text(part, addresses)),
        _ => text(part, addresses),
    };
    format!("{function}({},{})", part(&parts[0]), part(&parts[1]))
}

fn total(ids: &[Id], addresses: &impl Addresses) -> String {
    match (ids, addresses.range(ids)) {
        ([], _) => "0".to_owned(),
        (_, Some(range)) => format!("SUM({range})"),
        (ids, None) => {
            let cells: Vec<String> = ids.iter().map(|id| addresses.cell(*id)).collect();
            format!("SUM({})", cells.join(","))
        }
    }
}

/// `IRR` looks for the rate from a guess on and may miss it: then from others. Where there is none at all
/// it says so in the words of the calculation.
fn rate_of_return(ids: &[Id], guess: &str, addresses: &impl Addresses) -> String {
    let Some(range) = addresses.range(ids) else { return quoted("no number") };
    let guesses = [guess, "0.1", "-0.5", "-0.9", "2", "20"];
    guesses.iter().rev().fold(quoted("no number"), |otherwise, guess| {
        format!("IFERROR(IRR({range},{guess}),{otherwise})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_economics::{Cell, Content, Group, Input, Sheet, Unit};
    use nearside_units::{Basis, Span};

    /// Two inputs with names, and a row of three cells.
    struct Row([Id; 3]);

    impl Addresses for Row {
        fn cell(&self, id: Id) -> String {
            ["a", "b", "C7"][self.0.iter().position(|other| *other == id).unwrap()].to_owned()
        }
        fn range(&self, ids: &[Id]) -> Option<String> {
            (ids == self.0.as_slice()).then(|| "B1:D1".to_owned())
        }
    }

    fn row() -> Row {
        let mut sheet = Sheet::default();
        Row([0, 1, 2].map(|place| {
            let input = Input { span: Span::exact(1.0), basis: Basis::assumed("a test") };
            let content = Content::Input(input);
            let (name, label) = (format!("cell{place}"), String::new());
            let (unit, group, year) = (Unit::Money, Group::Near, None);
            sheet.put(Cell { name, label, unit, group, year, content })
        }))
    }

    #[track_caller]
    fn check(formula: impl Fn([Id; 3]) -> Formula, expected: &str) {
        let row = row();
        assert_eq!(text(&formula(row.0), &row), expected);
    }

    #[test]
    fn brackets_stand_where_another_order_would_be_read() {
        check(|[a, b, c]| (a + b) * c, "(a+b)*C7");
        check(|[a, b, c]| a + b * c, "a+b*C7");
        check(|[a, b, c]| a - (b - c), "a-(b-C7)");
        check(|[a, b, c]| a - b - c, "a-b-C7");
        check(|[a, b, c]| a + (b + c), "a+(b+C7)");
        check(|[a, b, c]| a / (b * c), "a/(b*C7)");
        check(|[a, b, c]| a * b / c, "a*b/C7");
        check(|[a, b, _]| (a + b).power(2.0), "(a+b)^2");
        check(|[a, b, c]| Formula::from(a).power(b).power(c), "(a^b)^C7");
        check(|[a, b, c]| Formula::from(a).power(Formula::from(b).power(c)), "a^(b^C7)");
        check(|[a, ..]| Formula::Number(-2.0).power(a), "(-2)^a");
        check(|[a, ..]| Formula::from(a).power(-1.0), "a^(-1)");
        check(|[a, ..]| Formula::Number(0.0) - a, "0-a");
        check(|[a, ..]| a - -1.0, "a-(-1)");
    }

    #[test]
    fn functions_have_the_names_of_spreadsheets() {
        check(|[a, b, _]| Formula::from(a).least(b), "MIN(N(a),N(b))");
        check(|[a, b, _]| (a + b).most(1e-300), "MAX(a+b,1E-300)");
        check(|[a, b, c]| Formula::from(a).at_most(b, c, 0.5), "IF(a<=b,C7,0.5)");
        check(
            |[a, b, c]| Formula::Pick(Box::new(a.into()), vec![b.into(), c.into()]),
            "CHOOSE(ROUND(a,0),b,C7)",
        );
        check(|all| Formula::Total(all.to_vec()), "SUM(B1:D1)");
        check(|[a, _, c]| Formula::Total(vec![a, c]), "SUM(a,C7)");
        check(|_| Formula::Total(Vec::new()), "0");
        check(|_| Formula::Nothing("it is \"so\""), "\"it is \"\"so\"\"\"");
        let row = row();
        let rate = Formula::RateOfReturn(row.0.to_vec(), Box::new(row.0[0].into()));
        let written = text(&rate, &row);
        assert!(written.starts_with("IFERROR(IRR(B1:D1,a),IFERROR(IRR(B1:D1,0.1),"), "{written}");
        assert!(written.contains(",\"no number\")"), "{written}");
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        for number in [0.0, 1.0, 0.1, 1.0 / 3.0, 1e-300, 1e12, 1e15, 1.5e300, 4.9e-5, 730.0, -2.5] {
            let back: f64 = literal(number).parse().unwrap();
            assert_eq!(back.to_bits(), number.to_bits());
        }
        assert_eq!(literal(1e-300), "1E-300");
        assert_eq!(literal(0.000_02), "0.00002");
    }
}
