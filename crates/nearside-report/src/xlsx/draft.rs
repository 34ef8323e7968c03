//! A workbook before it is written: which cell of the calculation stands where, and what else stands on each
//! tab. Only once all have a place can a formula name any of them.

use std::collections::BTreeMap;

use nearside_economics::{Assumption, Cell, Content, Formula, Group, Id, Input, Sheet, Unit};
use nearside_units::{Basis, Span};
use rust_xlsxwriter::Chart;

use super::formula::{self, Addresses};
use crate::findings::Findings;

/// Tabs of the workbook, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tab {
    Inputs,
    Costs,
    CashFlow,
    Sensitivity,
    Carbon,
    Notes,
}

impl Tab {
    pub(super) const ALL: [Self; 6] =
        [Self::Inputs, Self::Costs, Self::CashFlow, Self::Sensitivity, Self::Carbon, Self::Notes];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Inputs => "Inputs",
            Self::Costs => "Costs",
            Self::CashFlow => "Cash flow",
            Self::Sensitivity => "Sensitivity",
            Self::Carbon => "Carbon",
            Self::Notes => "Notes",
        }
    }
}

/// A place in the workbook; row and column from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tab: Tab,
    pub(super) row: u32,
    pub(super) column: u16,
}

/// How something looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Title,
    Heading,
    /// The head of a column, over text or over numbers.
    Head,
    HeadOfNumbers,
    Text,
    /// Text that runs over several lines of its cell.
    Wrapped,
    Quiet,
    /// A unit, beside its number.
    Unit,
    Number(Unit),
    /// A number that matters.
    Strong(Unit),
    /// A number that people are to change.
    Editable(Unit),
    /// A year.
    Year,
}

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Text(String),
    Whole(u32),
    /// A cell of the calculation: itself where it is at home, a reference anywhere else.
    Cell(Id),
    /// By how much the first is more than the second; a dash where one of them is a word.
    Change(Id, Id),
}

/// What stands on one tab.
#[derive(Clone, Default)]
pub(super) struct Leaf {
    pub(super) items: BTreeMap<(u32, u16), (Item, Look)>,
    pub(super) charts: Vec<(u32, u16, Chart)>,
    pub(super) widths: Vec<(u16, f64)>,
    /// The first row and column that move.
    pub(super) frozen: (u32, u16),
    /// Where only some numbers may be entered.
    pub(super) checked: Vec<(u32, u16, &'static Assumption)>,
    /// Numbers that stand out where they are at most another cell: a range and the cell.
    pub(super) lit: Vec<([(u32, u16); 2], Id)>,
}

impl Leaf {
    /// Rows whose wrapped text needs several lines, and how many: not every program makes them tall itself.
    pub(super) fn tall_rows(&self) -> BTreeMap<u32, u32> {
        let mut tall = BTreeMap::new();
        for ((row, column), (item, look)) in &self.items {
            let width = self.widths.iter().find(|(of, _)| of == column).map(|(_, width)| *width);
            if let (Item::Text(text), Look::Wrapped, Some(width)) = (item, look, width) {
                let lines = (text.chars().count() as f64 / (width * 0.95)).ceil() as u32;
                if lines > 1 {
                    tall.insert(*row, lines.min(12));
                }
            }
        }
        tall
    }
}

/// A workbook that is being laid out.
pub(super) struct Draft<'a> {
    pub(super) findings: &'a Findings,
    /// Names of the alternatives, each told from the others.
    pub(super) names: Vec<String>,
    /// The calculation, and what this document adds to it.
    pub(super) sheet: Sheet,
    pub(super) leaves: BTreeMap<Tab, Leaf>,
    homes: BTreeMap<Id, Place>,
    /// Cells that formulas call by name.
    defined: BTreeMap<Id, String>,
    /// Low and high ends of inputs, which are cells of their own here.
    pub(super) ends: BTreeMap<Id, [Id; 2]>,
}

