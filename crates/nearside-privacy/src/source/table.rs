//! Rows of tables as lines of CSV. Source: RFC 4180.

/// Adds a cell to a row, in quotes where it needs them.
pub(super) fn put_cell(row: &mut Vec<u8>, index: usize, cell: &[u8]) {
    if index > 0 {
        row.push(b',');
    }
    if !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        row.extend_from_slice(cell);
        return;
    }
    row.push(b'"');
    for byte in cell {
        if *byte == b'"' {
            row.push(b'"');
        }
        row.push(*byte);
    }
    row.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_need_it() {
        let mut row = Vec::new();
        for (index, cell) in ["plain", "", "a,b", "say \"x\"", "two\nlines"].iter().enumerate() {
            put_cell(&mut row, index, cell.as_bytes());
        }
        assert_eq!(row, b"plain,,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"");
    }
}
