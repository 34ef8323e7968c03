//! Tables as others write them: every sort of CSV, every type and compression of Parquet, and damage.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// A file of one test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = std::env::temp_dir().join(format!("nearside-import-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

type Rows = Vec<(Vec<Option<String>>, u64)>;

/// Every cell of the columns with these names, and the digest of every row.
fn read(path: &Path, names: &[&str]) -> Result<Rows, ImportError> {
    let file = TableFile::open(path)?;
    let place = |name: &&str| file.columns().iter().position(|column| column == name);
    let wanted: Vec<Option<usize>> = names.iter().map(place).collect();
    let mut rows = Vec::new();
    let count = file.each_row(&wanted, &mut |row| {
        let cells = row.cells.iter().map(|cell| cell.map(str::to_owned)).collect();
        rows.push((cells, row.digest));
    })?;
    assert_eq!(count, rows.len() as u64);
    Ok(rows)
}

fn texts(rows: &Rows) -> Vec<Vec<&str>> {
    rows.iter()
        .map(|(cells, _)| cells.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect())
        .collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn csv_is_read_however_it_is_written() {
    let unix = Place::new("unix.csv", "a,b,c\n1,\"x, \"\"y\"\"\nz\",\n2,,3");
    let windows = Place::new("windows.csv", "\u{feff}c,a,b\r\n,1,\"x, \"\"y\"\"\nz\"\r\n3,2,\r\n");
    let (one, other) =
        (read(&unix.0, &["b", "a"]).unwrap(), read(&windows.0, &["b", "a"]).unwrap());
    assert_eq!(texts(&one), [["x, \"y\"\nz", "1"], ["-", "2"]]);
    assert_eq!(one, other, "neither the order of columns nor line ends show");
    let parts = [gzip(b"a,b,c\n1,\"x, \"\"y\"\"\nz\",\n"), gzip(b"2,,3\n")].concat();
    let packed = Place::new("packed.csv.gz", parts);
    assert_eq!(read(&packed.0, &["b", "a"]).unwrap(), one);
    assert_eq!(texts(&read(&unix.0, &["nothing", "c"]).unwrap()), [["-", "-"], ["-", "3"]]);
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let place = Place::new("header.csv", "a,b\n");
    assert!(read(&place.0, &["a"]).unwrap().is_empty());
}

#[test]
fn what_is_no_table_is_said_to_be() {
    let zipped = [b"PK\x03\x04".as_slice(), b"..."].concat();
    let inside = gzip(b"PAR1....");
    let cases: [(&str, &[u8], &str); 7] = [
        ("empty.csv", b"", "is empty"),
        ("bill.zip", &zipped, "is a ZIP archive"),
        ("wide.csv", b"\xff\xfea\x00", "is text in UTF-16"),
        ("manifest.json", b"{\"a\": 1}", "is JSON"),
        ("inside.gz", &inside, "is Parquet compressed with gzip"),
        ("short.csv", b"a,b,c\n1,2,3\n4,5", "line 3 has 2 cells, there are 3 columns"),
        ("short.parquet", b"PAR1\x15\x04", "is damaged or cut off"),
    ];
    for (name, content, says) in cases {
        let place = Place::new(name, content);
        let error = read(&place.0, &["a"]).unwrap_err();
        assert!(error.to_string().contains(says) && error.to_string().contains(name), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    let folder = TableFile::open(&std::env::temp_dir()).unwrap_err();
    assert!(folder.to_string().contains("no file that can be read more than once"), "{folder}");
    let missing = TableFile::open(Path::new("/nowhere/bill.csv")).unwrap_err();
    assert!(!missing.is_of_the_world());
}

#[test]
fn a_gzip_that_is_cut_off_is_damage() {
    let rows: String = (0..5000).map(|at| format!("{at},{}\n", at * 7919 % 4999)).collect();
    let whole = gzip(format!("a,b\n{rows}").as_bytes());
    let place = Place::new("cut.csv.gz", &whole[..whole.len() / 2]);
    let error = read(&place.0, &["a"]).unwrap_err();
    assert!(matches!(error, ImportError::Damaged { .. }), "{error:?}");
}

#[test]
fn quotes_that_nobody_closes_end_at_a_bound() {
    let mut content = b"a,b\n1,\"".to_vec();
    content.resize(70 << 20, b'x');
    let place = Place::new("quotes.csv", content);
    let error = read(&place.0, &["a"]).unwrap_err();
    assert!(error.to_string().contains("quotes are not closed"), "{error}");
}

const SCHEMA: &str = "message bill {
    REQUIRED BYTE_ARRAY name (STRING);
    OPTIONAL DOUBLE cost;
    OPTIONAL INT64 moment (TIMESTAMP(MICROS,true));
    OPTIONAL INT32 day (DATE);
    OPTIONAL FIXED_LEN_BYTE_ARRAY(16) exact (DECIMAL(38,18));
    OPTIONAL INT64 cents (DECIMAL(18,2));
    OPTIONAL group tags (MAP) { REPEATED group key_value { REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY value (STRING); } }
}";

/// Three rows in each of two groups.
fn parquet(codec: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let bytes =
        |texts: &[&str]| texts.iter().map(|text| ByteArray::from(*text)).collect::<Vec<_>>();
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        macro_rules! put {
            ($type:ty, $values:expr, $defined:expr, $repeated:expr) => {
                let mut column = group.next_column().unwrap().unwrap();
                column.typed::<$type>().write_batch(&$values, $defined, $repeated).unwrap();
                column.close().unwrap();
            };
        }
        let there = Some([1_i16, 0, 1].as_slice());
        put!(ByteArrayType, bytes(&["a", "b", "a"]), None, None);
        put!(DoubleType, [1.2e-5, -3.0], there, None);
        put!(Int64Type, [1_790_812_800_000_000, 1_790_816_400_000_000], there, None);
        put!(Int32Type, [20_727, 20_728], there, None);
        let exact = (-1_500_000_000_000_000_000_i128).to_be_bytes().to_vec();
        put!(FixedLenByteArrayType, [ByteArray::from(exact).into()], Some(&[1, 0, 0]), None);
        put!(Int64Type, [199, 5], there, None);
        // {team: x, owner: -}, nothing, {team: y}
        put!(
            ByteArrayType,
            bytes(&["team", "owner", "team"]),
            Some(&[2, 2, 0, 2]),
            Some(&[0, 1, 0, 0])
        );
        put!(ByteArrayType, bytes(&["x", "y"]), Some(&[3, 2, 0, 3]), Some(&[0, 1, 0, 0]));
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn parquet_says_the_same_in_every_compression() {
    let names = ["cost", "name", "moment", "day", "exact", "cents", "tags.key_value.value"];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for codec in codecs {
        let place = Place::new(&format!("{codec:?}.parquet"), parquet(codec));
        let rows = read(&place.0, &names).unwrap();
        let found = texts(&rows);
        let first = [
            "0.000012",
            "a",
            "2026-10-01T00:00:00.000Z",
            "2026-10-01T00:00:00.000Z",
            "-1.500000000000000000",
            "1.99",
            "x\u{1f}",
        ];
        assert_eq!(found[0], first, "{codec:?}");
        assert_eq!(found[1], ["-", "b", "-", "-", "-", "-", "-"]);
        assert_eq!(found[2][..2], ["-3", "a"]);
        assert_eq!((found.len(), &found[3]), (6, &found[0]));
        assert_eq!(rows[0].1, rows[3].1);
        assert_ne!(rows[0].1, rows[2].1);
    }
}

#[test]
fn a_parquet_file_that_is_cut_off_is_damage_wherever() {
    let whole = parquet(Compression::SNAPPY);
    for length in (4..whole.len()).step_by(7) {
        let place = Place::new("cut.parquet", &whole[..length]);
        let error = read(&place.0, &["cost"]).unwrap_err();
        assert!(matches!(error, ImportError::Damaged { .. }), "{length}: {error:?}");
    }
}

#[test]
fn a_parquet_file_with_other_bytes_in_it_is_read_or_damage() {
    for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        let whole = parquet(codec);
        for at in 4..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = whole.clone();
                broken[at] ^= flip;
                let place = Place::new("broken.parquet", &broken);
                let _read_or_damage = read(&place.0, &["cost", "name"]);
            }
        }
    }
}
