//! Tables of Parquet, row by row, as CSV with a head. Without the feature `parquet` they are reported.
//!
//! Source: Apache Parquet, "File Format".

#[cfg(not(feature = "parquet"))]
mod absent {
    //! Without the library.

    use std::fs::File;
    use std::io::Read;

    use crate::source::error::SourceError;
    use crate::source::opener::{Opener, Place};

    const WHY: &str =
        "a table of Parquet, which this build does not read: build it with the feature parquet";

    impl Opener<'_> {
        pub(in crate::source) const fn parquet(
            &self,
            _: &Place,
            _: &File,
        ) -> Result<(), SourceError> {
            Err(SourceError::Sealed(WHY))
        }

        pub(in crate::source) const fn parquet_stream(
            &self,
            _: &Place,
            _: &mut dyn Read,
        ) -> Result<(), SourceError> {
            Err(SourceError::Sealed(WHY))
        }
    }
}

#[cfg(feature = "parquet")]
mod present {
    //! With the library, which panics at some sorts of damage: such a panic is damage here.

    use std::fs::File;
    use std::io::{self, Read};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use parquet::errors::ParquetError;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::reader::RowIter;
    use parquet::record::{Field, Row};

    use crate::source::error::SourceError;
    use crate::source::meter::Meter;
    use crate::source::opener::{Opener, Place};
    use crate::source::table::put_cell;
    use crate::source::{Form, spool};

    impl Opener<'_> {
        pub(in crate::source) fn parquet(
            &mut self,
            place: &Place,
            file: &File,
        ) -> Result<(), SourceError> {
            let (file, length) = (file.try_clone()?, file.metadata()?.len());
            let reader = guarded(|| open(file, length))?;
            let schema = reader.metadata().file_metadata().schema_descr();
            let mut head = Vec::new();
            for (index, column) in schema.root_schema().get_fields().iter().enumerate() {
                put_cell(&mut head, index, column.name().as_bytes());
            }
            head.push(b'\n');
            let mut text = RowText {
                rows: RowIter::from_file_into(Box::new(reader)),
                meter: self.meter,
                buffer: head,
                given: 0,
                is_done: false,
            };
            self.text(place, Some(Form::Delimited), &mut text)
        }

        pub(in crate::source) fn parquet_stream(
            &mut self,
            place: &Place,
            stream: &mut dyn Read,
        ) -> Result<(), SourceError> {
            let file = spool::named(stream, self.limits)?;
            self.parquet(place, file.as_file())
        }
    }

    fn open(file: File, length: u64) -> Result<SerializedFileReader<File>, ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        // The library would ask for as much memory as a file says.
        let mut columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
        let is_inside = columns.all(|column| {
            let (start, size) = column.byte_range();
            start.checked_add(size).is_some_and(|end| end <= length)
        });
        match is_inside {
            true => Ok(reader),
            false => Err(ParquetError::EOF("a column is said to be beyond the end".to_owned())),
        }
    }

    fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, SourceError> {
        let damaged = |what: String| SourceError::Damaged(what);
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(result) => result.map_err(|error| damaged(error.to_string())),
            Err(_panic) => Err(damaged("it cannot be decoded".to_owned())),
        }
    }

    /// Rows as CSV, made as they are read.
    struct RowText<'m> {
        rows: RowIter<'static>,
        meter: &'m Meter,
        buffer: Vec<u8>,
        given: usize,
        is_done: bool,
    }

    impl RowText<'_> {
        fn next_row(&mut self) -> Result<(), SourceError> {
            self.buffer.clear();
            self.given = 0;
            let Some(row) = guarded(|| self.rows.next().transpose())? else {
                self.is_done = true;
                return Ok(());
            };
            put_row(&mut self.buffer, row);
            self.meter.charge(self.buffer.len())
        }
    }

    fn put_row(buffer: &mut Vec<u8>, row: Row) {
        for (index, (_, field)) in row.into_columns().into_iter().enumerate() {
            match field {
                Field::Null => put_cell(buffer, index, b""),
                Field::Str(text) => put_cell(buffer, index, text.as_bytes()),
                Field::Bytes(bytes) => put_cell(buffer, index, bytes.data()),
                other => put_cell(buffer, index, other.to_string().as_bytes()),
            }
        }
        buffer.push(b'\n');
    }

    impl Read for RowText<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            while self.given == self.buffer.len() && !self.is_done {
                self.next_row()?;
            }
            let read = (&self.buffer[self.given..]).read(buffer)?;
            self.given += read;
            Ok(read)
        }
    }
}
