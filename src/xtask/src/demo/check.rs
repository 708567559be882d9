//! Compares what the server answered with exact search.

/// Distances that differ by less are equal: the server sums in single precision.
const TIE: f64 = 1e-5;

/// The share of the true first `answer.len()` that the answer holds. Where several are equally far away at the end of the list,
/// each of them counts as true.
///
/// `exact` is sorted by distance and has all candidates. `None` stands for an answer that is wrong in itself: a name that is no
/// candidate, or comes twice, a distance that is not its own, or an order that is not by distance.
pub(crate) fn recall(answer: &[(String, f64)], exact: &[(&str, f64)]) -> Option<f64> {
    let ordered = answer.windows(2).all(|pair| pair[0].1 <= pair[1].1);
    let distances: Vec<f64> = answer
        .iter()
        .enumerate()
        .map(|(i, (name, distance))| {
            let (_, truth) = exact.iter().find(|(candidate, _)| candidate == name)?;
            let new = answer[..i].iter().all(|(earlier, _)| earlier != name);
            (new && (distance - truth).abs() < TIE).then_some(*truth)
        })
        .collect::<Option<_>>()?;
    let (_, last) = exact.get(answer.len().checked_sub(1)?)?;
    let hits = distances.iter().filter(|distance| **distance <= last + TIE).count();
    ordered.then_some(hits as f64 / answer.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: &[(&str, f64)] = &[("a", 0.1), ("b", 0.2), ("c", 0.2), ("d", 0.4)];

    fn of(answer: &[(&str, f64)]) -> Option<f64> {
        recall(
            &answer.iter().map(|(name, distance)| ((*name).to_owned(), *distance)).collect::<Vec<_>>(),
            EXACT,
        )
    }

    #[test]
    fn ties_count_and_misses_do_not() {
        assert_eq!(of(&[("a", 0.1), ("b", 0.2)]), Some(1.0));
        assert_eq!(of(&[("a", 0.1), ("c", 0.2)]), Some(1.0));
        assert_eq!(of(&[("a", 0.1), ("d", 0.4)]), Some(0.5));
    }

    #[test]
    fn a_wrong_answer_has_no_recall() {
        for answer in [
            &[("b", 0.2), ("a", 0.1)][..],
            &[("a", 0.1), ("a", 0.1)],
            &[("a", 0.1), ("b", 0.21)],
            &[("a", 0.1), ("x", 0.2)],
            &[],
        ] {
            assert_eq!(of(answer), None, "{answer:?}");
        }
    }
}
