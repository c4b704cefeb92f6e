//! Which integration claims a finding.
//!
//! All integrations are asked at once: a clause is a set of those whose own clause accepts the finding's value, and the
//! clauses are intersected one after another. The first integration left, in file order, claims the finding; when none
//! is left, the clause that refused the last ones is the reason. Decision: sets instead of a loop over integrations,
//! which would run the same patterns again and again and grow with the list; here all patterns over one field are asked
//! together, and a thousand integrations are sixteen words.

#![expect(clippy::inline_always, reason = "each finding comes by here, measured")]

use crate::config::{DataFilter, Integration};
use crate::finding::{Category, Confidence, Etype, Kind, MatchInput};
use crate::pattern::{self, BuildError, Source};
use crate::stats::Reason;

/// The compiled data filters of all integrations.
pub(crate) struct Matcher {
    running: Closed,
    stopped: Closed,
    entity: Patterns,
    rule: Patterns,
    /// Those that can still match during a call; kept for its allocation.
    candidates: Set,
}

impl Matcher {
    /// Compiles the integrations that apply; the answer to an input is an index into `integrations`.
    pub fn new(integrations: &[Integration], source: &mut impl Source) -> Result<Self, BuildError> {
        Ok(Self {
            running: Closed::new(integrations, false),
            stopped: Closed::new(integrations, true),
            entity: Patterns::new(integrations, source, |filter| {
                [&filter.entity_match, &filter.entity_no_match]
            })?,
            rule: Patterns::new(integrations, source, |filter| {
                [&filter.rules_match, &filter.rules_no_match]
            })?,
            candidates: Set::new(integrations.len()),
        })
    }

    /// The integration that claims the finding, or why there is none.
    #[inline(always)]
    pub fn claim(&mut self, input: &MatchInput<'_>) -> Result<usize, Reason> {
        self.claim_of(false, input).map_err(|reason| self.stopped_or(reason, *input))
    }

    /// Why there is none: one that would accept the finding is stopped, or else as given.
    #[inline(never)]
    fn stopped_or(&mut self, reason: Reason, input: MatchInput<'_>) -> Reason {
        if self.claim_of(true, &input).is_ok() { Reason::Stopped } else { reason }
    }

    #[inline(always)]
    fn claim_of(&mut self, stopped: bool, input: &MatchInput<'_>) -> Result<usize, Reason> {
        let candidates = &mut self.candidates;
        candidates.copy_from(if stopped { &self.stopped } else { &self.running }.accepting(input)?);
        self.entity.ask(input.entity, candidates, Reason::EntityMatch, Reason::EntityNoMatch)?;
        if input.kind == Kind::Selection {
            self.rule.ask(input.rule, candidates, Reason::RulesMatch, Reason::RulesNoMatch)?;
        }
        candidates.first().ok_or(Reason::NoIntegration)
    }
}

/// For each combination of a kind and words of closed lists, the integrations that accept it, or why there are none.
/// Decision: worked out at the start, so that the clauses that list words cost a finding one look, however many there are.
struct Closed(Box<[Result<Set, Reason>]>);

impl Closed {
    fn new(integrations: &[Integration], stopped: bool) -> Self {
        let size = integrations.len();
        let mut kinds = Kinds::new(size);
        let mut etype = Words::<{ Etype::ALL.len() }>::new(size);
        let mut category = Words::<{ Category::ALL.len() }>::new(size);
        let mut confidence = Words::<{ Confidence::ALL.len() }>::new(size);
        let applying =
            integrations.iter().enumerate().filter(|(_, one)| one.applies && one.stopped == stopped);
        for (index, Integration { kind, filter, .. }) in applying {
            kinds.insert(*kind, index);
            etype.insert(index, filter.etype.iter().map(|&word| word as usize));
            category.insert(index, filter.category.iter().map(|&word| word as usize));
            confidence.insert(index, filter.confidence.iter().map(|&word| word as usize));
        }
        let accepting = |input: MatchInput<'_>| {
            let mut candidates = kinds.of(input.kind).clone();
            if !candidates.any() {
                return Err(Reason::NoIntegration);
            }
            if input.kind == Kind::Detection {
                candidates.keep(etype.accepting(input.etype.map(|word| word as usize)), Reason::Etype)?;
                candidates
                    .keep(category.accepting(input.category.map(|word| word as usize)), Reason::Category)?;
                candidates.keep(
                    confidence.accepting(input.confidence.map(|word| word as usize)),
                    Reason::Confidence,
                )?;
            }
            Ok(candidates)
        };
        Self(MatchInput::of_each_combination().map(accepting).collect())
    }

    #[inline(always)]
    fn accepting(&self, input: &MatchInput<'_>) -> Result<&Set, Reason> {
        match self.0.get(input.combination()) {
            Some(Ok(set)) => Ok(set),
            Some(Err(reason)) => Err(*reason),
            None => Err(Reason::NoIntegration),
        }
    }
}

/// The integrations of each kind.
struct Kinds([Set; Kind::ALL.len()]);

impl Kinds {
    fn new(size: usize) -> Self {
        Self(core::array::from_fn(|_| Set::new(size)))
    }

    fn insert(&mut self, kind: Kind, index: usize) {
        if let Some(set) = self.0.get_mut(kind as usize) {
            set.insert(index);
        }
    }

