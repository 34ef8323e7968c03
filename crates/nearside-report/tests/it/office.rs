//! Workbooks, read, changed and recalculated by LibreOffice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use calamine::{Data, Reader as _, Xlsx, open_workbook_from_rs};

/// Every cell of a workbook by tab, row and column.
pub(crate) type Cells = BTreeMap<(String, u32, u32), Data>;

/// What no formula comes to, in place of every stored result.
const WRONG: &str = "-987654.5";

pub(crate) fn cells(workbook: &[u8]) -> Cells {
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(workbook)).expect("a workbook");
    let mut cells = Cells::new();
    for (tab, range) in book.worksheets() {
        let (first_row, first_column) = range.start().unwrap_or_default();
        for (row, column, data) in range.used_cells() {
            let place = (tab.clone(), first_row + row as u32, first_column + column as u32);
            cells.insert(place, data.clone());
        }
    }
    cells
}

/// Defined names and the cell of the first tab that each stands for, as in `B7`.
pub(crate) fn defined_names(workbook: &[u8]) -> BTreeMap<String, String> {
    let book: Xlsx<_> = open_workbook_from_rs(Cursor::new(workbook)).expect("a workbook");
    let cell = |text: &str| text.rsplit('!').next().unwrap_or("").replace('$', "");
    book.defined_names().iter().map(|(name, at)| (name.clone(), cell(at))).collect()
}

/// The parts of a workbook with their names.
pub(crate) fn parts(workbook: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).expect("an archive");
    (0..archive.len())
        .map(|place| {
            let mut part = archive.by_index(place).expect("a part");
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes).expect("its bytes");
            (part.name().expect("its name").into_owned(), bytes)
        })
        .collect()
}

/// The same workbook with a wrong result in every formula and other values in some inputs.
pub(crate) fn spoiled(workbook: &[u8], edits: &[(&str, f64)]) -> Vec<u8> {
    let names = defined_names(workbook);
    let options = zip::write::SimpleFileOptions::default();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts(workbook) {
        let mut bytes = bytes;
        if name.starts_with("xl/worksheets/sheet") {
            let mut text = wrong_results(&String::from_utf8(bytes).expect("text"));
            if name.ends_with("sheet1.xml") {
                for (input, value) in edits {
                    text = with_value(&text, &names[*input], *value);
                }
            }
            bytes = text.into_bytes();
        }
        archive.start_file(name, options).expect("a part");
        archive.write_all(&bytes).expect("its bytes");
    }
    archive.finish().expect("the archive").into_inner()
}

fn wrong_results(sheet: &str) -> String {
    let mut parts = sheet.split("</f><v>");
    let mut wrong = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let (_, rest) = part.split_once("</v>").expect("a result");
        wrong.push_str("</f><v>");
        wrong.push_str(WRONG);
        wrong.push_str("</v>");
        wrong.push_str(rest);
    }
    wrong.replace(" t=\"str\"><f>", "><f>")
}

fn with_value(sheet: &str, cell: &str, value: f64) -> String {
    let at = sheet.find(&format!("<c r=\"{cell}\"")).expect("the cell of the input");
    let begin = at + sheet[at..].find("<v>").expect("its value") + 3;
    let end = begin + sheet[begin..].find("</v>").expect("its end");
    format!("{}{value}{}", &sheet[..begin], &sheet[end..])
}

/// A folder that goes when it is no longer needed.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nearside-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in a temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Always recalculate what another program wrote.
const SETTINGS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<oor:items xmlns:oor=\"http://openoffice.org/2001/registry\" \
xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
<item oor:path=\"/org.openoffice.Office.Calc/Formula/Load\">\
<prop oor:name=\"OOXMLRecalcMode\" oor:op=\"fuse\"><value>0</value></prop></item></oor:items>\n";

/// Workbooks as LibreOffice saves them after it has computed every formula anew, all in one start; nothing
/// where it is not installed.
pub(crate) fn recalculated(workbooks: &[Vec<u8>]) -> Option<Vec<Cells>> {
    Command::new("soffice").arg("--version").output().ok()?;
    let folder = Folder::new("office");
    let profile = folder.0.join("profile");
    fs::create_dir_all(profile.join("user")).expect("a profile");
    fs::write(profile.join("user/registrymodifications.xcu"), SETTINGS).expect("its settings");
    let file = |place: usize| format!("{place}.xlsx");
    for (place, workbook) in workbooks.iter().enumerate() {
        fs::write(folder.0.join(file(place)), workbook).expect("a workbook");
    }
    let output = Command::new("soffice")
        .current_dir(&folder.0)
        .arg(format!("-env:UserInstallation=file://{}", profile.display()))
        .args(["--headless", "--convert-to", "xlsx", "--outdir", "saved"])
        .args((0..workbooks.len()).map(file))
        .output()
        .expect("soffice runs");
    let read = |path: &Path| {
        assert!(path.is_file(), "LibreOffice did not save it: {output:?}");
        cells(&fs::read(path).expect("a workbook"))
    };
    Some(
        (0..workbooks.len()).map(|place| read(&folder.0.join("saved").join(file(place)))).collect(),
    )
}

/// All places at which two workbooks do not hold the same, and all errors in the second one. Numbers may
/// differ by what two programs round differently.
pub(crate) fn differences(expected: &Cells, found: &Cells, skipped: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for ((tab, row, column), expected) in expected {
        let other = found.get(&(tab.clone(), *row, *column)).unwrap_or(&Data::Empty);
        let at = rust_cell(*row, *column);
        if let Data::Error(error) = other {
            all.push(format!("{tab}!{at}: {error:?} in place of {expected:?}"));
        } else if !skipped.contains(&tab.as_str()) && !same(expected, other) {
            all.push(format!("{tab}!{at}: {other:?} in place of {expected:?}"));
        }
    }
    all
}

fn rust_cell(row: u32, column: u32) -> String {
    let letter = char::from(b'A' + u8::try_from(column).expect("few columns"));
    format!("{letter}{}", row + 1)
}

fn same(one: &Data, other: &Data) -> bool {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-6 + 1e-9 * one.abs(),
        _ => one.to_string() == other.to_string(),
    }
}

pub(crate) fn number(data: &Data) -> Option<f64> {
    match data {
        Data::Float(number) => Some(*number),
        Data::Int(number) => Some(*number as f64),
        _ => None,
    }
}
