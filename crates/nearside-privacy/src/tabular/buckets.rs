//! A column in a few groups of neighbouring values, for charts and for models.

use super::taxonomy::{Span, Taxonomy};

/// Groups of values side by side; every value is in one.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    spans: Vec<Span>,
}

impl Buckets {
    /// At most so many groups (and at least one) of a column, each of about as many rows; `rows` are those of
    /// each value, by rank. Where there are no more values than that, each is a group.
    #[must_use]
    pub fn of(rows: &[u64], most: usize) -> Self {
        let total: u64 = rows.iter().sum();
        let (mut spans, mut first, mut below) = (Vec::new(), 0, 0);
        for (rank, count) in rows.iter().enumerate() {
            below += count;
            let left = most.saturating_sub(spans.len() + 1);
            let full = rows.len() <= most
                || (left > 0 && below * most as u64 >= total * (spans.len() as u64 + 1));
            if full || rank + 1 == rows.len() {
                spans.push(Span { first, last: rank as u32 });
                first = rank as u32 + 1;
            }
        }
        Self { spans }
    }

    /// The values of each.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What part of a range of values falls into each group, if all of them are as likely: groups by number, with
    /// parts that sum to one.
    pub fn parts(&self, span: Span) -> impl Iterator<Item = (usize, f64)> + '_ {
        let Span { first, last } = span;
        let start = self.spans.partition_point(|span| span.last < first);
        let all = f64::from(last - first + 1);
        let spans = self.spans.iter().enumerate().skip(start);
        spans.take_while(move |(_, span)| span.first <= last).map(move |(bucket, span)| {
            let both = span.last.min(last) - span.first.max(first) + 1;
            (bucket, f64::from(both) / all)
        })
    }

    /// The name of a group.
    #[must_use]
    pub fn name(&self, bucket: usize, taxonomy: &Taxonomy) -> String {
        self.spans.get(bucket).map_or_else(String::new, |span| match span.first == span.last {
            true => taxonomy.value(span.first).to_owned(),
            false => format!("{}..{}", taxonomy.value(span.first), taxonomy.value(span.last)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_about_as_many_rows() {
        let spans = |rows: &[u64], most| -> Vec<(u32, u32)> {
            Buckets::of(rows, most).spans.iter().map(|span| (span.first, span.last)).collect()
        };
        assert_eq!(spans(&[1, 9, 2], 3), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(spans(&[5, 5, 5, 5, 5, 5], 3), [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(spans(&[90, 1, 1, 1, 1], 2), [(0, 0), (1, 4)]);
        let span = Span { first: 1, last: 4 };
        let parts: Vec<_> = Buckets::of(&[5, 5, 5, 5, 5, 5], 3).parts(span).collect();
        assert_eq!(parts, [(0, 0.25), (1, 0.5), (2, 0.25)]);
    }
}
