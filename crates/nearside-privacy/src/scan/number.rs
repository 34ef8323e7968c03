//! Runs of digits: `4111 1111 1111 1111`, `078-05-1120`, `(415) 279-3605`, read once into groups
//! that every rule for numbers looks at.

/// The most groups of a run.
pub(super) const MAX_GROUPS: usize = 16;
/// The most bytes between two groups: `) `, ` - `.
const MAX_BETWEEN: usize = 3;

/// Digits without a break.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    /// Where it begins.
    pub(super) start: usize,
    /// How many digits.
    pub(super) length: usize,
    /// What stands before it, 0 where nothing of the run does, 1 where it is more than one byte.
    pub(super) before: u8,
}

/// Groups of digits with little between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    text: &'a [u8],
    groups: [Group; MAX_GROUPS],
    count: usize,
}

impl<'a> Run<'a> {
    /// The run that begins at a digit.
    #[inline]
    pub(super) fn read(text: &'a [u8], start: usize) -> Self {
        let mut run = Self { text, groups: [Group::default(); MAX_GROUPS], count: 0 };
        let (mut at, mut before) = (start, 0);
        while run.count < MAX_GROUPS {
            let length = digits_from(text, at);
            if let Some(group) = run.groups.get_mut(run.count) {
                *group = Group { start: at, length, before };
            }
            run.count += 1;
            let end = at + length;
            let gap = text.get(end..).unwrap_or(&[]).iter();
            let gap = gap.take(MAX_BETWEEN).take_while(|byte| b" -./()".contains(byte)).count();
            if gap == 0 || !text.get(end + gap).is_some_and(u8::is_ascii_digit) {
                break;
            }
            before = if gap == 1 { text.get(end).copied().unwrap_or(1) } else { 1 };
            at = end + gap;
        }
        run
    }

    /// Its groups.
    pub(super) fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or(&[])
    }

    /// The lengths of the groups from one on as numbers: of the first, of the first two, and so on;
    /// 0 where there are fewer.
    pub(super) fn signatures(&self, first: usize) -> Signatures {
        let mut signatures = [0; MAX_COUNT + 1];
        let mut signature = 0;
        for (group, place) in self.groups().iter().skip(first).zip(signatures.iter_mut().skip(1)) {
            signature = signature << 5 | (group.length as u64).min(31);
            *place = signature;
        }
        Signatures(signatures)
    }

    /// Some of its groups from one on.
    pub(super) fn take(&self, first: usize, count: usize) -> Option<&[Group]> {
        self.groups().get(first..first + count)
    }

    /// The values of the digits of some groups.
    pub(super) fn digits<'d>(&self, groups: &[Group], into: &'d mut [u8; 24]) -> &'d [u8] {
        let mut count = 0;
        for group in groups {
            for byte in self.text.get(group.start..group.start + group.length).unwrap_or(&[]) {
                if let Some(place) = into.get_mut(count) {
                    *place = byte - b'0';
                    count += 1;
                }
            }
        }
        into.get(..count).unwrap_or(&[])
    }

    /// Whether a number may begin at a group: nothing belongs to it on its left.
    pub(super) fn opens(&self, first: usize) -> bool {
        let Some(group) = self.groups().get(first) else { return false };
        match first {
            0 => is_free_before(self.text, group.start),
            // Within a run only a blank separates numbers, `4.1111` is one thing.
            _ => matches!(group.before, b' ' | 1),
        }
    }

    /// Whether a number may end with a group: nothing belongs to it on its right.
    pub(super) fn closes(&self, last: usize) -> bool {
        let Some(group) = self.groups().get(last) else { return false };
        match self.groups().get(last + 1) {
            Some(next) => matches!(next.before, b' ' | 1),
            None => is_free_after(self.text, group.start + group.length),
        }
    }

    /// Whether a number of some groups stands apart from its neighbours in the run: they are not
    /// joined to it as its own groups are.
    pub(super) fn is_apart(&self, first: usize, count: usize) -> bool {
        let joint = |index: usize| self.groups().get(index).map(|group| group.before);
        let Some(own) = (count > 1).then(|| joint(first + 1)).flatten() else { return true };
        let left = first > 0 && joint(first) == Some(own);
        !left && joint(first + count) != Some(own)
    }

    /// Where a group ends.
    pub(super) fn end(&self, last: usize) -> usize {
        self.groups().get(last).map_or(0, |group| group.start + group.length)
    }

    /// Where the whole run ends.
    pub(super) fn end_of_all(&self) -> usize {
        self.end(self.count.saturating_sub(1))
    }

    /// Whether the byte before a group of the run is this one.
    pub(super) fn follows(&self, first: usize, byte: u8) -> bool {
        let start = self.groups().get(first).map_or(0, |group| group.start);
        start.checked_sub(1).and_then(|before| self.text.get(before)) == Some(&byte)
    }
}

