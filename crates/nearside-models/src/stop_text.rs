//! Text that ends before the first of some texts, as it is written piece by piece.

/// What is written, up to the first of some texts; what might be the beginning of one is held back.
#[derive(Clone, Debug)]
pub struct StopText {
    stops: Vec<String>,
    written: String,
    /// How much of it was shown.
    shown: usize,
    ended: bool,
}

impl StopText {
    /// Nothing yet, and the texts to end before; empty ones are none.
    #[must_use]
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, written: String::new(), shown: 0, ended: false }
    }

    /// Whether one of the texts has come; nothing that is added then counts.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// All that was written, without the text that ended it.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// All that was written.
    #[must_use]
    pub fn into_written(self) -> String {
        self.written
    }

    /// Adds a piece; what of the text can be shown now.
    pub fn add(&mut self, piece: &str) -> String {
        if self.ended {
            return String::new();
        }
        self.written.push_str(piece);
        // One that begins in what was shown would have been held back.
        let hidden = self.written.get(self.shown..).unwrap_or_default();
        if let Some(at) = self.stops.iter().filter_map(|stop| hidden.find(stop.as_str())).min() {
            self.written.truncate(self.shown + at);
            self.ended = true;
        }
        let held = if self.ended { 0 } else { self.held_back() };
        self.show_until(self.written.len() - held)
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> String {
        self.show_until(self.written.len())
    }

    fn show_until(&mut self, end: usize) -> String {
        let piece = self.written.get(self.shown..end).unwrap_or_default().to_owned();
        self.shown += piece.len();
        piece
    }

    /// Bytes at the end that a text to end at may begin with.
    fn held_back(&self) -> usize {
        let beginnings = self.stops.iter().flat_map(|stop| {
            stop.char_indices().map(move |(end, _)| &stop[..end]).filter(|begin| !begin.is_empty())
        });
        let at_end = beginnings.filter(|begin| self.written.ends_with(begin));
        at_end.map(str::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stops: &[&str], pieces: &[&str]) -> (Vec<String>, String) {
        let mut text = StopText::new(stops.iter().map(|stop| (*stop).to_owned()));
        let mut shown: Vec<String> = pieces.iter().map(|piece| text.add(piece)).collect();
        shown.push(text.finish());
        (shown, text.into_written())
    }

    #[test]
    fn a_text_ends_before_what_it_is_to_end_at() {
        let (pieces, written) = shown(&["END"], &["one E", "N", "Dtwo", "three"]);
        assert_eq!((pieces.concat().as_str(), written.as_str()), ("one ", "one "));
        assert_eq!(pieces[0], "one ");
    }

    #[test]
    fn what_was_no_end_is_shown_after_all() {
        let (pieces, written) = shown(&["END", "ÄH", ""], &["E", "N", "T", "Ä"]);
        assert_eq!(pieces, ["", "", "ENT", "", "Ä"]);
        assert_eq!(written, "ENTÄ");
    }

    #[test]
    fn the_first_of_several_ends_it() {
        assert_eq!(shown(&["b", "ab"], &["x", "a", "b"]).1, "x");
        assert_eq!(shown(&["cd", "d"], &["abc", "d"]).1, "ab");
    }
}
