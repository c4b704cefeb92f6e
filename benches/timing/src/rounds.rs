//! Targets measured in turn.

use crate::Series;

/// Measures targets in turn: forwards, backwards, forwards … The first round warms caches up and is not recorded.
///
/// `measure` gets the index of a target. The speed of a shared machine drifts; interleaved targets drift together.
///
/// # Errors
/// A measurement failed.
pub fn interleave<E>(
    rounds: usize,
    targets: usize,
    mut measure: impl FnMut(usize) -> Result<f64, E>,
) -> Result<Vec<Series>, E> {
    let mut series = vec![Series::default(); targets];
    for round in 0..=rounds {
        for turn in 0..targets {
            let target = if round.is_multiple_of(2) { turn } else { targets - 1 - turn };
            let number = measure(target)?;
            if round > 0 {
                series[target].push(number);
            }
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_round_is_backwards_and_the_first_is_not_recorded() {
        let mut order = Vec::new();
        let series = interleave(2, 3, |target| {
            order.push(target);
            Ok::<_, ()>(f64::from(u32::try_from(order.len()).unwrap()))
        });
        let series = series.unwrap();
        assert_eq!(order, [0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert_eq!(series[0].rounds(), [6.0, 7.0]);
        assert_eq!(series[2].rounds(), [4.0, 9.0]);
        assert!(interleave(1, 1, |_| Err(())).is_err());
    }
}
