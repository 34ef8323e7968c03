//! Numbers that are stored one by one.

pub(super) fn decode<const B: usize>(
    bytes: &[u8],
    values: &mut [f32],
    one: impl Fn([u8; B]) -> f32,
) {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().zip(values).for_each(|(number, value)| *value = one(*number));
}

pub(super) fn encode<const B: usize>(
    values: &[f32],
    bytes: &mut [u8],
    one: impl Fn(f32) -> [u8; B],
) {
    let (numbers, _) = bytes.as_chunks_mut();
    values.iter().zip(numbers).for_each(|(value, number)| *number = one(*value));
}
