//! Numbers that somebody was given, by the lengths of their groups, what stands between them and a
//! check: one row per way of writing.

use super::checksum::{all_same, cpf, luhn, mod_11_10, modulo, nhs, verhoeff, weighted};
use super::cue::{Cue, Cues};
use super::entity::{Entity, Locale};
use super::number::{Group, signature_of};

/// What may stand between groups.
#[derive(Clone, Copy, Debug)]
pub(super) enum Between {
    /// One of these bytes, everywhere the same.
    Same(&'static [u8]),
    /// These bytes, in their order.
    Each(&'static [u8]),
}

/// One way to write a kind of number.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberKind {
    pub(super) entity: Entity,
    /// Digits of each group.
    groups: &'static [usize],
    between: Between,
    /// Whether digits can be such a number.
    pub(super) valid: fn(&[u8]) -> bool,
    /// How likely it is what it looks like, where no word says so, in hundredths.
    pub(super) score: u8,
    /// The words that say so.
    pub(super) cues: Cues,
    /// Where it is given.
    pub(super) locale: Option<Locale>,
}

const TIGHT: Between = Between::Same(b"");
const BLANK: Between = Between::Same(b" ");
const LOOSE: Between = Between::Same(b" -");
const DASH: Between = Between::Same(b"-");

macro_rules! kinds {
    ($($entity:ident $locale:tt $valid:ident $cues:tt: $(($groups:expr, $between:expr, $score:expr))+;)+) => {
        &[$($(NumberKind {
            entity: Entity::$entity,
            groups: &$groups,
            between: $between,
            valid: $valid,
            score: $score,
            cues: kinds!(@cues $cues),
            locale: kinds!(@locale $locale),
        },)+)+]
    };
    (@cues [$($cue:ident)*]) => { Cues::of(&[$(Cue::$cue),*]) };
    (@locale _) => { None };
    (@locale $locale:ident) => { Some(Locale::$locale) };
}

/// Every kind; where two fit equally well the earlier one is taken.
pub(super) const KINDS: &[NumberKind] = kinds! {
    CreditCard _ card [Card]:
        ([16], TIGHT, 65) ([4, 4, 4, 4], LOOSE, 75) ([15], TIGHT, 60) ([4, 6, 5], LOOSE, 75)
        ([14], TIGHT, 35) ([4, 6, 4], LOOSE, 65) ([13], TIGHT, 15) ([19], TIGHT, 45)
        ([4, 4, 4, 4, 3], LOOSE, 60);
    FrNir Fr nir [Nir]: ([15], TIGHT, 70) ([1, 2, 2, 2, 3, 3, 2], LOOSE, 90) ([13, 2], BLANK, 75);
    Imei _ luhn [Imei]: ([15], TIGHT, 30) ([2, 6, 6, 1], LOOSE, 50) ([6, 2, 6, 1], LOOSE, 50);
    BrCpf Br cpf [Cpf]: ([11], TIGHT, 50) ([3, 3, 3, 2], Between::Each(b"..-"), 95);
    DeTaxId De german_tax [SteuerId]: ([11], TIGHT, 40) ([2, 3, 3, 3], Between::Same(b" /"), 60);
    PlPesel Pl pesel [Pesel]: ([11], TIGHT, 50);
    BeNationalNumber _ belgian [BelgianNumber]:
        ([11], TIGHT, 20) ([2, 2, 2, 3, 2], Between::Each(b"..-."), 90);
    ChAhv _ ahv [Ahv]: ([13], TIGHT, 50) ([3, 4, 4, 2], Between::Same(b"."), 95);
    InAadhaar In aadhaar [Aadhaar]: ([12], TIGHT, 30) ([4, 4, 4], LOOSE, 60);
    SePersonnummer _ personnummer [Personnummer]:
        ([6, 4], DASH, 60) ([8, 4], DASH, 65) ([10], TIGHT, 5) ([12], TIGHT, 20);
    UkNhs Gb nhs [Nhs]: ([10], TIGHT, 10) ([3, 3, 4], BLANK, 50) ([3, 3, 4], DASH, 20);
    PlNip Pl nip [Nip]: ([10], TIGHT, 5) ([3, 3, 2, 2], DASH, 55) ([3, 2, 2, 3], DASH, 55);
    AuMedicare Au medicare [Medicare]: ([10], TIGHT, 5) ([4, 5, 1], BLANK, 60);
    UsNpi Us npi [Npi]: ([10], TIGHT, 5);
    UkUtr Gb utr [Utr]: ([10], TIGHT, 5) ([5, 5], BLANK, 10);
    UsSsn Us ssn [Ssn]: ([3, 2, 4], DASH, 65) ([3, 2, 4], BLANK, 35) ([9], TIGHT, 5);
    UsItin Us itin [Itin]: ([3, 2, 4], DASH, 70) ([3, 2, 4], BLANK, 35) ([9], TIGHT, 5);
    NlBsn Nl bsn [Bsn]: ([9], TIGHT, 10) ([4, 2, 3], Between::Same(b".- "), 50);
    AuTfn Au tfn [Tfn]: ([9], TIGHT, 8) ([3, 3, 3], LOOSE, 40);
    CaSin Ca sin [Sin]: ([9], TIGHT, 8) ([3, 3, 3], DASH, 50) ([3, 3, 3], BLANK, 40);
    Aba Us aba [Routing]: ([9], TIGHT, 2);
};

impl NumberKind {
    /// The lengths of its groups as one number.
    pub(super) const fn signature(&self) -> u64 {
        signature_of(self.groups)
    }

