//! Check digits: what tells a number that somebody was given from any other.
//!
//! Digits come as values 0 to 9, without separators. Every function says no to a wrong length.

/// Luhn (ISO/IEC 7812-1): every second digit from the right doubled, the sum a multiple of ten.
///
/// ```
/// use nearside_privacy::scan::checksum::luhn;
/// assert!(luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
/// assert!(!luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]));
/// ```
#[must_use]
pub fn luhn(digits: &[u8]) -> bool {
    let doubled = |(position, digit): (usize, &u8)| match position % 2 {
        0 => u32::from(*digit),
        _ => (u32::from(*digit) * 2 / 10) + (u32::from(*digit) * 2 % 10),
    };
    !digits.is_empty() && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// The sum of digits, each times its weight.
#[must_use]
pub fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// ISO 7064 mod 97-10 over letters and digits, as an IBAN has it: the first four characters moved
/// to the end, letters as 10 to 35; the remainder is one.
///
/// ```
/// use nearside_privacy::scan::checksum::iban;
/// assert!(iban(b"GB82WEST12345698765432"));
/// assert!(!iban(b"GB83WEST12345698765432"));
/// ```
#[must_use]
pub fn iban(text: &[u8]) -> bool {
    if text.len() < 15 {
        return false;
    }
    let mut remainder = 0_u32;
    for byte in text.iter().skip(4).chain(text.iter().take(4)) {
        remainder = match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return false,
        };
    }
    remainder == 1
}

/// The number that the digits are, modulo another.
#[must_use]
pub fn modulo(digits: &[u8], modulus: u64) -> u64 {
    digits.iter().fold(0, |rest, digit| (rest * 10 + u64::from(*digit)) % modulus)
}

const VERHOEFF_PRODUCT: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];
const VERHOEFF_PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Verhoeff (1969): the dihedral group of the pentagon; finds every single error and every swap of
/// neighbours.
///
/// ```
/// use nearside_privacy::scan::checksum::verhoeff;
/// assert!(verhoeff(&[2, 3, 6, 3]));
/// assert!(!verhoeff(&[3, 2, 6, 3]));
/// ```
#[must_use]
pub fn verhoeff(digits: &[u8]) -> bool {
    let mut state = 0_usize;
    for (position, digit) in digits.iter().rev().enumerate() {
        let permuted = VERHOEFF_PERMUTATION[position % 8].get(usize::from(*digit)).copied();
        let Some(permuted) = permuted else { return false };
        let next = VERHOEFF_PRODUCT.get(state).and_then(|row| row.get(usize::from(permuted)));
        let Some(next) = next else { return false };
        state = usize::from(*next);
    }
    !digits.is_empty() && state == 0
}

/// ISO 7064 mod 11,10, the check of German tax identification numbers.
#[must_use]
pub fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// The ten digits of a check by weights modulo eleven, where a remainder of ten is no number.
fn check_11(sum: u32) -> Option<u32> {
    match (11 - sum % 11) % 11 {
        10 => None,
        check => Some(check),
    }
}

/// Brazilian CPF: two check digits, each by descending weights modulo eleven.
#[must_use]
pub fn cpf(digits: &[u8]) -> bool {
    let check = |length: usize| {
        let weights = (2..=length as u32 + 1).rev();
        let sum: u32 =
            digits.iter().take(length).zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
        let rest = sum * 10 % 11 % 10;
        digits.get(length).is_some_and(|digit| u32::from(*digit) == rest)
    };
    digits.len() == 11 && !all_same(digits) && check(9) && check(10)
}

/// Whether every digit is the same, as in examples and blanks.
#[must_use]
pub fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// British NHS number: weights 10 to 2, check digit modulo eleven.
///
/// ```
/// use nearside_privacy::scan::checksum::nhs;
/// assert!(nhs(&[9, 4, 3, 4, 7, 6, 5, 9, 1, 9]));
/// ```
#[must_use]
pub fn nhs(digits: &[u8]) -> bool {
    let weights = [10, 9, 8, 7, 6, 5, 4, 3, 2];
    digits.len() == 10
        && !all_same(digits)
        && check_11(weighted(digits, &weights)) == digits.last().map(|digit| u32::from(*digit))
}

