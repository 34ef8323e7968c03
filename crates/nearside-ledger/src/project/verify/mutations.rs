//! Ten thousand changes of a ledger behind its back, each of which is found.

use std::path::Path;

use rusqlite::types::Value;

use super::*;
use crate::example::{Place, fill, tamper};
use crate::merkle;

const MUTATIONS: u64 = 10_000;

/// Numbers that look random and are the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// An entry, and its table.
    fn entry(&mut self, file: &Connection, entries: u64) -> (u64, Table) {
        let number = self.below(entries) + 1;
        let of = "SELECT held_in FROM entries WHERE number = ?1";
        let held_in: String = file.query_row(of, [number as i64], |row| row.get(0)).unwrap();
        (number, Table::named(&held_in).unwrap())
    }
}

/// What somebody with leave to write may do; the last two make the chain whole again.
const KINDS: u64 = 11;

/// Changes the file, and says how and whether the chain is whole again.
fn mutate(file: &Connection, dice: &mut Dice, entries: u64) -> (String, bool) {
    let run = |sql: &str, of: &[&dyn rusqlite::ToSql]| file.execute(sql, of).unwrap();
    let (number, table) = dice.entry(file, entries);
    let (at, name) = (number as i64, table.name());
    let other = 1 + (number + dice.below(entries - 1)) % entries;
    let kind = dice.below(KINDS);
    match kind {
        0 => return (flip_cell(file, dice, number, table), false),
        1 => drop(run(&format!("DELETE FROM {name} WHERE entry = ?1"), &[&at])),
        2 => {
            run(&format!("DELETE FROM {name} WHERE entry = ?1"), &[&at]);
            // The newest alone may go without a gap: that is another kind.
            let number = if number == entries { 1 } else { at };
            run("DELETE FROM entries WHERE number = ?1", &[&number]);
        }
        3 => {
            run(&format!("UPDATE {name} SET entry = -1 WHERE entry = ?1"), &[&at]);
            run(&format!("UPDATE {name} SET entry = ?1 WHERE entry = ?2"), &[&at, &(other as i64)]);
            run(&format!("UPDATE {name} SET entry = ?1 WHERE entry = -1"), &[&(other as i64)]);
        }
        4 => {
            let other = other as i64;
            run("UPDATE entries SET number = -1 WHERE number = ?1", &[&at]);
            run("UPDATE entries SET number = ?1 WHERE number = ?2", &[&at, &other]);
            run("UPDATE entries SET number = ?1 WHERE number = -1", &[&other]);
        }
        5 => flip_hash(file, dice, number, "content"),
        6 => flip_hash(file, dice, number, "link"),
        7 => {
            let tables: Vec<_> = Table::ALL.iter().filter(|one| **one != table).collect();
            let chosen = tables[dice.below(tables.len() as u64) as usize].name();
            run("UPDATE entries SET held_in = ?1 WHERE number = ?2", &[&chosen, &at]);
        }
        8 => {
            let columns: Vec<_> = table.columns().iter().map(|column| column.name).collect();
            let columns = columns.join(", ");
            let copy = format!(
                "INSERT INTO {name} (entry, {columns}) SELECT 99, {columns} FROM {name} WHERE entry = ?1"
            );
            run(&copy, &[&at]);
        }
        9 => {
            let what = flip_cell(file, dice, number, table);
            mend(file, number, entries);
            return (format!("{what}, and all hashes made anew"), true);
        }
        _ => {
            for gone in number..=entries {
                let of = "SELECT held_in FROM entries WHERE number = ?1";
                let held: String = file.query_row(of, [gone as i64], |row| row.get(0)).unwrap();
                run(&format!("DELETE FROM {held} WHERE entry = ?1"), &[&(gone as i64)]);
                run("DELETE FROM entries WHERE number = ?1", &[&(gone as i64)]);
            }
            return (format!("everything from entry {number} cut off"), true);
        }
    }
    (format!("kind {kind} at entry {number} of {name}, with {other}"), false)
}

