//! What is counted of a table: rows of people, cells that are no numbers, values that the domain has not.

use super::super::{Decimal, Fraction, ReleaseError};
use super::*;

#[test]
fn cells_that_are_no_numbers_count_as_said() {
    let (column, reading) = (numeric("2", "10", "0.5"), reading(1));
    let table = "y,x\na,4\nb,\nc,n/a\nd,NaN\ne,99\nf, 3.5 \n";
    let steps = |column: Numeric| read(&Query::Sum(column), table, &reading);
    assert_eq!(steps(column.clone()), Exact::Sum { rows: 6, steps: 8 + 4 + 4 + 4 + 20 + 7 });
    let missing = column.clone().with_missing(6.0);
    assert_eq!(steps(missing), Exact::Sum { rows: 6, steps: 8 + 12 + 12 + 12 + 20 + 7 });
    let at = vec![Fraction::new(1, 4).unwrap()];
    let values = read(&Query::Quantiles(column.clone(), at), table, &reading);
    assert_eq!(values, Exact::Values(vec![4, 4, 4, 7, 8, 20]));
    // Neither do bytes that are no text.
    let bytes = b"x\n4\n\xff\xfe\n";
    let sum = Exact::read(&Query::Sum(column), bytes.as_slice(), &reading).unwrap();
    assert_eq!(sum, Exact::Sum { rows: 2, steps: 12 });
}

#[test]
fn cells_are_counted_by_their_labels() {
    let reading = reading(1);
    let (one, two) = (labels("x", &["a", "b"]), labels("y", &["c"]));
    let table = "y,x\nc,a\nd,b\nc,b\nc,z\n,a\nc,a\n";
    let counts = read(&Query::Histogram(one.clone()), table, &reading);
    assert_eq!(counts, Exact::Cells(vec![3, 2, 1]));
    let counts = read(&Query::Contingency(vec![one, two]), table, &reading);
    assert_eq!(counts, Exact::Cells(vec![2, 1, 1, 1, 1, 0]));
    assert_eq!(read(&Query::Count, "x\n", &reading), Exact::Sum { rows: 0, steps: 0 });
}

#[test]
fn people_have_no_more_rows_than_is_said() {
    let mut reading = reading(2);
    reading.person = Some("id".to_owned());
    let query = Query::Sum(numeric("0", "100", "1"));
    let alone = read(&query, "x,id\n1,p\n2,q\n3,\n", &reading);
    assert_eq!(alone, Exact::Sum { rows: 2, steps: 3 });
    // Whatever one more person does, two rows at most come with them, and those of others stay.
    let more = read(&query, "x,id\n90,r\n1,p\n90, r \n2,q\n90,r\n3,\n90,r\n", &reading);
    assert_eq!(more, Exact::Sum { rows: 4, steps: 183 });
}

#[test]
fn tables_that_are_none_are_refused() {
    let reading = reading(1);
    let query = Query::Sum(numeric("0", "1", "1"));
    let told =
        |table: &str| Exact::read(&query, table.as_bytes(), &reading).unwrap_err().to_string();
    assert!(told("a,b\n1,2\n").contains("there is no column \"x\""));
    assert!(told("x,b\n1\n").contains("line 2 has 1 cells"));
    assert!(told("").contains("there is no column"));
    let pair = Query::Contingency(vec![labels("x", &["a"]), labels("x", &["b"])]);
    assert!(matches!(Exact::read(&pair, "x\n".as_bytes(), &reading), Err(ReleaseError::Table(_))));
}

#[test]
fn sums_of_the_greatest_values_are_exact() {
    let most = (1_i128 << 50).to_string();
    let column = numeric(&format!("-{most}"), &most, "1");
    let table = format!("x\n{}", "1e300\n".repeat(1000));
    let reading = reading(4096);
    let query = Query::Sum(column.clone());
    assert_eq!(read(&query, &table, &reading), Exact::Sum { rows: 1000, steps: 1000 << 50 });
    for query in [query, Query::Mean(column)] {
        for privacy in [pure(1e-9), pure(1000.0), concentrated(1000.0)] {
            let told = answers(&query, (&table, &reading), (privacy, 51, 50));
            let bound = Decimal { digits: 1 << 120, places: 0 };
            let fits = |value: &Decimal| value.digits.abs() <= bound.digits;
            assert!(told.iter().all(|answer| match answer {
                Answer::Number(number) => fits(&number.value),
                Answer::Mean { value, error, .. } => fits(value) && fits(error),
                _ => false,
            }));
        }
    }
}