    /// Whether groups of its lengths are joined in this way.
    pub(super) fn fits(&self, groups: &[Group]) -> bool {
        let mut between = groups.iter().skip(1).map(|group| group.before);
        match self.between {
            Between::Each(bytes) => between.eq(bytes.iter().copied()),
            Between::Same(bytes) => match between.next() {
                None => true,
                Some(first) => bytes.contains(&first) && between.all(|byte| byte == first),
            },
        }
    }

    /// How many groups it has.
    pub(super) const fn count(&self) -> usize {
        self.groups.len()
    }

    /// The digits of its first group.
    pub(super) fn opening(&self) -> usize {
        self.groups.first().copied().unwrap_or(0)
    }
}

/// Issuers: the first digits and lengths of cards (ISO/IEC 7812; published ranges of the networks).
fn card(digits: &[u8]) -> bool {
    let leading =
        |count: usize| digits.iter().take(count).fold(0_u32, |n, d| n * 10 + u32::from(*d));
    let issued = match digits.len() {
        13 => leading(1) == 4,
        14 => matches!(leading(3), 300..=305 | 309 | 360..=369 | 380..=389),
        15 => matches!(leading(2), 34 | 37) || matches!(leading(4), 1800 | 2131),
        16 => {
            leading(1) == 4
                || matches!(leading(2), 51..=55 | 65 | 81)
                || matches!(leading(3), 644..=649)
                || matches!(leading(4), 2221..=2720 | 3528..=3589 | 6011 | 2200..=2204 | 5018 | 5020 | 5038 | 6304 | 6759 | 6761..=6763)
                || matches!(leading(2), 62 | 60)
        }
        19 => leading(1) == 4 || matches!(leading(2), 62 | 65 | 67 | 63 | 56..=58 | 50),
        _ => false,
    };
    issued && digits.iter().skip(4).any(|digit| *digit != 0) && luhn(digits)
}

/// Sex, month and the key of 97 less the number modulo 97.
fn nir(digits: &[u8]) -> bool {
    let Some((number, key)) = digits.split_at_checked(13) else { return false };
    let month = modulo(digits.get(3..5).unwrap_or(&[]), 100);
    digits.len() == 15
        && matches!(digits.first(), Some(1 | 2))
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - modulo(number, 97) == modulo(key, 100)
}

/// Among the first ten digits one occurs twice or three times, no other more than once.
fn german_tax(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in digits.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    digits.len() == 11
        && digits.first() != Some(&0)
        && repeated == 1
        && most <= 3
        && mod_11_10(digits)
}

/// Weights 1 3 7 9; the first six digits are a date, its month raised by the century.
fn pesel(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let month = modulo(digits.get(2..4).unwrap_or(&[]), 100) % 20;
    let day = modulo(digits.get(4..6).unwrap_or(&[]), 100);
    digits.len() == 11
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && weighted(digits, &WEIGHTS).is_multiple_of(10)
}

/// Ninety-seven less the first nine digits modulo ninety-seven, with a 2 before them from 2000 on.
fn belgian(digits: &[u8]) -> bool {
    let Some((number, key)) = digits.split_at_checked(9) else { return false };
    let (month, day) = (number.get(2..4).unwrap_or(&[]), number.get(4..6).unwrap_or(&[]));
    let key = modulo(key, 100);
    let before = 97 - modulo(number, 97);
    let after = 97 - (modulo(number, 97) + 2_000_000_000 % 97) % 97;
    digits.len() == 11
        && modulo(month, 100) <= 12
        && modulo(day, 100) <= 31
        && (key == before || key == after)
}

/// EAN-13 that begins with the country, 756.
fn ahv(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 13] = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1];
    digits.len() == 13
        && digits.starts_with(&[7, 5, 6])
        && weighted(digits, &WEIGHTS).is_multiple_of(10)
}

