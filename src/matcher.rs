//! Finds the integration that matches a finding.
//!
//! All integrations are checked at once. A clause is a set of the integrations whose clause accepts the finding's
//! value, and the clauses are intersected one after another. The first integration in the result, in file order, gets
//! the finding. If the result is empty, the clause that rejected the last candidates is the reason. Decision: sets
//! instead of a loop over integrations, which would run the same patterns again and again and grow with the list; all
//! patterns over one field are searched together, and the set of a thousand integrations has sixteen `u64`.

#![expect(clippy::inline_always, reason = "runs once for each finding, measured")]

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{DataFilter, Integration};
use crate::finding::{Category, Confidence, Etype, Kind, MatchInput};
use crate::pattern::{self, BuildError, PatternSource};
use crate::stats::Reason;

/// The compiled data filters of all integrations.
pub(crate) struct Matcher {
    running: ClosedListTable,
    stopped: ClosedListTable,
    entity: FieldPatterns,
    rule: FieldPatterns,
    /// The integrations that can still match during a call; kept for its allocation.
    candidates: IntegrationSet,
}

impl Matcher {
    /// Compiles the integrations that apply.
    /// A match is an index into `integrations`.
    pub fn new(integrations: &[Integration], source: &mut impl PatternSource) -> Result<Self, BuildError> {
        Ok(Self {
            running: ClosedListTable::new(integrations, false),
            stopped: ClosedListTable::new(integrations, true),
            entity: FieldPatterns::new(integrations, source, |filter| {
                [&filter.entity_match, &filter.entity_no_match]
            })?,
            rule: FieldPatterns::new(integrations, source, |filter| {
                [&filter.rules_match, &filter.rules_no_match]
            })?,
            candidates: IntegrationSet::new(integrations.len()),
        })
    }

    /// Returns the first integration that matches, or the reason for none.
    #[inline(always)]
    pub fn first_match(&mut self, input: &MatchInput<'_>) -> Result<usize, Reason> {
        self.first_match_of(false, input).map_err(|reason| self.stopped_or_reason(reason, *input))
    }

    /// Returns [`Reason::Stopped`] if a stopped integration matches, else `reason`.
    #[inline(never)]
    fn stopped_or_reason(&mut self, reason: Reason, input: MatchInput<'_>) -> Reason {
        if self.first_match_of(true, &input).is_ok() { Reason::Stopped } else { reason }
    }

    #[inline(always)]
    fn first_match_of(&mut self, stopped: bool, input: &MatchInput<'_>) -> Result<usize, Reason> {
        let candidates = &mut self.candidates;
        candidates.copy_from(if stopped { &self.stopped } else { &self.running }.accepting(input)?);
        self.entity.retain_matching(input.entity, candidates, Reason::EntityMatch, Reason::EntityNoMatch)?;
        if input.kind == Kind::Selection {
            self.rule.retain_matching(input.rule, candidates, Reason::RulesMatch, Reason::RulesNoMatch)?;
        }
        candidates.first().ok_or(Reason::NoIntegration)
    }
}

/// The accepting integrations for each combination of kind and listed values.
/// An entry without any has the reason. Decision: computed at the start, so that all clauses that list values cost a
/// finding one table access.
struct ClosedListTable(Box<[Result<IntegrationSet, Reason>]>);

impl ClosedListTable {
    fn new(integrations: &[Integration], stopped: bool) -> Self {
        let size = integrations.len();
        let mut kinds = KindSets::new(size);
        let mut etype = ValueSets::<{ Etype::ALL.len() }>::new(size);
        let mut category = ValueSets::<{ Category::ALL.len() }>::new(size);
        let mut confidence = ValueSets::<{ Confidence::ALL.len() }>::new(size);
        let applying =
            integrations.iter().enumerate().filter(|(_, one)| one.applies && one.stopped == stopped);
        for (index, Integration { kind, filter, .. }) in applying {
            kinds.insert(*kind, index);
            etype.insert(index, filter.etype.iter().map(|&value| value as usize));
            category.insert(index, filter.category.iter().map(|&value| value as usize));
            confidence.insert(index, filter.confidence.iter().map(|&value| value as usize));
        }
        let accepting = |input: MatchInput<'_>| {
            let mut candidates = kinds.of(input.kind).clone();
            if !candidates.any() {
                return Err(Reason::NoIntegration);
            }
            if input.kind == Kind::Detection {
                candidates
                    .intersect(etype.accepting(input.etype.map(|value| value as usize)), Reason::Etype)?;
                candidates.intersect(
                    category.accepting(input.category.map(|value| value as usize)),
                    Reason::Category,
                )?;
                candidates.intersect(
                    confidence.accepting(input.confidence.map(|value| value as usize)),
                    Reason::Confidence,
                )?;
            }
            Ok(candidates)
        };
        Self(MatchInput::of_each_combination().map(accepting).collect())
    }

    #[inline(always)]
    fn accepting(&self, input: &MatchInput<'_>) -> Result<&IntegrationSet, Reason> {
        match self.0.get(input.combination()) {
            Some(Ok(set)) => Ok(set),
            Some(Err(reason)) => Err(*reason),
            None => Err(Reason::NoIntegration),
        }
    }
}

