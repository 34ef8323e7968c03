//! What a terminal shows of what a program writes: as much of one as pictures of lines need.

/// A terminal without an end, and the pictures that were drawn on it.
#[derive(Default)]
pub(crate) struct Screen {
    lines: Vec<String>,
    /// Where the cursor is.
    line: usize,
    column: usize,
    /// Where a picture that is being drawn began.
    began: Option<usize>,
    /// Every picture that was drawn.
    pub(crate) pictures: Vec<String>,
}

impl Screen {
    /// What is to be seen when all of it was written. No line may be too long for the terminal: what is
    /// drawn in place would break.
    pub(crate) fn of(written: &str, columns: usize) -> Self {
        let mut screen = Self::default();
        let mut rest = written;
        while let Some(sign) = rest.chars().next() {
            rest = &rest[sign.len_utf8()..];
            match sign {
                '\r' => screen.column = 0,
                '\n' => screen.next_line(),
                '\x1b' => rest = screen.escape(rest),
                sign => screen.put(sign),
            }
        }
        let widest = screen.pictures.iter().flat_map(|it| it.lines()).map(|it| it.chars().count());
        assert!(widest.max().unwrap_or(0) < columns, "{:#?}", screen.pictures);
        screen
    }

    /// All that is left on it.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    fn here(&mut self) -> &mut String {
        if self.lines.len() <= self.line {
            self.lines.resize(self.line + 1, String::new());
        }
        &mut self.lines[self.line]
    }

    fn put(&mut self, sign: char) {
        let column = self.column;
        let line = self.here();
        let mut signs: Vec<char> = line.chars().collect();
        signs.resize(signs.len().max(column + 1), ' ');
        signs[column] = sign;
        *line = signs.into_iter().collect();
        self.column += 1;
    }

    fn next_line(&mut self) {
        self.here();
        self.line += 1;
    }

    /// Obeys an escape; gives what comes after it.
    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        let rest = rest.strip_prefix('[').unwrap_or_else(|| panic!("an unknown escape: {rest:?}"));
        let end = rest.find(|sign: char| sign.is_ascii_alphabetic()).unwrap();
        let (count, column) = (rest[..end].parse().unwrap_or(1), self.column);
        match &rest[end..=end] {
            "A" => self.line = self.line.checked_sub(count).expect("above the first line"),
            "K" => {
                self.began.get_or_insert(self.line);
                let left = self.here().chars().take(column).collect();
                *self.here() = left;
            }
            "J" => self.cleared_below(),
            // Colours.
            "m" => {}
            other => panic!("an unknown escape: {other}"),
        }
        &rest[end + 1..]
    }

    /// Everything from the cursor on goes; a picture that was begun above it is complete.
    fn cleared_below(&mut self) {
        let column = self.column;
        let left = self.here().chars().take(column).collect();
        *self.here() = left;
        self.lines.truncate(self.line + 1);
        if let Some(began) = self.began.take() {
            self.pictures.push(self.lines[began..self.line].join("\n"));
        }
    }
}