fn aadhaar(digits: &[u8]) -> bool {
    digits.len() == 12 && digits.first().is_some_and(|first| *first >= 2) && verhoeff(digits)
}

/// A date and Luhn over the last ten digits.
fn personnummer(digits: &[u8]) -> bool {
    let short = match digits.len() {
        12 if matches!(digits.get(..2), Some([1, 9] | [2, 0])) => digits.get(2..).unwrap_or(&[]),
        10 => digits,
        _ => return false,
    };
    let month = modulo(short.get(2..4).unwrap_or(&[]), 100);
    let day = modulo(short.get(4..6).unwrap_or(&[]), 100);
    (1..=12).contains(&month) && matches!(day, 1..=31 | 61..=91) && luhn(short)
}

fn nip(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
    digits.len() == 10
        && !all_same(digits)
        && digits.last().is_some_and(|check| u32::from(*check) == sum)
}

fn medicare(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    digits.len() == 10
        && matches!(digits.first(), Some(2..=6))
        && digits.get(8).is_some_and(|check| u32::from(*check) == sum)
}

/// Luhn over the number after 80840 (45 CFR 162.406).
fn npi(digits: &[u8]) -> bool {
    let mut whole = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let Some(rest) = whole.get_mut(5..).filter(|rest| rest.len() == digits.len()) else {
        return false;
    };
    rest.copy_from_slice(digits);
    matches!(digits.first(), Some(1 | 2)) && luhn(&whole)
}

/// The first digit checks the nine after it.
fn utr(digits: &[u8]) -> bool {
    const CHECKS: [u8; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let sum = weighted(digits.get(1..).unwrap_or(&[]), &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    digits.len() == 10 && !all_same(digits) && digits.first() == CHECKS.get(sum as usize)
}

/// No area 000, 666 or 900 and up, no group 00, no serial 0000; not the numbers of advertisements.
fn ssn(digits: &[u8]) -> bool {
    let part = |range: std::ops::Range<usize>| modulo(digits.get(range).unwrap_or(&[]), 10_000);
    let (area, group, serial) = (part(0..3), part(3..5), part(5..9));
    digits.len() == 9
        && !matches!(area, 0 | 666 | 900..)
        && group != 0
        && serial != 0
        && !matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999) | (123, 45, 6789))
}