impl<'a> Draft<'a> {
    pub(super) fn of(findings: &'a Findings) -> Self {
        let inputs = findings.roi.sheet.cells().filter(|(_, cell)| is_input(cell));
        Self {
            findings,
            names: findings.alternatives(),
            defined: inputs.map(|(id, cell)| (id, cell.name.clone())).collect(),
            sheet: findings.roi.sheet.clone(),
            leaves: Tab::ALL.map(|tab| (tab, Leaf::default())).into(),
            homes: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    pub(super) fn leaf(&mut self, tab: Tab) -> &mut Leaf {
        self.leaves.entry(tab).or_default()
    }

    pub(super) fn text(&mut self, place: Place, text: impl Into<String>, look: Look) {
        self.put(place, Item::Text(text.into()), look);
    }

    /// Several texts side by side.
    pub(super) fn texts(&mut self, mut place: Place, texts: &[&str], look: Look) {
        for text in texts {
            self.text(place, *text, look);
            place.column += 1;
        }
    }

    /// A cell of the calculation; the first place that it stands at is its home.
    pub(super) fn cell(&mut self, place: Place, id: Id, look: impl Fn(Unit) -> Look) {
        let unit = self.sheet.cell(id).unit;
        self.homes.entry(id).or_insert(place);
        self.put(place, Item::Cell(id), look(unit));
    }

    pub(super) fn put(&mut self, place: Place, item: Item, look: Look) {
        self.leaf(place.tab).items.insert((place.row, place.column), (item, look));
    }

    /// An input that only this document has.
    pub(super) fn added_input(&mut self, name: String, unit: Unit, value: f64) -> Id {
        let input = Input { span: Span::exact(value), basis: Basis::assumed("to be tried out") };
        self.added(name, unit, Content::Input(input))
    }

    /// A formula that only this document has.
    pub(super) fn added_formula(&mut self, name: String, unit: Unit, formula: Formula) -> Id {
        self.added(name, unit, Content::Formula(formula))
    }

    fn added(&mut self, name: String, unit: Unit, content: Content) -> Id {
        let (label, group) = (String::new(), Group::Near);
        self.sheet.put(Cell { name, label, unit, group, year: None, content })
    }

    pub(super) fn home(&self, id: Id) -> Option<Place> {
        self.homes.get(&id).copied()
    }

    /// How a formula on a tab names cells.
    pub(super) const fn seen_from(&self, tab: Tab) -> Seen<'_> {
        Seen { draft: self, tab }
    }

    /// What stands in a cell that shows one of the calculation: nothing where its number stands itself.
    pub(super) fn formula(&self, place: Place, id: Id) -> Option<String> {
        let seen = self.seen_from(place.tab);
        match (&self.sheet.cell(id).content, self.home(id) == Some(place)) {
            (_, false) => Some(seen.cell(id)),
            (Content::Formula(formula), true) => Some(formula::text(formula, &seen)),
            (Content::Input(_), true) => None,
        }
    }

    /// Inputs with their names, which they keep in the workbook.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, Place)> {
        self.defined.iter().filter_map(|(id, name)| Some((name.as_str(), self.home(*id)?)))
    }
}

/// Names as formulas on a tab write them.
pub(super) struct Seen<'a> {
    draft: &'a Draft<'a>,
    tab: Tab,
}

impl Seen<'_> {
    /// A place as a formula writes it: with its tab, where it is another one.
    pub(super) fn place(&self, place: Place) -> String {
        let tab = self.tab_of(place);
        format!("{tab}{}", corner(place.row, place.column))
    }

    /// The formula of [`Item::Change`].
    pub(super) fn change(&self, one: Id, other: Id) -> String {
        let (one, other) = (self.cell(one), self.cell(other));
        format!("IF(ISNUMBER({one}),IF(ISNUMBER({other}),{one}-{other},\"-\"),\"-\")")
    }

    fn tab_of(&self, place: Place) -> String {
        match place.tab == self.tab {
            true => String::new(),
            false => format!("'{}'!", place.tab.name()),
        }
    }
}

impl Addresses for Seen<'_> {
    fn cell(&self, id: Id) -> String {
        match (self.draft.defined.get(&id), self.draft.home(id)) {
            (Some(name), _) => name.clone(),
            (None, Some(place)) => self.place(place),
            // Every cell gets a place; a test holds this.
            (None, None) => "\"no place\"".to_owned(),
        }
    }

    fn range(&self, ids: &[Id]) -> Option<String> {
        let places: Vec<Place> =
            ids.iter().map(|id| self.draft.home(*id)).collect::<Option<_>>()?;
        let (first, last) = (places.first()?, places.last()?);
        let next = |two: &[Place]| two[1] == Place { column: two[0].column + 1, ..two[0] };
        let side_by_side = places.windows(2).all(next);
        let (from, to) = (self.place(*first), corner(last.row, last.column));
        side_by_side.then(|| format!("{from}:{to}"))
    }
}

/// `B7`: the column by letters, the row by its number.
pub(super) fn corner(row: u32, column: u16) -> String {
    rust_xlsxwriter::utility::row_col_to_cell(row, column)
}

const fn is_input(cell: &Cell) -> bool {
    matches!(cell.content, Content::Input(_))
}
