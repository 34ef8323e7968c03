//! Charts of the page, each with the same numbers as a table.

use nearside_economics::{Far, Id, Unit, Value};

use super::Seen;
use crate::chart::{Axis, Line, Lines, Shown, Stacks, Swung, Tornado};
use crate::figure::{bare, figure, short};
use crate::html::{Figure, Section};

/// Bars of a tornado.
const MOST_BARS: usize = 10;
/// Points of a frontier.
const POINTS: usize = 60;

pub(super) fn all(seen: &Seen<'_>) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |heading: &str, figures: Vec<Figure>| {
        if !figures.is_empty() {
            sections.push(Section::Heading(heading.to_owned()));
            sections.extend(figures.into_iter().map(Section::Figure));
        }
    };
    let some = !seen.findings.roi.far.is_empty();
    add("When has it paid for itself?", some.then(|| break_even(seen)).into_iter().collect());
    add("What does a month cost?", vec![monthly(seen)]);
    add("What matters most?", swings(seen));
    let chance = (!seen.findings.drawn.is_empty()).then(|| chance(seen));
    add("How sure is it?", chance.into_iter().collect());
    add("From which use on does owning cost less?", frontier(seen).into_iter().collect());
    sections
}

fn shown(id: &'static str, title: &str, description: &str) -> Shown {
    Shown { id, title: title.to_owned(), description: description.to_owned() }
}

/// Years in use, to which charts reach.
fn years(seen: &Seen<'_>) -> usize {
    seen.number(seen.findings.roi.near.life).clamp(1.0, 100.0) as usize
}

/// All cash so far, worth today, over the years.
fn break_even(seen: &Seen<'_>) -> Figure {
    let years = years(seen);
    let of = |far: &Far| -> Vec<(f64, f64)> {
        let so_far = far.so_far.iter().take(years + 1).enumerate();
        so_far.map(|(year, id)| (year as f64, seen.number(*id))).collect()
    };
    let lines: Vec<Line> = seen
        .findings
        .roi
        .far
        .iter()
        .zip(&seen.names)
        .enumerate()
        .map(|(style, (far, name))| Line {
            name: name.clone(),
            style,
            points: of(far),
            here: None,
            marked: 1,
        })
        .collect();
    let table = table("year", 0..=years, &lines, |year| format!("{year}"), Unit::Money);
    let chart = Lines {
        shown: shown(
            "worth",
            "All cash so far, worth today, by year",
            "One line for each alternative; where it crosses zero, the machine has paid for itself.",
        ),
        across: Axis { title: "years".to_owned(), holds: (0.0, years as f64) },
        up: Axis { title: format!("{} of today", seen.currency), holds: (0.0, 0.0) },
        lines,
    };
    Figure {
        svg: chart.svg(),
        caption:
            "All cash so far, worth today. Where a line crosses zero, the machine has paid for \
                  itself, interest included."
                .to_owned(),
        heads: table.0,
        rows: table.1,
    }
}

/// Heads and rows of a table over the points of lines, the first column being what they stand over.
fn table(
    first: &str,
    places: impl Iterator<Item = usize>,
    lines: &[Line],
    label: impl Fn(usize) -> String,
    unit: Unit,
) -> (Vec<String>, Vec<Vec<String>>) {
    let heads = std::iter::once(first.to_owned()).chain(lines.iter().map(|it| it.name.clone()));
    let cell = |line: &Line, place: usize| {
        let point = line.points.get(place);
        point.map_or_else(String::new, |(_, number)| bare(Value::Number(*number), unit))
    };
    let row = |place: usize| {
        std::iter::once(label(place)).chain(lines.iter().map(|line| cell(line, place))).collect()
    };
    (heads.collect(), places.map(row).collect())
}

