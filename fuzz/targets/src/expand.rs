//! Repetitions in inputs.

/// The byte that repeats the one before it, followed by a byte with the count. It is valid in no JSON text.
const REPEAT: u8 = 0x1f;

/// Resolves repetitions: after [`REPEAT`] and a byte `n`, the byte before both follows `256 * (n % 32)` times more. Up to
/// eight repetitions are resolved, so that an input makes at most 64 KiB more.
pub fn expand(input: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(input.len());
    let mut rest = input;
    let mut left = 8;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (*byte, expanded.last().copied(), after) {
            (REPEAT, Some(last), [count, after @ ..]) if left > 0 => {
                left -= 1;
                expanded.resize(expanded.len() + 256 * usize::from(count % 32), last);
                rest = after;
            }
            _ => expanded.push(*byte),
        }
    }
    expanded
}
