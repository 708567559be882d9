//! What rankers read and what they make of scores.

use super::*;
use serde_json::json;

fn read(value: &Value) -> Result<Ranker> {
    Ranker::read(Some(value), 2)
}

#[test]
fn every_way_to_write_a_ranker() -> Result<()> {
    assert_eq!(Ranker::read(None, 2)?, Ranker::Rrf { k: 60.0 });
    for value in [
        json!({"strategy": "rrf", "params": {"k": 5}}),
        json!({"reranker": "RRF", "k": "5"}),
        json!({"name": "mine", "type": "RERANK", "params": [{"key": "reranker", "value": "rrf"}, {"key": "k", "value": 5}]}),
        json!({"functions": [{"params": {"reranker": "rrf", "k": 5}}]}),
        json!({"k": 5}),
    ] {
        assert_eq!(read(&value)?, Ranker::Rrf { k: 5.0 });
    }
    let weighted = read(&json!({"weights": [0.5, 1], "norm_score": false}))?;
    assert_eq!(weighted, Ranker::Weighted { weights: vec![0.5, 1.0], is_normalised: false });
    Ok(())
}

#[test]
fn what_is_out_of_range_is_refused() {
    for value in [
        json!([]),
        json!({}),
        json!({"strategy": "best"}),
        json!({"strategy": "model"}),
        json!({"strategy": "rrf", "k": 0}),
        json!({"strategy": "rrf", "k": 16384}),
        json!({"strategy": "rrf", "k": "x"}),
        json!({"weights": [0.5]}),
        json!({"weights": [0.5, 1.5]}),
        json!({"weights": "x"}),
        json!({"weights": [1, 1], "norm_score": 1}),
        json!({"strategy": "decay", "function": "step", "origin": 0, "scale": 1, "input_field_names": ["f"]}),
        json!({"strategy": "decay", "function": "exp", "origin": 0, "scale": 0, "input_field_names": ["f"]}),
        json!({"strategy": "decay", "function": "exp", "origin": 0, "scale": 1, "decay": 1, "input_field_names": ["f"]}),
        json!({"strategy": "decay", "function": "exp", "origin": 0, "scale": 1, "offset": -1, "input_field_names": ["f"]}),
        json!({"strategy": "decay", "function": "exp", "origin": 0, "scale": 1, "input_field_names": []}),
        json!({"strategy": "boost"}),
        json!({"strategy": "boost", "weight": 1, "boost_mode": "max"}),
        json!({"functions": [{"weight": 1}, {"k": 1}]}),
        json!({"functions": []}),
    ] {
        assert!(read(&value).is_err(), "{value}");
    }
}

#[test]
fn curves_fall_to_decay_at_scale() -> Result<()> {
    for curve in ["gauss", "exp", "linear"] {
        let value =
            json!({"function": curve, "origin": 10, "scale": 4, "offset": 1, "decay": 0.25, "field": "f"});
        let Ranker::Decay(decay) = read(&value)? else { return Err(Error::invalid("a decay")) };
        for (value, factor) in [(10.0, 1.0), (11.0, 1.0), (15.0, 0.25), (5.0, 0.25)] {
            assert!((decay.factor(value) - factor).abs() < 1e-12, "{curve} {value}");
        }
        let far = decay.factor(1e6);
        assert!((0.0..1e-9).contains(&far), "{curve} {far}");
    }
    Ok(())
}

#[test]
fn boosts_multiply_or_add() -> Result<()> {
    let boost = |modes: Value| -> Result<Boosts> {
        let value = json!({"functions": [{"weight": 2}, {"weight": 3}], "params": modes});
        match read(&value)? {
            Ranker::Boost(boosts) => Ok(boosts),
            _ => Err(Error::invalid("a boost")),
        }
    };
    let both = || [0, 1].into_iter();
    assert_eq!(boost(json!({}))?.boosted(5.0, both(), 0), 30.0);
    assert_eq!(boost(json!({"function_mode": "sum"}))?.boosted(5.0, both(), 0), 25.0);
    assert_eq!(boost(json!({"boost_mode": "sum"}))?.boosted(5.0, both(), 0), 11.0);
    assert_eq!(boost(json!({}))?.boosted(5.0, [].into_iter(), 0), 5.0);
    Ok(())
}

#[test]
fn random_factors_are_spread_over_the_unit() {
    let mean = (0..1000).map(unit).inspect(|unit| assert!((0.0..1.0).contains(unit))).sum::<f64>() / 1000.0;
    assert!((mean - 0.5).abs() < 0.05, "{mean}");
}

#[test]
fn ranks_and_scores_go_together() -> Result<()> {
    let rrf = Ranker::Rrf { k: 60.0 };
    let once = rrf.combine(None, 0, 1, Metric::L2, 9.0);
    assert_eq!(rrf.combine(Some(once), 1, 2, Metric::Ip, 0.0), 1.0 / 61.0 + 1.0 / 62.0);
    let weighted = read(&json!({"weights": [0.5, 1]}))?;
    assert_eq!(weighted.combine(Some(1.0), 1, 7, Metric::Cosine, 0.0), 1.5);
    let raw = read(&json!({"weights": [0.5, 1], "norm_score": false}))?;
    assert_eq!(raw.combine(None, 0, 1, Metric::Ip, 4.0), 2.0);
    let best = read(&json!({"weight": 1}))?;
    assert_eq!(best.combine(Some(1.0), 1, 1, Metric::Ip, 4.0), 4.0);
    Ok(())
}
