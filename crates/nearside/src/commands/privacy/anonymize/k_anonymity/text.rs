//! What `nearside privacy anonymize --k` says, in words.

use std::fmt::Write as _;

use super::super::report::Report;
use super::answer::{
    AucView, KAnonymityAnswer, KeptView, LeftView, LevelView, OtherView, RiskView, SearchView,
    UtilityView,
};
use crate::output::{Align, table};

impl Report for KAnonymityAnswer {
    const SCHEMA: &'static str = "nearside/privacy-anonymize-table/1";

    fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", self.summary(), self.told_of_columns());
        for line in self.told_of_risk().into_iter().chain(self.told_of_use()) {
            let _ = writeln!(text, "{line}");
        }
        if let Some(SearchView { choices, looked_at, .. }) = self.search {
            let _ = write!(text, "{looked_at} of {choices} choices of levels were looked at; ");
        }
        let _ = writeln!(
            text,
            "done in {:.2} s; the written table was read again and keeps what is claimed",
            self.seconds
        );
        text
    }

    fn summary(&self) -> String {
        let KeptView { rows, classes, k, in_population, .. } = self.kept;
        let hidden = match in_population {
            true => format!("classes, each among at least {k} people of the population"),
            false => format!("classes of at least {k}"),
        };
        let out = match self.left_out {
            0 => "no row left out".to_owned(),
            out => format!("{out} rows left out ({:.1} %)", 100.0 * out as f64 / self.rows as f64),
        };
        let lost = match self.search {
            Some(SearchView { loss, .. }) => format!("loss {loss:.4}"),
            None => format!("penalty {:.4}", self.utility.penalty),
        };
        format!("{}: {rows} rows in {classes} {hidden}; {out}; {lost}", self.required)
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |left: &LeftView| {
            let kinds: Vec<_> =
                left.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let LeftView { column, .. } = left;
            format!(
                "column {column:?} still holds {}: --drop-column leaves it out",
                kinds.join(", ")
            )
        };
        self.left.iter().map(warning).collect()
    }
}

impl KAnonymityAnswer {
    fn told_of_columns(&self) -> String {
        let leveled = self.columns.iter().any(|column| column.level.is_some());
        let rows = self.columns.iter().map(|column| {
            let level = column.level.as_ref().map(|LevelView { at, of }| format!("{at} of {of}"));
            let cells = [
                Some(column.column.clone()),
                level.filter(|_| leveled),
                Some(column.values.to_string()),
                Some(column.labels.to_string()),
                Some(format!("{:.3}", column.penalty)),
                Some(column.example.clone()),
            ];
            cells.into_iter().flatten().collect()
        });
        let heads = [
            ("column", Align::Left),
            ("level", Align::Left),
            ("values", Align::Right),
            ("labels", Align::Right),
            ("penalty", Align::Right),
            ("as", Align::Left),
        ];
        let shown = heads.into_iter().filter(|(head, _)| leveled || *head != "level");
        table(&shown.collect::<Vec<_>>(), rows.collect())
    }

    pub(super) fn told_of_risk(&self) -> Vec<String> {
        let RiskView { unique_before, mean_before, mean_after, highest_after } = self.risk;
        let mut lines = vec![format!(
            "who knows the quasi-identifiers recognises a row with a chance of {:.2} % on average, \
             {:.2} % at most; before, {:.2} % on average, and {:.1} % of the rows were the only one of \
             their kind",
            100.0 * mean_after,
            100.0 * highest_after,
            100.0 * mean_before,
            100.0 * unique_before
        )];
        let KeptView { distinct_l, entropy_l, t, .. } = self.kept;
        if let (Some(distinct), Some(entropy), Some(t)) = (distinct_l, entropy_l, t) {
            lines.push(format!(
                "every class has at least {distinct} sensitive values (entropy as of {entropy:.2}), at most \
                 {t:.3} away from the table"
            ));
        }
        lines
    }

    pub(super) fn told_of_use(&self) -> Vec<String> {
        let UtilityView { penalty, discernibility, average_class, auc } = &self.utility;
        let mut lines = vec![format!(
            "mean penalty {penalty:.3}; a class has {average_class:.2} k rows on average; discernibility \
             {discernibility:.3e}"
        )];
        if let Some(AucView { target, original, anonymized }) = auc {
            lines.push(format!(
                "a model that foretells {target:?} reaches an AUC of {original:.3} where it learns from the \
                 original, of {anonymized:.3} from the result"
            ));
        }
        let other = self.other.as_ref().filter(|other| other.penalty < *penalty);
        if let Some(OtherView { penalty: less, left_out }) = other {
            lines.push(format!(
                "--method mondrian would tell it more exactly: penalty {less:.3} instead of {penalty:.3}, with \
                 {left_out} rows left out"
            ));
        }
        lines
    }
}