/// Italian fiscal code: the last letter checks the fifteen before it, by values of odd places.
#[must_use]
pub fn fiscal_code(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let value = |(place, byte): (usize, &u8)| -> Option<u32> {
        let index = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A',
            _ => return None,
        };
        match place % 2 {
            0 => ODD.get(usize::from(index)).copied(),
            _ => Some(u32::from(index)),
        }
    };
    let Some((check, body)) = text.split_last() else { return false };
    let sum: Option<u32> = body.iter().enumerate().map(value).sum();
    text.len() == 16 && sum.is_some_and(|sum| u32::from(*check) == u32::from(b'A') + sum % 26)
}

/// Vehicle identification number (49 CFR 565.15): the ninth place checks the others.
///
/// ```
/// use nearside_privacy::scan::checksum::vin;
/// assert!(vin(b"1M8GDM9AXKP042788"));
/// ```
#[must_use]
pub fn vin(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: &u8| -> Option<u32> {
        Some(match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'A'..=b'H' => u32::from(byte - b'A') + 1,
            b'J'..=b'N' => u32::from(byte - b'J') + 1,
            b'P' => 7,
            b'R' => 9,
            b'S'..=b'Z' => u32::from(byte - b'S') + 2,
            _ => return None,
        })
    };
    let sum: Option<u32> = text
        .iter()
        .zip(WEIGHTS)
        .map(|(byte, weight)| value(byte).map(|value| value * weight))
        .sum();
    let check = match text.get(8) {
        Some(b'X') => 10,
        Some(digit @ b'0'..=b'9') => u32::from(digit - b'0'),
        _ => return false,
    };
    text.len() == 17 && sum.is_some_and(|sum| sum % 11 == check)
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Bech32 and bech32m (BIP 173, BIP 350): human part, `1`, data with six check characters.
#[must_use]
pub fn bech32(text: &[u8]) -> bool {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let step = |state: u32, value: u32| {
        let shifted = (state & 0x01ff_ffff) << 5 ^ value;
        let top = state >> 25;
        let terms = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        terms.fold(shifted, |sum, (_, term)| sum ^ term)
    };
    let Some(split) = text.iter().rposition(|byte| *byte == b'1') else { return false };
    let (human, data) = (&text[..split], &text[split + 1..]);
    let mut state = human.iter().fold(1, |state, byte| step(state, u32::from(byte >> 5)));
    state = step(state, 0);
    state = human.iter().fold(state, |state, byte| step(state, u32::from(byte & 31)));
    for byte in data {
        let Some(value) = BECH32.iter().position(|known| known == byte) else { return false };
        state = step(state, value as u32);
    }
    data.len() >= 6 && (state == 1 || state == 0x2bc8_30a3)
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Base58Check of a 25-byte address: the last four bytes open SHA-256 twice over the others.
///
/// ```
/// use nearside_privacy::scan::checksum::base58check;
/// assert!(base58check(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
/// assert!(!base58check(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"));
/// ```
#[must_use]
pub fn base58check(text: &[u8]) -> bool {
    use sha2::{Digest as _, Sha256};
    let mut decoded = [0_u8; 25];
    for byte in text {
        let Some(value) = BASE58.iter().position(|known| known == byte) else { return false };
        let mut carry = value as u32;
        for place in decoded.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (body, check) = decoded.split_at(21);
    let twice = Sha256::digest(Sha256::digest(body));
    twice.get(..4) == Some(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
    }

    #[test]
    fn published_examples_pass_and_their_neighbours_do_not() {
        assert!(cpf(&digits("529.982.247-25")));
        assert!(!cpf(&digits("529.982.247-26")));
        assert!(!cpf(&digits("111.111.111-11")));
        assert!(mod_11_10(&digits("86 095 742 719")));
        assert!(!mod_11_10(&digits("86 095 742 710")));
        assert!(fiscal_code(b"RSSMRA85T10A562S"));
        assert!(!fiscal_code(b"RSSMRA85T10A562T"));
        assert!(verhoeff(&digits("2363")));
        assert!(nhs(&digits("943 476 5919")));
        assert!(!nhs(&digits("943 476 5918")));
        assert!(bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
        assert!(bech32(b"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"));
        assert!(!bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
    }

    #[test]
    fn every_single_error_of_a_card_is_found() {
        let card = digits("5555555555554444");
        assert!(luhn(&card));
        for place in 0..card.len() {
            for digit in 0..10 {
                let mut wrong = card.clone();
                wrong[place] = digit;
                assert_eq!(luhn(&wrong), digit == card[place], "{wrong:?}");
            }
        }
    }
}