/// Costs a month by part.
fn monthly(seen: &Seen<'_>) -> Figure {
    let roi = &seen.findings.roi;
    let near = &roi.near;
    let parts = [
        "Purchase spread over its life",
        "Electricity",
        "Maintenance",
        "Staff",
        "Rack and floor",
        "Network",
        "Hours",
        "Support",
        "Data kept",
        "Data fetched",
        "Fee",
    ];
    let spread = seen.number(near.month_full) - seen.number(near.month);
    let own = near.parts.iter().map(|id| seen.number(*id));
    let own: Vec<f64> = std::iter::once(spread).chain(own).collect();
    let mut bars = vec![("own machine".to_owned(), own)];
    for (far, name) in roi.far.iter().zip(&seen.names) {
        let paid = far.parts.iter().map(|id| seen.number(*id));
        bars.push((name.clone(), std::iter::repeat_n(0.0, 6).chain(paid).collect()));
    }
    let heads = std::iter::once(String::new()).chain(bars.iter().map(|(name, _)| name.clone()));
    let rows = parts.iter().enumerate().map(|(place, part)| {
        let cells = bars
            .iter()
            .map(|(_, parts)| parts.get(place).map_or_else(String::new, |it| short(*it)));
        std::iter::once((*part).to_owned()).chain(cells).collect()
    });
    let (heads, rows) = (heads.collect(), rows.collect());
    let chart = Stacks {
        shown: shown(
            "monthly",
            "Costs a month by part",
            "One bar for the own machine and one for each alternative, made of its parts.",
        ),
        parts: parts.map(str::to_owned).to_vec(),
        bars,
        unit: format!("{}/month", seen.currency),
    };
    let caption =
        "Costs a month; the purchase is spread over the life of the machine with interest, \
                   less what is left of it."
            .to_owned();
    Figure { svg: chart.svg(), caption, heads, rows }
}

/// What each uncertain input does to the worth, and to the payback, against the cheapest alternative.
fn swings(seen: &Seen<'_>) -> Vec<Figure> {
    let Some(place) = seen.strongest() else { return Vec::new() };
    let (far, name) = (&seen.findings.roi.far[place], &seen.names[place]);
    let worth = (far.worth, "swings-worth", "Net present value");
    let payback = (far.payback, "swings-payback", "Payback in cash");
    [worth, payback].into_iter().filter_map(|of| swing(seen, of, name)).collect()
}