/// The integrations of each kind.
struct KindSets([IntegrationSet; Kind::ALL.len()]);

impl KindSets {
    fn new(size: usize) -> Self {
        Self(core::array::from_fn(|_| IntegrationSet::new(size)))
    }

    fn insert(&mut self, kind: Kind, index: usize) {
        if let Some(set) = self.0.get_mut(kind as usize) {
            set.insert(index);
        }
    }

    fn of(&self, kind: Kind) -> &IntegrationSet {
        let [detections, selections, activity] = &self.0;
        match kind {
            Kind::Detection => detections,
            Kind::Selection => selections,
            Kind::Activity => activity,
        }
    }
}

/// The integrations that accept each value of a closed list.
struct ValueSets<const N: usize> {
    known: [IntegrationSet; N],
    /// The integrations without the clause, which also accept an unknown value.
    unknown: IntegrationSet,
}

impl<const N: usize> ValueSets<N> {
    fn new(size: usize) -> Self {
        Self {
            known: core::array::from_fn(|_| IntegrationSet::new(size)),
            unknown: IntegrationSet::new(size),
        }
    }

    fn insert(&mut self, index: usize, values: impl ExactSizeIterator<Item = usize>) {
        if values.len() == 0 {
            self.known.iter_mut().chain([&mut self.unknown]).for_each(|set| set.insert(index));
        }
        for value in values {
            if let Some(set) = self.known.get_mut(value) {
                set.insert(index);
            }
        }
    }

    fn accepting(&self, value: Option<usize>) -> &IntegrationSet {
        value.and_then(|value| self.known.get(value)).unwrap_or(&self.unknown)
    }
}

/// All patterns over one field.
struct FieldPatterns {
    search: Option<CandidateSearch>,
    /// The integrations without a match clause.
    without_match: IntegrationSet,
    accepted: IntegrationSet,
    rejected: IntegrationSet,
}

struct CandidateSearch {
    patterns: pattern::PatternSet,
    /// For each pattern, the integrations with it as `…-match` and as `…-no-match`.
    users: Vec<[Option<IntegrationSet>; 2]>,
    /// The integrations with either clause.
    with_clause: IntegrationSet,
}

impl FieldPatterns {
    fn new(
        integrations: &[Integration],
        source: &mut impl PatternSource,
        clauses: impl Fn(&DataFilter) -> [&Option<String>; 2],
    ) -> Result<Self, BuildError> {
        let size = integrations.len();
        let mut patterns: Vec<&str> = Vec::new();
        let mut users: Vec<[Option<IntegrationSet>; 2]> = Vec::new();
        let mut without_match = IntegrationSet::new(size);
        let mut with_clause = IntegrationSet::new(size);
        for (index, integration) in integrations.iter().enumerate() {
            let clauses = clauses(&integration.filter);
            if clauses.first().is_some_and(|clause| clause.is_none()) {
                without_match.insert(index);
            }
            for (side, clause) in clauses.into_iter().enumerate() {
                let Some(pattern) = clause else { continue };
                with_clause.insert(index);
                let at = patterns.iter().position(|known| known == pattern).unwrap_or_else(|| {
                    patterns.push(pattern);
                    users.push([None, None]);
                    patterns.len().saturating_sub(1)
                });
                if let Some(set) = users.get_mut(at).and_then(|sides| sides.get_mut(side)) {
                    set.get_or_insert_with(|| IntegrationSet::new(size)).insert(index);
                }
            }
        }
        let search = if patterns.is_empty() {
            None
        } else {
            Some(CandidateSearch { patterns: source.set(&patterns)?, users, with_clause })
        };
        Ok(Self {
            search,
            without_match,
            accepted: IntegrationSet::new(size),
            rejected: IntegrationSet::new(size),
        })
    }