    fn of(&self, kind: Kind) -> &Set {
        let [detections, selections, activity] = &self.0;
        match kind {
            Kind::Detection => detections,
            Kind::Selection => selections,
            Kind::Activity => activity,
        }
    }
}

/// For each word of a closed list, the integrations that accept it.
struct Words<const N: usize> {
    known: [Set; N],
    /// Those without the clause, which accept a word that is not in the list, too.
    unknown: Set,
}

impl<const N: usize> Words<N> {
    fn new(size: usize) -> Self {
        Self { known: core::array::from_fn(|_| Set::new(size)), unknown: Set::new(size) }
    }

    fn insert(&mut self, index: usize, words: impl ExactSizeIterator<Item = usize>) {
        if words.len() == 0 {
            self.known.iter_mut().chain([&mut self.unknown]).for_each(|set| set.insert(index));
        }
        for word in words {
            if let Some(set) = self.known.get_mut(word) {
                set.insert(index);
            }
        }
    }

    fn accepting(&self, word: Option<usize>) -> &Set {
        word.and_then(|word| self.known.get(word)).unwrap_or(&self.unknown)
    }
}

/// All patterns over one field.
struct Patterns {
    search: Option<Search>,
    /// Integrations with neither of the two clauses.
    without_match: Set,
    accepted: Set,
    refused: Set,
}

struct Search {
    patterns: pattern::Set,
    /// For each pattern, the integrations whose `…-match` it is, and whose `…-no-match`, if there are any.
    uses: Vec<[Option<Set>; 2]>,
    /// Integrations with either clause.
    asking: Set,
}

impl Patterns {
    fn new(
        integrations: &[Integration],
        source: &mut impl Source,
        clauses: impl Fn(&DataFilter) -> [&Option<String>; 2],
    ) -> Result<Self, BuildError> {
        let size = integrations.len();
        let mut patterns: Vec<&str> = Vec::new();
        let mut uses: Vec<[Option<Set>; 2]> = Vec::new();
        let mut without_match = Set::new(size);
        let mut asking = Set::new(size);
        for (index, integration) in integrations.iter().enumerate() {
            let clauses = clauses(&integration.filter);
            if clauses.first().is_some_and(|clause| clause.is_none()) {
                without_match.insert(index);
            }
            for (side, clause) in clauses.into_iter().enumerate() {
                let Some(pattern) = clause else { continue };
                asking.insert(index);
                let at = patterns.iter().position(|known| known == pattern).unwrap_or_else(|| {
                    patterns.push(pattern);
                    uses.push([None, None]);
                    patterns.len().saturating_sub(1)
                });
                if let Some(set) = uses.get_mut(at).and_then(|sides| sides.get_mut(side)) {
                    set.get_or_insert_with(|| Set::new(size)).insert(index);
                }
            }
        }
        let search = if patterns.is_empty() {
            None
        } else {
            Some(Search { patterns: source.set(&patterns)?, uses, asking })
        };
        Ok(Self { search, without_match, accepted: Set::new(size), refused: Set::new(size) })
    }

    /// Keeps those whose match clause is found in the text and whose no-match clause is not.
    fn ask(&mut self, text: &[u8], candidates: &mut Set, no: Reason, yes: Reason) -> Result<(), Reason> {
        let Self { search: Some(search), without_match, accepted, refused } = self else { return Ok(()) };
        if !candidates.meets(&search.asking) {
            return Ok(());
        }
        let uses = &search.uses;
        let mut any = false;
        search.patterns.which(text, |pattern| {
            let Some([matching, not_matching]) = uses.get(pattern) else { return };
            if !core::mem::replace(&mut any, true) {
                accepted.copy_from(without_match);
                refused.clear();
            }
            for (all, set) in [(&mut *accepted, matching), (&mut *refused, not_matching)] {
                if let Some(set) = set {
                    all.add(set);
                }
            }
        });
        if !any {
            return candidates.keep(without_match, no);
        }
        candidates.keep(accepted, no)?;
        candidates.drop(refused, yes)
    }
}

/// A set of integrations, by index. Nearly all configurations have fewer than 64, which are the first word.
#[derive(Clone)]
struct Set {
    first: u64,
    rest: Box<[u64]>,
}

impl Set {
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

    fn add(&mut self, other: &Self) {
        self.combine(other, |word, other| word | other);
    }

    /// Keeps the members that `accepting` has, too; when none is left, that is the reason.
    #[inline]
    fn keep(&mut self, accepting: &Self, otherwise: Reason) -> Result<(), Reason> {
        let left = self.combine(accepting, |word, accepting| word & accepting);
        if left == 0 { Err(otherwise) } else { Ok(()) }
    }

    /// Takes away the members that `refusing` has.
    fn drop(&mut self, refusing: &Self, otherwise: Reason) -> Result<(), Reason> {
        let left = self.combine(refusing, |word, refusing| word & !refusing);
        if left == 0 { Err(otherwise) } else { Ok(()) }
    }

    /// Changes each word by that of another set; the words that came of it, all in one.
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

    fn meets(&self, other: &Self) -> bool {
        self.first & other.first != 0
            || self.rest.iter().zip(&other.rest).any(|(word, other)| word & other != 0)
    }

    fn first(&self) -> Option<usize> {
        let words = core::iter::once(&self.first).chain(&self.rest);
        let (index, word) = words.enumerate().find(|(_, word)| **word != 0)?;
        Some(index.saturating_mul(64).saturating_add(word.trailing_zeros() as usize))
    }
}