/// Changes one cell of a row into something else.
fn flip_cell(file: &Connection, dice: &mut Dice, number: u64, table: Table) -> String {
    let columns = table.columns();
    let column = columns[dice.below(columns.len() as u64) as usize];
    let (name, at) = (table.name(), number as i64);
    let of = format!("SELECT {} FROM {name} WHERE entry = ?1", column.name);
    let value: Value = file.query_row(&of, [at], |row| row.get(0)).unwrap();
    let changed = match value {
        Value::Integer(old) => Value::Integer(old ^ (1 << dice.below(40))),
        Value::Real(old) => Value::Real(f64::from_bits(old.to_bits() ^ (1 << dice.below(50)))),
        Value::Text(old) if column.nullable && dice.below(4) == 0 && !old.is_empty() => Value::Null,
        Value::Text(old) => {
            let place = dice.below(old.chars().count() as u64 + 1) as usize;
            let mut signs: Vec<char> = old.chars().collect();
            signs.insert(place, char::from(b'a' + dice.below(26) as u8));
            Value::Text(signs.into_iter().collect())
        }
        Value::Null | Value::Blob(_) => match column.kind.sql() {
            "INTEGER" => Value::Integer(0),
            "REAL" => Value::Real(0.0),
            _ => Value::Text(String::new()),
        },
    };
    let update = format!("UPDATE {name} SET {} = ?1 WHERE entry = ?2", column.name);
    file.execute(&update, params![changed, at]).unwrap();
    format!("{name}.{} of entry {number}", column.name)
}

fn flip_hash(file: &Connection, dice: &mut Dice, number: u64, column: &str) {
    let of = format!("SELECT {column} FROM entries WHERE number = ?1");
    let mut hash: Hash = file.query_row(&of, [number as i64], |row| row.get(0)).unwrap();
    hash[dice.below(32) as usize] ^= 1 << dice.below(8);
    let update = format!("UPDATE entries SET {column} = ?1 WHERE number = ?2");
    file.execute(&update, params![hash, number as i64]).unwrap();
}

/// Makes the hashes from an entry on as if its row had always been so.
fn mend(file: &Connection, from: u64, entries: u64) {
    let mut head = Head::NONE;
    for number in 1..=entries {
        let at = number as i64;
        let of = "SELECT held_in, content FROM entries WHERE number = ?1";
        let (held_in, stored): (String, Hash) =
            file.query_row(of, [at], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let table = Table::named(&held_in).unwrap();
        let content =
            if number < from { stored } else { content(file, table, number).unwrap().unwrap() };
        head = head.then(&content);
        let update = "UPDATE entries SET content = ?1, link = ?2 WHERE number = ?3";
        file.execute(update, params![content, head.link, at]).unwrap();
    }
}

/// Whether a changed file is found to be one; where its chain is whole again, by what was noted elsewhere.
fn is_found(path: &Path, whole: bool, noted: &Head, root: &merkle::Hash) -> bool {
    let ledger = ProjectLedger::open(path).unwrap();
    if !whole {
        return !ledger.verify(None).unwrap().is_sound();
    }
    let leaves = ledger.leaves().unwrap();
    let size = noted.number() as usize;
    let by_root = leaves.get(..size).is_none_or(|leaves| merkle::root(leaves) != *root);
    by_root && !ledger.verify(Some(noted)).unwrap().is_sound()
}

#[test]
fn every_one_of_ten_thousand_mutations_is_found() {
    let place = Place::new("mutations");
    let mut ledger = place.ledger();
    fill(&mut ledger);
    let noted = ledger.head().unwrap().unwrap();
    let root = merkle::root(&ledger.leaves().unwrap());
    drop(ledger);
    let whole = std::fs::read(place.file()).unwrap();
    let try_some = |thread: u64| {
        let path = place.0.join(format!("changed-{thread}.db"));
        for number in (0..MUTATIONS).filter(|number| number % 2 == thread) {
            std::fs::write(&path, &whole).unwrap();
            let mut dice = Dice(number);
            let mut done = (String::new(), false);
            tamper(&path, |file| done = mutate(file, &mut dice, noted.number()));
            assert!(is_found(&path, done.1, &noted, &root), "{number}: {}", done.0);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| try_some(0));
        scope.spawn(|| try_some(1));
    });
}