fn swing(
    seen: &Seen<'_>,
    (target, id, what): (Id, &'static str, &str),
    name: &str,
) -> Option<Figure> {
    let sheet = &seen.findings.roi.sheet;
    let unit = sheet.cell(target).unit;
    let likely = seen.values.of(target).number()?;
    let swings = sheet.swings(target);
    let ends = |id: Id| {
        let nearside_economics::Content::Input(input) = &sheet.cell(id).content else {
            return [const { String::new() }; 2];
        };
        let unit = sheet.cell(id).unit;
        [input.span.low(), input.span.high()]
            .map(|end| figure(Value::Number(end), unit, seen.currency))
    };
    let rows: Vec<Swung> = swings
        .iter()
        .filter_map(|swing| {
            let answers = [swing.low.number()?, swing.high.number()?];
            let [low, high] = ends(swing.id);
            let low = low.split(' ').next().unwrap_or("");
            let ends = format!("{low} to {high}");
            Some(Swung { input: sheet.cell(swing.id).label.clone(), ends, answers })
        })
        .take(MOST_BARS)
        .collect();
    let heads = ["input", "low", "high", "at low", "at high"].map(str::to_owned).to_vec();
    let table = swings.iter().map(|swing| {
        let [low, high] = ends(swing.id);
        let (at_low, at_high) = (bare(swing.low, unit), bare(swing.high, unit));
        vec![sheet.cell(swing.id).label.clone(), low, high, at_low, at_high]
    });
    let caption = format!(
        "{what} against \"{name}\" at both ends of each uncertain input, all others as they are likely. An input \
         at whose ends there is no number is in the table only."
    );
    let table = table.collect();
    let title = format!("{what} against \"{name}\" at both ends of each uncertain input");
    let description = "Bars from the answer at the low end of an input to that at its high end.";
    let shown = shown(id, &title, description);
    let unit = unit.symbol(seen.currency);
    let seen_rows = !rows.is_empty();
    let chart = Tornado { shown, unit, likely, rows };
    seen_rows.then(|| Figure { svg: chart.svg(), caption, heads, rows: table })
}

/// The share of random draws that have paid back by each month.
fn chance(seen: &Seen<'_>) -> Figure {
    let months = years(seen) * 12;
    let lines: Vec<Line> = seen
        .findings
        .drawn
        .iter()
        .zip(&seen.names)
        .enumerate()
        .map(|(style, (drawn, name))| {
            let share = |month: usize| drawn.payback.share_up_to(month as f64) * 100.0;
            let points = (0..=months).map(|month| (month as f64, share(month))).collect();
            Line { name: name.clone(), style, points, here: None, marked: 6 }
        })
        .collect();
    let every_half_year = (0..=months).step_by(6);
    let (heads, rows) =
        table("month", every_half_year, &lines, |month| format!("{month}"), Unit::Count);
    let chart = Lines {
        shown: shown(
            "chance",
            "Probability of having paid back, by month",
            "One line for each alternative: the share of random draws of the uncertain inputs in which \
             cash has come back by that month.",
        ),
        across: Axis { title: "months".to_owned(), holds: (0.0, months as f64) },
        up: Axis { title: "% of draws paid back in cash".to_owned(), holds: (0.0, 100.0) },
        lines,
    };
    let caption =
        "Share of random draws of all uncertain inputs, each within its range, in which cash has \
                   come back by that month."
            .to_owned();
    Figure { svg: chart.svg(), caption, heads, rows }
}

/// Hours a month from which on owning costs less, over the price of an hour elsewhere.
fn frontier(seen: &Seen<'_>) -> Option<Figure> {
    let roi = &seen.findings.roi;
    let priced: Vec<(usize, Id, f64)> = (0..roi.far.len())
        .filter_map(|place| {
            let price = roi.sheet.find(&format!("far{}_price", place + 1))?;
            Some((place, price, seen.number(price)))
        })
        .collect();
    let most = priced.iter().map(|(.., price)| *price).fold(0.0, f64::max) * 2.0;
    let price_at = |point: usize| most * point as f64 / POINTS as f64;
    let lines: Vec<Line> = priced
        .iter()
        .map(|(place, id, price)| {
            let of = |point: usize| {
                let price = price_at(point);
                let values = roi.sheet.values_with(&[(*id, price)].into());
                Some((price, values.of(roi.far[*place].break_even).number()?))
            };
            Line {
                name: seen.names[*place].clone(),
                style: *place,
                points: (1..=POINTS).filter_map(of).collect(),
                here: Some((*price, seen.number(roi.near.hours))),
                marked: 12,
            }
        })
        .filter(|line| line.points.len() > 1)
        .collect();
    if lines.is_empty() || most <= 0.0 {
        return None;
    }
    let heads = std::iter::once("price of an hour".to_owned())
        .chain(lines.iter().map(|line| line.name.clone()))
        .collect();
    let rows = (5..=POINTS).step_by(5).map(|point| {
        let price = price_at(point);
        let cell = |line: &Line| {
            let found = line.points.iter().find(|(at, _)| (at - price).abs() < 1e-12);
            found.map_or_else(|| "never".to_owned(), |(_, hours)| short(*hours))
        };
        std::iter::once(short(price)).chain(lines.iter().map(cell)).collect()
    });
    let rows = rows.collect();
    let here = seen.number(roi.near.hours).max(1.0);
    let chart = Lines {
        shown: shown(
            "frontier",
            "Use from which on owning costs less, by the price of an hour elsewhere",
            "One line for each alternative: above it owning costs less, below it renting does. A ringed \
             mark is what holds today.",
        ),
        across: Axis { title: format!("{}/h elsewhere", seen.currency), holds: (0.0, most) },
        up: Axis { title: "hours a month".to_owned(), holds: (0.0, here) },
        lines,
    };
    let caption = "Above a line owning costs less, below it renting does; purchase included. The ringed mark \
                   is what holds today. An alternative whose hours are all paid has no line."
        .to_owned();
    Some(Figure { svg: chart.svg(), caption, heads, rows })
}
