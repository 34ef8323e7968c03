//! The table of the stages of a run while it goes on: from what is known of them to lines of text.
//! Depends on its arguments alone, so that it can be tried without a terminal. Says nothing by colour.

use nearside_units::{Bytes, Duration};
use unicode_width::UnicodeWidthStr as _;

use crate::output::{Align, Size, cut};
use crate::view::seconds;
use crate::wire::energy_so_far::EnergySoFar;
use crate::wire::expected::Expected;

/// Signs of a whole bar.
const BAR: usize = 10;
/// What is said in words is left out where there is less room for it.
const LEAST_WORDS: usize = 12;
/// Between columns.
const GAP: &str = "  ";

/// What is known of one stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) stage: String,
    pub(super) state: State,
    /// Which of how many trials goes on, where there are several.
    pub(super) trial: Option<(usize, usize)>,
    /// Since it began, until it ended.
    pub(super) time: Option<Duration>,
    pub(super) expected: Option<Expected>,
    /// Memory that it holds now.
    pub(super) memory: Option<Bytes>,
    /// The most that it held.
    pub(super) peak: Option<Bytes>,
    /// Energy so far.
    pub(super) energy: Option<EnergySoFar>,
    /// Why it runs, or ended so.
    pub(super) why: String,
}

/// How a stage stands, what a person looks for first first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Running,
    Failed,
    Waiting,
    Interrupted,
    Skipped,
    Done,
    PutBack,
    UpToDate,
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Done => "done",
            Self::PutBack => "put back",
            Self::UpToDate => "up to date",
        }
    }
}

/// A column.
struct Column {
    head: &'static str,
    side: Align,
    /// Columns of figures are as wide at least, so that they do not move when figures change.
    width: usize,
    /// The greatest is left out first where there is not enough room.
    rank: u8,
    cell: fn(&Row) -> String,
}

const COLUMNS: [Column; 8] = [
    Column { head: "stage", side: Align::Left, width: 0, rank: 0, cell: |row| row.stage.clone() },
    Column { head: "state", side: Align::Left, width: 11, rank: 1, cell: state },
    Column { head: "time", side: Align::Right, width: 7, rank: 2, cell: time },
    Column { head: "expected", side: Align::Left, width: 0, rank: 3, cell: expected },
    Column { head: "", side: Align::Left, width: 0, rank: 7, cell: bar },
    Column { head: "memory", side: Align::Right, width: 8, rank: 4, cell: |row| dash(row.memory) },
    Column { head: "peak", side: Align::Right, width: 8, rank: 5, cell: |row| dash(row.peak) },
    Column { head: "energy", side: Align::Right, width: 7, rank: 6, cell: |row| dash(row.energy) },
];

/// A head and a line for each stage; where the terminal is too low for all, those that a person looks
/// for first, and how many more there are of which kind.
pub(super) fn lines(rows: &[Row], size: Size) -> Vec<String> {
    // The cursor is below the picture, and a sign in the last column may break a line.
    let (width, height) = (size.columns.saturating_sub(1), size.lines.saturating_sub(1));
    let (shown, hidden) = shown(rows, height.saturating_sub(1));
    let mut lines = laid_out(rows, &shown, width);
    if !hidden.is_empty() {
        lines.push(cut(&more(&hidden), width));
    }
    lines.truncate(height);
    lines
}

/// The rows that there is room for, and those that are left out.
fn shown(rows: &[Row], room: usize) -> (Vec<&Row>, Vec<&Row>) {
    let mut shown: Vec<_> = rows.iter().collect();
    if rows.len() <= room {
        return (shown, Vec::new());
    }
    shown.sort_by_key(|row| row.state);
    let hidden = shown.split_off(room.saturating_sub(1));
    (shown, hidden)
}

/// How many rows there are of each state.
fn more(rows: &[&Row]) -> String {
    let kinds = rows.chunk_by(|one, other| one.state == other.state);
    let count = |kind: &[&Row]| format!("{} {}", kind.len(), kind[0].state.words());
    let counts: Vec<_> = kinds.map(count).collect();
    format!("... {} more: {}", rows.len(), counts.join(", "))
}

/// The head and the lines of some rows. All rows decide how wide columns are.
fn laid_out(rows: &[Row], shown: &[&Row], width: usize) -> Vec<String> {
    let taken = |column: &Column| {
        let cells = rows.iter().map(|row| (column.cell)(row).width());
        cells.max().unwrap_or(0).max(column.head.width()).max(column.width)
    };
    // A column that says nothing takes no place.
    let mut columns: Vec<_> = COLUMNS.iter().map(|column| (column, taken(column))).collect();
    let says = |column: &Column| rows.iter().any(|row| !(column.cell)(row).is_empty());
    columns.retain(|(column, _)| says(column));
    let room = |columns: &[(&Column, usize)]| {
        width.checked_sub(columns.iter().map(|(_, taken)| taken + GAP.len()).sum())
    };
    while columns.len() > 2 && room(&columns).is_none() {
        // Half a figure would be another one, so a column goes as a whole.
        let last = columns.iter().map(|(column, _)| column.rank).max();
        columns.retain(|(column, _)| Some(column.rank) != last);
    }
    let words = room(&columns).filter(|room| *room >= LEAST_WORDS).unwrap_or(0);
    let line = |cell: &dyn Fn(&Column) -> String, why: &str| {
        let mut line: Vec<_> =
            columns.iter().map(|(it, taken)| set(&cell(it), it, *taken)).collect();
        line.push(cut(why, words));
        cut(line.join(GAP).trim_end(), width)
    };
    let head = line(&|column| column.head.to_owned(), "");
    let row = |row: &&Row| line(&|column| (column.cell)(row), &row.why);
    std::iter::once(head).chain(shown.iter().map(row)).collect()
}

