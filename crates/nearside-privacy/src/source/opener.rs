//! One content and all that is inside it: told apart by its first bytes, unpacked, handed on.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use super::encoding::{Decoder, Encoding};
use super::error::SourceError;
use super::format::{Codec, Format, HEAD};
use super::limits::Limits;
use super::meter::{Meter, Sticky, Unpacked, fill};
use super::spool::Spool;
use super::{Content, Form, Skipped, Visitor, compressed, tar};

/// Where a content stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What it is reported as.
    pub(super) name: String,
    /// Its own name, without those of the compressions around it: its end says the form.
    own: String,
    /// Containers around it.
    depth: u32,
}

impl Place {
    pub(super) fn top(name: &str) -> Self {
        Self { name: name.to_owned(), own: name.to_owned(), depth: 0 }
    }

    /// What lies inside a container.
    pub(super) fn inside(&self, entry: &str) -> Self {
        // Names of archives are written by strangers: no line of a report must break at one.
        let entry = entry.replace(char::is_control, "\u{fffd}");
        Self { name: format!("{}!{entry}", self.name), own: entry, depth: self.depth + 1 }
    }

    /// A value in the cell of a table.
    pub(super) fn blob(&self, name: String, column: &str) -> Self {
        let name = name.replace(char::is_control, "\u{fffd}");
        Self { name, own: column.to_owned(), depth: self.depth + 1 }
    }

    /// The stream that was compressed as a whole.
    fn unpacked(&self) -> Self {
        let own = match self.own.rsplit_once('.') {
            Some((stem, "tgz" | "tbz" | "txz" | "tzst")) => format!("{stem}.tar"),
            Some((stem, _)) => stem.to_owned(),
            None => self.own.clone(),
        };
        Self { name: self.name.clone(), own, depth: self.depth + 1 }
    }

    fn form(&self) -> Option<Form> {
        let extension = Path::new(&self.own).extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" | "tsv" | "tab" | "psv" => Some(Form::Delimited),
            "json" | "jsonl" | "ndjson" | "ipynb" | "geojson" => Some(Form::Json),
            _ => None,
        }
    }
}

/// Where the bytes of a content come from.
pub(super) enum Input<'i> {
    /// A file that can be read from any place.
    File(&'i mut File, &'i Path),
    Stream(&'i mut dyn Read),
}

/// Opens contents for a visitor.
pub(super) struct Opener<'o> {
    pub(super) limits: &'o Limits,
    pub(super) visitor: &'o mut dyn Visitor,
    pub(super) meter: &'o Meter,
}

impl Opener<'_> {
    /// Opens a content; whatever cannot be read is told to the visitor.
    pub(super) fn open(&mut self, place: &Place, input: Input<'_>) {
        let result = self.try_open(place, input);
        self.report(place, result);
    }

    pub(super) fn report(&mut self, place: &Place, result: Result<(), SourceError>) {
        if let Err(error) = result {
            self.visitor.unreadable(&place.name, &error.to_string());
        }
    }

    fn try_open(&mut self, place: &Place, mut input: Input<'_>) -> Result<(), SourceError> {
        let mut head = [0; HEAD];
        let length = match &mut input {
            Input::File(file, _) => fill(*file, &mut head)?,
            Input::Stream(stream) => fill(*stream, &mut head)?,
        };
        let head = &head[..length];
        let format = Format::of(head);
        if format.is_container() && place.depth >= self.limits.depth {
            let bound = format!("{} deep", self.limits.depth);
            return Err(SourceError::Bound { what: "containers inside one another, more", bound });
        }
        match (format, input) {
            (Format::Sealed(why), _) => Err(SourceError::Sealed(why)),
            (Format::Database, Input::File(_, path)) => self.database_file(place, path),
            (Format::Parquet, Input::File(file, _)) => self.parquet(place, &file.try_clone()?),
            (Format::Zip, Input::File(file, _)) => {
                file.seek(SeekFrom::Start(0))?;
                self.zip(place, &mut io::BufReader::new(file))
            }
            (_, Input::File(file, _)) => self.stream(place, format, head, file),
            (_, Input::Stream(stream)) => self.stream(place, format, head, stream),
        }
    }

    /// What is read from its start, of which a part was read already.
    fn stream(
        &mut self,
        place: &Place,
        format: Format,
        head: &[u8],
        rest: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let mut stream = head.chain(rest);
        match format {
            Format::Compressed(codec) => self.compressed(place, codec, &mut stream),
            Format::Tar => self.tar(place, &mut stream),
            Format::Zip => {
                let mut spool = Spool::of(&mut stream, self.limits)?;
                self.zip(place, spool.reader())
            }
            Format::Parquet => self.parquet_stream(place, &mut stream),
            Format::Database => self.database_stream(place, &mut stream),
            Format::Safetensors => self.safetensors(place, &mut stream),
            Format::Gguf => self.gguf(place, &mut stream),
            Format::Image(kind) => self.image(place, kind, &mut stream),
            Format::Noise => {
                self.text(place, None, &mut stream)?;
                Err(SourceError::Sealed("compressed or encrypted in a way that is not known"))
            }
            Format::Sealed(why) => Err(SourceError::Sealed(why)),
            Format::Text => self.encoded(place, head, &mut stream),
        }
    }

    fn encoded(
        &mut self,
        place: &Place,
        head: &[u8],
        stream: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let (encoding, mark) = Encoding::of(head);
        fill(stream, &mut [0; 4][..mark])?;
        match encoding {
            Encoding::Bytes => self.text(place, place.form(), stream),
            Encoding::Wide(wide) => self.text(place, place.form(), &mut Decoder::new(stream, wide)),
        }
    }

    /// Hands a stream of text to the visitor.
    pub(super) fn text(
        &mut self,
        place: &Place,
        form: Option<Form>,
        text: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let mut text = Sticky::new(text);
        self.visitor.content(Content { name: &place.name, form, text: &mut text })?;
        // Whether or not the visitor passed it on.
        Ok(text.outcome()?)
    }

    pub(super) fn skipped(&mut self, place: &Place, what: Skipped) {
        self.visitor.skipped(&place.name, what);
    }

    fn compressed(
        &mut self,
        place: &Place,
        codec: Codec,
        stream: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let decoder = compressed::decoder(codec, stream, self.limits);
        let mut unpacked = Unpacked::new(decoder, self.meter);
        self.try_open(&place.unpacked(), Input::Stream(&mut unpacked))
    }

    fn tar(&mut self, place: &Place, stream: &mut dyn Read) -> Result<(), SourceError> {
        let mut archive = tar::Archive::new(stream);
        let mut entries = 0;
        while let Some(member) = archive.next()? {
            self.count(&mut entries)?;
            let mut content = archive.content(&member);
            self.open(&place.inside(&member.name), Input::Stream(&mut content));
            content.finish()?;
        }
        Ok(())
    }

    /// One more entry of a container; an error where that is too many, or where too much was
    /// unpacked already.
    pub(super) fn count(&self, entries: &mut u64) -> Result<(), SourceError> {
        *entries += 1;
        if *entries > self.limits.entries {
            let bound = format!("{} entries", self.limits.entries);
            return Err(SourceError::Bound { what: "it has more", bound });
        }
        match self.meter.is_spent() {
            true => self.meter.charge(0),
            false => Ok(()),
        }
    }
}
