//! Compares literals and tables with `regex-automata`, for random patterns and texts.

use proptest::prelude::*;

use super::{PatternCompiler, PatternSet, PatternSource as _, single};

/// Patterns that are alternatives of literals, nearly all; over a small alphabet, so that many are prefixes of others.
fn literals() -> impl Strategy<Value = String> {
    prop::collection::vec("\\^?[abé]{0,10}\\$?", 1..4).prop_map(|branches| branches.join("|"))
}

/// Patterns of any form.
#[cfg(feature = "bake")]
fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[abé]{1,3}",
        1 => prop::sample::select(vec!["", "^", "$", ".", "[^a]", "(?i:B)", "(?-u:\\b)"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|branches| format!("(?:{})", branches.join("|"))),
            (inner, prop::sample::select(vec!["?", "*", "+", "+?"]))
                .prop_map(|(one, times)| format!("(?:{one}){times}")),
        ]
    })
}

/// Returns the indices that a set reports, each once.
fn found(set: &mut PatternSet, text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    set.for_each_found(text.as_bytes(), |index| found.push(index));
    found.sort_unstable();
    found.dedup();
    found
}

/// Returns the indices of the patterns that match, each searched alone.
fn matching(patterns: &[&str], text: &str) -> Vec<usize> {
    let is_match = |pattern: &str| single(pattern).expect("a valid pattern").is_match(text);
    (0..patterns.len()).filter(|index| is_match(patterns[*index])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn literals_match_as_their_patterns(
        patterns in prop::collection::vec(literals(), 1..6),
        texts in prop::collection::vec("[abé ]{0,12}", 8),
    ) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let mut set = PatternCompiler.set(&patterns).expect("small patterns");
        for text in &texts {
            prop_assert_eq!(found(&mut set, text), matching(&patterns, text), "{:?} in {}", patterns, text);
        }
    }
}

#[cfg(feature = "bake")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn tables_match_as_their_patterns(
        patterns in prop::collection::vec(prop_oneof![patterns(), literals()], 1..6),
        texts in prop::collection::vec("[abéB ]{0,12}", 8),
    ) {
        use core::ops::ControlFlow;

        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let mut baker = super::bake::PatternBaker::default();
        baker.set(&patterns).expect("small patterns");
        for pattern in &patterns {
            baker.test(pattern).expect("a small pattern");
            baker.find(pattern).expect("a small pattern");
        }
        let mut tables = super::table::TableReader::new(baker.tables.leak());
        let mut set = tables.set(&patterns).expect("the tables of the set");
        for text in &texts {
            prop_assert_eq!(found(&mut set, text), matching(&patterns, text), "{:?} in {}", patterns, text);
        }
        for pattern in patterns {
            let regex = single(pattern).expect("a valid pattern");
            let test = tables.test(pattern).expect("the table of the pattern");
            let finder = tables.find(pattern).expect("the tables of the pattern");
            for text in &texts {
                prop_assert_eq!(test.is_match(text.as_bytes()), regex.is_match(text), "{} in {}", pattern, text);
                let mut ranges = Vec::new();
                let _ = finder.each(text, |range| {
                    ranges.push(range);
                    ControlFlow::Continue(())
                });
                let expected: Vec<_> = regex.find_iter(text).map(|found| found.range()).collect();
                prop_assert_eq!(ranges, expected, "{} in {}", pattern, text);
            }
        }
    }
}