/// A cell with blanks on the side where they belong.
fn set(cell: &str, column: &Column, width: usize) -> String {
    let blanks = " ".repeat(width.saturating_sub(cell.width()));
    match column.side {
        Align::Left => format!("{cell}{blanks}"),
        Align::Right => format!("{blanks}{cell}"),
    }
}

fn state(row: &Row) -> String {
    let words = row.state.words();
    match row.trial {
        Some((trial, of)) => format!("{words} {trial}/{of}"),
        None => words.to_owned(),
    }
}

/// While it goes on to a tenth of a second: more digits would be a blur.
fn time(row: &Row) -> String {
    match (row.time.map(Duration::as_seconds), row.state) {
        (None, _) => "-".to_owned(),
        (Some(time), State::Running) if time < 59.95 => format!("{time:.1} s"),
        (Some(time), _) => seconds(time),
    }
}

fn expected(row: &Row) -> String {
    row.expected.map_or_else(String::new, |expected| format!("of {expected}"))
}

/// How much of the most that is expected has passed.
fn bar(row: &Row) -> String {
    let (State::Running, Some(time), Some(expected)) = (row.state, row.time, row.expected) else {
        return String::new();
    };
    let share = (time.as_seconds() / expected.high.as_seconds()).clamp(0.0, 1.0);
    let full = (share * BAR as f64) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))
}

/// A figure; what is not known is a dash and no zero.
fn dash<T: ToString>(figure: Option<T>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

#[cfg(test)]
mod tests {
    use nearside_units::Joules;

    use super::*;

    fn row(stage: &str, state: State) -> Row {
        let stage = stage.to_owned();
        Row {
            stage,
            state,
            trial: None,
            time: None,
            expected: None,
            memory: None,
            peak: None,
            energy: None,
            why: String::new(),
        }
    }

    fn between(low: f64, high: f64) -> Option<Expected> {
        Some(Expected { low: Duration::constant(low), high: Duration::constant(high) })
    }

    fn rows() -> Vec<Row> {
        let mebibytes = |count: u64| Some(Bytes::new(count << 20));
        let time = |seconds| Some(Duration::constant(seconds));
        vec![
            Row { time: time(75.0), peak: mebibytes(20), ..row("sort", State::Done) },
            Row {
                trial: Some((2, 6)),
                time: time(3.24),
                expected: between(4.0, 6.0),
                memory: mebibytes(12),
                peak: mebibytes(14),
                energy: Some(EnergySoFar::AtLeast(Joules::constant(41.0))),
                why: "input data/words.txt changed".to_owned(),
                ..row("tune", State::Running)
            },
            Row { expected: between(9.0, 9.0), ..row("show", State::Waiting) },
        ]
    }

    fn drawn(rows: &[Row], columns: usize, height: usize) -> String {
        let lines = lines(rows, Size { columns, lines: height });
        assert!(lines.len() < height.max(1), "{lines:?}");
        assert!(lines.iter().all(|line| line.width() < columns), "{lines:?}");
        lines.join("\n")
    }

    #[test]
    fn a_wide_terminal_shows_all() {
        let expected = "\
stage  state            time  expected                        memory      peak   energy
sort   done         1.25 min                                       -  20.0 MiB        -
tune   running 2/6     3.2 s  of 4.00-6.00 s  [#####.....]  12.0 MiB  14.0 MiB  >41.0 J  input data/words.txt changed
show   waiting             -  of 9.00 s                            -         -        -";
        assert_eq!(drawn(&rows(), 130, 24), expected);
    }

    #[test]
    fn a_narrow_one_shows_no_half_figures() {
        let expected = "\
stage  state            time
sort   done         1.25 min
tune   running 2/6     3.2 s
show   waiting             -";
        assert_eq!(drawn(&rows(), 40, 24), expected);
        let tiny = drawn(&rows(), 12, 24);
        assert!(tiny.starts_with("stage  s...\n"), "{tiny}");
        drawn(&rows(), 1, 1);
        drawn(&rows(), 0, 0);
    }

    #[test]
    fn a_low_one_shows_what_goes_on_first() {
        let mut rows = rows();
        rows.extend((0..9).map(|number| row(&format!("more{number}"), State::UpToDate)));
        rows.push(row("bad", State::Failed));
        let drawn = drawn(&rows, 60, 7);
        let first: Vec<_> = drawn.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(first, ["stage", "tune", "bad", "show", "sort", "..."]);
        assert!(drawn.ends_with("\n... 9 more: 9 up to date"), "{drawn}");
        // However low it is, there is room for the cursor below it.
        for height in 0..20 {
            let lines = lines(&rows, Size { columns: 60, lines: height });
            assert!(lines.len() < height.max(1) || lines.is_empty(), "{height}: {lines:?}");
        }
    }
}