    /// Keeps the candidates whose match clause occurs in the text.
    /// Candidates whose no-match clause occurs in it are removed. `no_match` and `excluded` are the reasons if none
    /// remains.
    fn retain_matching(
        &mut self,
        text: &[u8],
        candidates: &mut IntegrationSet,
        no_match: Reason,
        excluded: Reason,
    ) -> Result<(), Reason> {
        let Self { search: Some(search), without_match, accepted, rejected } = self else { return Ok(()) };
        if !candidates.intersects(&search.with_clause) {
            return Ok(());
        }
        let users = &search.users;
        let mut any = false;
        search.patterns.for_each_found(text, |pattern| {
            let Some([matching, not_matching]) = users.get(pattern) else { return };
            if !core::mem::replace(&mut any, true) {
                accepted.copy_from(without_match);
                rejected.clear();
            }
            for (all, set) in [(&mut *accepted, matching), (&mut *rejected, not_matching)] {
                if let Some(set) = set {
                    all.union_with(set);
                }
            }
        });
        if !any {
            return candidates.intersect(without_match, no_match);
        }
        candidates.intersect(accepted, no_match)?;
        candidates.subtract(rejected, excluded)
    }
}

/// A set of integrations, by index.
/// Nearly all configurations have fewer than 64, which fit into `first`.
#[derive(Clone)]
struct IntegrationSet {
    first: u64,
    rest: Box<[u64]>,
}

impl IntegrationSet {
    fn new(size: usize) -> Self {
        Self { first: 0, rest: vec![0; size.saturating_sub(1) / 64].into_boxed_slice() }
    }

    fn insert(&mut self, index: usize) {
        let word = match (index / 64).checked_sub(1) {
            None => Some(&mut self.first),
            Some(word) => self.rest.get_mut(word),
        };
        if let Some(word) = word {
            *word |= 1 << (index % 64);
        }
    }

    fn clear(&mut self) {
        self.first = 0;
        self.rest.fill(0);
    }

    #[inline]
    fn copy_from(&mut self, other: &Self) {
        self.combine(other, |_, other| other);
    }

    fn union_with(&mut self, other: &Self) {
        self.combine(other, |word, other| word | other);
    }

    /// Intersects with `accepting`; if the result is empty, fails with `otherwise`.
    #[inline]
    fn intersect(&mut self, accepting: &Self, otherwise: Reason) -> Result<(), Reason> {
        let left = self.combine(accepting, |word, accepting| word & accepting);
        if left == 0 { Err(otherwise) } else { Ok(()) }
    }

    /// Removes the members of `rejecting`; if none remains, fails with `otherwise`.
    fn subtract(&mut self, rejecting: &Self, otherwise: Reason) -> Result<(), Reason> {
        let left = self.combine(rejecting, |word, rejecting| word & !rejecting);
        if left == 0 { Err(otherwise) } else { Ok(()) }
    }

    /// Combines each `u64` with the corresponding one of another set; returns the union of the results.
    #[inline]
    fn combine(&mut self, other: &Self, change: impl Fn(u64, u64) -> u64) -> u64 {
        self.first = change(self.first, other.first);
        if self.rest.is_empty() {
            return self.first;
        }
        let mut all = self.first;
        for (word, other) in self.rest.iter_mut().zip(&other.rest) {
            *word = change(*word, *other);
            all |= *word;
        }
        all
    }

    fn any(&self) -> bool {
        self.first != 0 || self.rest.iter().any(|word| *word != 0)
    }

    fn intersects(&self, other: &Self) -> bool {
        self.first & other.first != 0
            || self.rest.iter().zip(&other.rest).any(|(word, other)| word & other != 0)
    }

    fn first(&self) -> Option<usize> {
        let words = core::iter::once(&self.first).chain(&self.rest);
        let (index, word) = words.enumerate().find(|(_, word)| **word != 0)?;
        Some(index.saturating_mul(64).saturating_add(word.trailing_zeros() as usize))
    }
}