/// Area 9xx and a group that the revenue service gives out.
fn itin(digits: &[u8]) -> bool {
    let group = modulo(digits.get(3..5).unwrap_or(&[]), 100);
    digits.len() == 9
        && digits.first() == Some(&9)
        && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// The eleven test: weights 9 to 2, the last digit taken away.
fn bsn(digits: &[u8]) -> bool {
    let plus = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    digits.len() == 9
        && !all_same(digits)
        && digits.last().is_some_and(|last| {
            plus >= u32::from(*last) && (plus - u32::from(*last)).is_multiple_of(11)
        })
}

fn tfn(digits: &[u8]) -> bool {
    digits.len() == 9
        && !all_same(digits)
        && weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

fn sin(digits: &[u8]) -> bool {
    digits.len() == 9 && !matches!(digits.first(), Some(0 | 8)) && !all_same(digits) && luhn(digits)
}

/// Weights 3 7 1 and a prefix that the Federal Reserve gives out.
fn aba(digits: &[u8]) -> bool {
    let prefix = modulo(digits.get(..2).unwrap_or(&[]), 100);
    digits.len() == 9
        && !all_same(digits)
        && matches!(prefix, 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::check::findings;
    use super::super::finding::Proof;
    use super::super::number::Run;
    use super::*;

    /// The kinds that a text is, whole.
    fn kinds(text: &str) -> Vec<Entity> {
        let run = Run::read(text.as_bytes(), 0);
        let mut digits = [0; 24];
        let digits = run.digits(run.groups(), &mut digits);
        let fit = KINDS.iter().filter(|kind| {
            let whole = run.groups().len() == kind.count();
            whole
                && run.signatures(0).of(kind.count()) == kind.signature()
                && kind.fits(run.groups())
                && (kind.valid)(digits)
        });
        fit.map(|kind| kind.entity).collect()
    }

    #[test]
    fn published_examples_are_known() {
        // Test numbers that the networks, revenue services and standards publish.
        for (text, entity) in [
            ("4111111111111111", Entity::CreditCard),
            ("5555 5555 5555 4444", Entity::CreditCard),
            ("2223003122003222", Entity::CreditCard),
            ("3782 822463 10005", Entity::CreditCard),
            ("30569309025904", Entity::CreditCard),
            ("490154203237518", Entity::Imei),
            ("255081416802538", Entity::FrNir),
            ("2 55 08 14 168 025 38", Entity::FrNir),
            ("86095742719", Entity::DeTaxId),
            ("44051401359", Entity::PlPesel),
            ("529.982.247-25", Entity::BrCpf),
            ("756.9217.0769.85", Entity::ChAhv),
            ("93.05.18-223.61", Entity::BeNationalNumber),
            ("811218-9876", Entity::SePersonnummer),
            ("943 476 5919", Entity::UkNhs),
            ("1234567893", Entity::UsNpi),
            ("2123 45670 1", Entity::AuMedicare),
            ("111222333", Entity::NlBsn),
            ("123 456 782", Entity::AuTfn),
            ("046 454 286", Entity::CaSin),
            ("021000021", Entity::Aba),
            ("856-12-6789", Entity::UsSsn),
            ("912-93-6789", Entity::UsItin),
        ] {
            let known = kinds(text);
            let expected = !matches!(text, "046 454 286" | "912-93-6789");
            assert_eq!(known.contains(&entity), expected, "{text}: {known:?}");
        }
    }

    #[test]
    fn numbers_without_check_digits_claim_none() {
        for (text, proof) in [
            ("SSN 856-45-6789", Proof::Labelled),
            ("it was 856-45-6789 then", Proof::Form),
            ("ITIN 944-78-2210", Proof::Labelled),
            ("paid by 4111111111111111", Proof::Checked),
        ] {
            let found = findings(text);
            assert_eq!(found.iter().map(|finding| finding.proof).collect::<Vec<_>>(), [proof]);
        }
    }

    #[test]
    fn near_misses_are_nothing() {
        for text in [
            "4111111111111112",
            "000-12-3456",
            "666-12-3456",
            "078-05-1120",
            "111.111.111-11",
            "0000 0000 0000 0000",
            "529.982.247-26",
            "4111 1111-1111 1111",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }
}