/// The most groups that a kind of number has.
const MAX_COUNT: usize = 8;

/// Lengths of groups, as [`signature_of`] makes a number of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signatures([u64; MAX_COUNT + 1]);

impl Signatures {
    /// Of the first so many groups.
    pub(super) fn of(&self, count: usize) -> u64 {
        self.0.get(count).copied().unwrap_or(0)
    }
}

/// Lengths of groups as one number: five bits for each.
pub(super) const fn signature_of(lengths: &[usize]) -> u64 {
    let mut signature = 0;
    let mut index = 0;
    while index < lengths.len() {
        signature = signature << 5 | lengths[index] as u64;
        index += 1;
    }
    signature
}

fn digits_from(text: &[u8], start: usize) -> usize {
    text.get(start..).unwrap_or(&[]).iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// How many digits stand before a place.
fn digits_until(text: &[u8], end: usize) -> usize {
    text.get(..end)
        .unwrap_or(&[])
        .iter()
        .rev()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// Whether a byte is part of a word.
pub(super) const fn is_word(byte: u8) -> bool {
    WORDS[byte as usize]
}

const WORDS: [bool; 256] = {
    let mut words = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        words[byte] = (byte as u8).is_ascii_alphanumeric() || byte == b'_' as usize || byte >= 0x80;
        byte += 1;
    }
    words
};

/// Whether what begins here is not the rest of a longer thing: `v1.2.3`, `a-1`, `x/1`, `#1`.
pub(super) fn is_free_before(text: &[u8], start: usize) -> bool {
    let at = |back: usize| start.checked_sub(back).and_then(|index| text.get(index)).copied();
    match at(1) {
        None => true,
        Some(byte) if is_word(byte) => false,
        Some(b',') => {
            let thousands = (1..=3).contains(&digits_until(text, start - 1));
            let three = digits_from(text, start) == 3 && text.get(start + 3) != Some(&b'-');
            !(thousands && three)
        }
        Some(b'.' | b'-' | b'/' | b'\\') => !at(2).is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(b'#' | b'$' | b'%' | b'&') => false,
        Some(_) => true,
    }
}

/// Whether what ends here does not go on.
pub(super) fn is_free_after(text: &[u8], end: usize) -> bool {
    let at = |on: usize| text.get(end + on).copied();
    match at(0) {
        None => true,
        Some(byte) if is_word(byte) => false,
        // A comma within a number has three digits after it.
        Some(b',') => digits_from(text, end + 1) != 3 || digits_until(text, end) > 3,
        Some(b'.' | b'-' | b'/' | b':' | b'@') => {
            !at(1).is_some_and(|byte| byte.is_ascii_alphanumeric())
        }
        Some(b'%') => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        let start = text.bytes().position(|byte| byte.is_ascii_digit()).unwrap();
        Run::read(text.as_bytes(), start).groups().iter().map(|group| group.length).collect()
    }

    #[test]
    fn groups_are_read_until_something_else_comes() {
        assert_eq!(lengths("4111 1111 1111 1111, then"), [4, 4, 4, 4]);
        assert_eq!(lengths("(415) 279-3605 x"), [3, 3, 4]);
        assert_eq!(lengths("+49 (0)89 2053825"), [2, 1, 2, 7]);
        assert_eq!(lengths("12a"), [2]);
        assert_eq!(lengths("1    2"), [1]);
        assert_eq!(lengths(&"1 ".repeat(40)).len(), MAX_GROUPS);
    }

    #[test]
    fn numbers_stand_free() {
        assert!(is_free_before(b"no. 12", 4));
        assert!(!is_free_before(b"v1.12", 3));
        assert!(!is_free_before(b"A12", 1));
        assert!(is_free_after(b"12. Then", 2));
        assert!(!is_free_after(b"12.5", 2));
        assert!(!is_free_after(b"12px", 2));
    }
}
