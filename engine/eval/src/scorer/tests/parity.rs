//! Token F1 and ROUGE-L against values made by Python: SQuAD 2.0's `compute_f1`, and `rouge_score` 0.1.2.

use super::super::rules::{rouge_l, token_f1};

#[test]
fn as_the_python_packages() {
    let text = include_str!("parity_pairs.json");
    let pairs: Vec<(String, String, f64, f64)> = serde_json::from_str(text).unwrap();
    assert!(pairs.len() >= 50);
    for (expected, answer, f1, rouge) in pairs {
        let found = (token_f1(&expected, &answer), rouge_l(&expected, &answer));
        assert!(
            (found.0 - f1).abs() < 1e-9,
            "{expected:?} {answer:?} {found:?} {f1}"
        );
        assert!(
            (found.1 - rouge).abs() < 1e-9,
            "{expected:?} {answer:?} {found:?} {rouge}"
        );
    }
}
