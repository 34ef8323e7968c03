//! A statement, read word by word.

/// The most bytes of a name.
const MAX_NAME: usize = 128;

/// What is left of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'t> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
}

impl<'t> Words<'t> {
    /// Passes over blanks, and what joins the parts of a statement that is written in source code.
    pub(super) fn blanks(&mut self) {
        while let Some(byte) = self.peek()
            && (byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\\' | b'+'))
        {
            self.at += 1;
        }
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over a byte if it comes next, after blanks.
    pub(super) fn sign(&mut self, wanted: u8) -> bool {
        self.spaces();
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// The word that comes next, after blanks; empty where none does.
    pub(super) fn word(&mut self) -> &'t [u8] {
        self.spaces();
        let rest = self.text.get(self.at..).unwrap_or(&[]);
        let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80;
        let length = rest.iter().take(MAX_NAME).take_while(inside).count();
        self.at += length;
        rest.get(..length).unwrap_or(&[])
    }

    /// Passes over a word if it comes next.
    pub(super) fn keyword(&mut self, wanted: &[u8]) -> bool {
        let before = *self;
        let there = self.word().eq_ignore_ascii_case(wanted);
        if !there {
            *self = before;
        }
        there
    }

    /// The name that comes next, without quotes.
    pub(super) fn name(&mut self) -> Option<&'t [u8]> {
        self.spaces();
        // In source code a quote may have a backslash before it.
        let escaped = self.peek() == Some(b'\\');
        self.at += usize::from(escaped);
        let close = match self.peek()? {
            quote @ (b'"' | b'`') => quote,
            b'[' => b']',
            _ => return Some(self.word()).filter(|word| !word.is_empty()),
        };
        self.at += 1;
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().take(MAX_NAME).position(|byte| *byte == close)?;
        self.at += length + 1;
        let name = rest.get(..length)?;
        Some(name.strip_suffix(b"\\").unwrap_or(name)).filter(|name| !name.is_empty())
    }

    /// The last part of a name with points: `public.people`.
    pub(super) fn table(&mut self) -> Option<&'t [u8]> {
        let mut name = self.name()?;
        while self.peek() == Some(b'.') {
            self.at += 1;
            name = self.name()?;
        }
        Some(name)
    }

    /// The names between parentheses that come next.
    pub(super) fn names(&mut self) -> Option<Vec<&'t [u8]>> {
        if !self.sign(b'(') {
            return None;
        }
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            if self.sign(b')') {
                return Some(names);
            }
            if !self.sign(b',') || names.len() >= super::MAX_COLUMNS {
                return None;
            }
        }
    }
}
