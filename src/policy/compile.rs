//! Compiles a policy into tables.
//!
//! All tests of one kind on one field are a *probe*: one table of words, one table of networks, or one set of patterns. The
//! distinct tests of a probe without their negation are its *atoms*. A probe computes all its atoms at once from the
//! field's value, and removes the rules that they refute from the candidates. Decision: sets of rules instead of a loop
//! over rules, as in `matcher`: a word that selects one of a thousand rules costs one access of a table.
//!
//! Which rules a probe refutes follows from the rules, with their references expanded ([`Facts`]): a rule may need one of
//! some atoms, and be refuted by others. The evaluation of the remaining candidates decides exactly.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use core::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::model::{CombineOp, Condition, MAX_DEPTH, MAX_RULES, MAX_VALUES, Operand, Policy};
use super::recent::RecentValues;
use super::rule_set::{Bits, RuleSet};
use crate::audit::net::Network;
use crate::audit::{EventField, EventPart, FieldRef, FieldValue};
use crate::pattern::{BuildError, PatternSet, PatternSource};

/// The maximum number of atoms of each kind in [`Facts`]; more would only remove more candidates.
const MAX_FACTS: usize = 256;
/// The text between the values of a list, when they are compared as one text.
pub(super) const SEPARATOR: &str = "; ";

/// A rule whose conditions refer to atoms and to other rules.
#[derive(Default)]
pub(super) struct CompiledRule {
    pub(super) and: bool,
    /// The cheapest first.
    pub(super) terms: Box<[Term]>,
}

/// A condition of a compiled rule.
#[derive(Clone, Copy)]
pub(super) struct Term {
    /// The number of the condition in its rule, for explanations.
    #[cfg_attr(not(feature = "compile"), expect(dead_code, reason = "a guest explains nothing"))]
    pub(super) condition: usize,
    pub(super) negated: bool,
    pub(super) target: Target,
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    Atom(AtomId),
    Rule(usize),
}

/// An atom, by its probe and its index in the probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AtomId {
    pub(super) probe: usize,
    pub(super) atom: usize,
}

/// All tests of one kind on one field, with the state of one event.
pub(super) struct Probe {
    /// The field comes from the request body.
    pub(super) body: bool,
    /// The part of the event that alone determines the field.
    pub(super) part: Option<EventPart>,
    finder: Finder,
    /// The effects of each table entry of the finder.
    effects: Box<[Effect]>,
    /// The rules that are false unless an atom is true.
    needed: Bits,
    /// The rules that the probe may refute.
    pub(super) relevant: Bits,
    /// The number of the event of which the state is.
    pub(super) event: u64,
    /// The value is unknown.
    pub(super) unknown: bool,
    /// For each atom, the number of the last event for which it was true.
    found: Box<[u64]>,
    /// For each effect, the number of the last event that had it.
    had: Box<[u64]>,
    /// The effects of the event.
    hits: Vec<usize>,
    joined: String,
    /// The rules that may still match; kept for its allocation.
    allowed: Bits,
}

/// The consequences of one table entry.
struct Effect {
    /// The atoms that are true.
    atoms: Box<[usize]>,
    /// The rules that need one of these atoms.
    allows: RuleSet,
    /// The rules that are false if one of these atoms is true.
    refuses: RuleSet,
}

enum Finder {
    Words(WordTable),
    Networks(NetworkTable),
    Patterns(PatternSet, RecentValues),
}

/// Effects by word; the empty word is an absent value.
struct WordTable {
    words: HashMap<Box<str>, usize, FixedState>,
    /// The length of the longest word, in bytes.
    longest: usize,
    /// A word has the form of joined values.
    joined: bool,
}

/// Effects by address: the first address of each range and the effect of the range.
#[derive(Default)]
struct NetworkTable {
    v4: Vec<(u128, Option<usize>)>,
    v6: Vec<(u128, Option<usize>)>,
}

/// The facts about a rule, or its negation, that follow from its conditions alone.
///
/// They may be incomplete, but each of them is true.
#[derive(Clone, Default)]
struct Facts {
    /// For a probe, atoms of which one must be true, else the rule is false.
    needs: BTreeMap<usize, BTreeSet<usize>>,
    /// The atoms of which each alone makes the rule false.
    refuted_by: BTreeSet<AtomId>,
}

/// The kind of a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ProbeKind {
    Words,
    Networks,
    Patterns,
}

/// An atom before it is compiled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum AtomKey {
    Words(Vec<String>),
    Networks(Vec<Network>),
    Pattern(String),
}

/// A probe before it is compiled.
struct ProbeDraft {
    field: FieldRef,
    kind: ProbeKind,
    atoms: Vec<AtomKey>,
}

impl ProbeDraft {
    /// Estimates the cost of the probe: the cost of the field, then the cost of the search.
    fn cost(&self) -> usize {
        let search: usize = match self.kind {
            ProbeKind::Words => 1,
            ProbeKind::Networks => 2,
            ProbeKind::Patterns => 3,
        };
        search.saturating_add(field_cost(&self.field))
    }
}

/// Estimates the cost of a field: its distance from the beginning of an event, and its computation.
fn field_cost(field: &FieldRef) -> usize {
    use EventField as F;
    match field {
        FieldRef::Known(F::Level | F::Stage | F::Verb) => 1,
        FieldRef::Known(
            F::Principal
            | F::Username
            | F::ResourceType
            | F::ResourceNamespace
            | F::Subresource
            | F::ApiGroup
            | F::AccessType
            | F::Uri,
        ) => 2,
        FieldRef::Known(
            F::UserId
            | F::UserGroups
            | F::CallerIp
            | F::OriginalUserAgent
            | F::ApiVersion
            | F::ResourceName
            | F::ResourceObjectName
            | F::StatusCode
            | F::Cluster,
        ) => 3,
        FieldRef::Known(_) | FieldRef::UserAgentProduct(_) | FieldRef::UserExtra(_) => 5,
    }
}

/// The tables of a policy.
pub(super) struct Tables {
    /// By index in the policy.
    pub(super) rules: Vec<CompiledRule>,
    /// The indices of the rules whose status is true.
    pub(super) reported: Vec<usize>,
    /// In the order in which they run.
    pub(super) probes: Vec<Probe>,
    /// The field of each probe.
    pub(super) fields: Vec<FieldRef>,
}

/// Compiles the rules that are reported, and the rules to which they refer.
///
/// # Errors
/// The policy exceeds a limit, its references have a cycle, or its patterns are too large together.
pub(super) fn compile(policy: &Policy, source: &mut impl PatternSource) -> Result<Tables, BuildError> {
    let order = checked_order(policy)?;
    let reported: Vec<usize> =
        policy.rules.iter().enumerate().filter_map(|(index, rule)| rule.status.then_some(index)).collect();
    let (drafts, mut rules) = collect_atoms(policy, &policy.used_rules(&order));
    let facts = Facts::of_rules(&rules, &order);
    let facts: Vec<&Facts> =
        reported.iter().filter_map(|rule| facts.get(*rule)).map(|[facts, _]| facts).collect();

    let probe_order = probe_order(&drafts, &facts);
    let (mut probes, mut fields) = (Vec::new(), Vec::new());
    let mut positions = vec![0; drafts.len()];
    for &index in &probe_order {
        let Some(draft) = drafts.get(index) else { continue };
        positions.get_mut(index).into_iter().for_each(|position| *position = probes.len());
        fields.push(draft.field.clone());
        probes.push(Probe::new(draft, index, &facts, source)?);
    }
    renumber(&mut rules, &positions, &order, &probes);
    Ok(Tables { rules, reported, probes, fields })
}

/// Checks the limits, and returns the rules in the order of their references.
fn checked_order(policy: &Policy) -> Result<Vec<usize>, BuildError> {
    let order = policy.in_reference_order();
    let error = |message: String| Err(BuildError(message));
    if policy.rules.len() > MAX_RULES {
        return error(format!("the policy has more than {MAX_RULES} rules"));
    }
    if order.len() < policy.rules.len() {
        return error("rules of the policy refer to each other in a cycle, or to no rule".to_owned());
    }
    if policy.depths(&order).into_iter().max() > Some(MAX_DEPTH) {
        return error(format!("more than {MAX_DEPTH} rules of the policy refer to each other in a row"));
    }
    if policy.values() > MAX_VALUES {
        return error(format!("the policy has more than {MAX_VALUES} values"));
    }
    Ok(order)
}

/// Finds the distinct atoms of all rules in use.
fn collect_atoms(policy: &Policy, used: &[bool]) -> (Vec<ProbeDraft>, Vec<CompiledRule>) {
    let mut drafts: Vec<ProbeDraft> = Vec::new();
    let mut probes: BTreeMap<(FieldRef, ProbeKind), usize> = BTreeMap::new();
    let mut atoms: BTreeMap<(usize, AtomKey), usize> = BTreeMap::new();
    let mut atom_of = |field: &FieldRef, key: AtomKey| {
        let probe = *probes.entry((field.clone(), key.kind())).or_insert_with(|| {
            drafts.push(ProbeDraft { field: field.clone(), kind: key.kind(), atoms: Vec::new() });
            drafts.len().saturating_sub(1)
        });
        let known = drafts.get_mut(probe).map(|draft| &mut draft.atoms);
        let atom = *atoms.entry((probe, key.clone())).or_insert_with(|| {
            known.map_or(0, |known| {
                known.push(key);
                known.len().saturating_sub(1)
            })
        });
        AtomId { probe, atom }
    };
    let mut rules = Vec::new();
    for (rule, used) in policy.rules.iter().zip(used) {
        let conditions = if *used { rule.conditions.as_slice() } else { &[] };
        let terms = conditions.iter().enumerate().map(|(number, condition)| {
            let (negated, target) = match condition {
                Condition::Ref { rule, negated } => (*negated, Target::Rule(*rule)),
                Condition::Test(test) => {
                    (test.negated, Target::Atom(atom_of(&test.field, AtomKey::of(&test.operand))))
                }
            };
            Term { condition: number, negated, target }
        });
        rules.push(CompiledRule { and: rule.combine_op == CombineOp::And, terms: terms.collect() });
    }
    (drafts, rules)
}

impl Facts {
    /// Returns the facts of each rule, and of its negation.
    fn of_rules(rules: &[CompiledRule], order: &[usize]) -> Vec<[Self; 2]> {
        let mut facts = vec![[Self::default(), Self::default()]; rules.len()];
        for &index in order {
            let Some(rule) = rules.get(index) else { continue };
            let of_rule = [false, true].map(|negated| Self::of_rule(rule, negated, &facts));
            facts.get_mut(index).into_iter().for_each(|facts| facts.clone_from(&of_rule));
        }
        facts
    }

    fn of_rule(rule: &CompiledRule, negated: bool, known: &[[Self; 2]]) -> Self {
        let of_term = |term: &Term| {
            let negated = term.negated != negated;
            match term.target {
                Target::Atom(atom) => Self::of_atom(atom, negated),
                Target::Rule(rule) => {
                    let of_rule =
                        known.get(rule).map(|[plain, opposite]| if negated { opposite } else { plain });
                    of_rule.cloned().unwrap_or_default()
                }
            }
        };
        // The negation of a conjunction is a disjunction of negations.
        let combine = if rule.and == negated { Self::or } else { Self::and };
        rule.terms.iter().map(of_term).reduce(combine).unwrap_or_default()
    }

    fn of_atom(atom: AtomId, negated: bool) -> Self {
        let mut facts = Self::default();
        if negated {
            facts.refuted_by.insert(atom);
        } else {
            facts.needs.insert(atom.probe, BTreeSet::from([atom.atom]));
        }
        facts
    }

    fn and(mut self, other: Self) -> Self {
        for (probe, atoms) in other.needs {
            let known = self.needs.entry(probe).or_insert_with(|| atoms.clone());
            if atoms.len() < known.len() {
                *known = atoms;
            }
        }
        let room = MAX_FACTS.saturating_sub(self.refuted_by.len());
        self.refuted_by.extend(other.refuted_by.into_iter().take(room));
        let mut room = MAX_FACTS;
        self.needs.retain(|_, atoms| {
            let left = room.checked_sub(atoms.len());
            room = left.unwrap_or(room);
            left.is_some()
        });
        self
    }

    fn or(mut self, mut other: Self) -> Self {
        self.needs.retain(|probe, atoms| {
            let Some(others) = other.needs.remove(probe) else { return false };
            atoms.extend(others);
            atoms.len() <= MAX_FACTS
        });
        self.refuted_by.retain(|atom| other.refuted_by.contains(atom));
        self
    }

    /// Returns the atoms of a probe that make the rule false.
    fn refuted_by(&self, probe: usize) -> impl Iterator<Item = usize> {
        let first = |probe| AtomId { probe, atom: 0 };
        self.refuted_by.range(first(probe)..first(probe.saturating_add(1))).map(|atom| atom.atom)
    }
}

/// Returns the order in which the probes run: those that refute many rules at little cost first, body fields last.
fn probe_order(drafts: &[ProbeDraft], facts: &[&Facts]) -> Vec<usize> {
    let mut order: Vec<(bool, usize, usize, usize)> = Vec::new();
    for (probe, draft) in drafts.iter().enumerate() {
        let needed = facts.iter().filter(|facts| facts.needs.contains_key(&probe)).count();
        let refutable = facts.iter().filter(|facts| facts.refuted_by(probe).next().is_some()).count();
        let gain = needed.saturating_mul(2).saturating_add(refutable);
        order.push((draft.field.is_body(), gain, draft.cost(), probe));
    }
    // A rule that needs an atom of the probe is refuted by most events.
    order.sort_by(|(body, gain, cost, probe), (other_body, other_gain, other_cost, other)| {
        let [gain, other_gain] = [gain.saturating_mul(*other_cost), other_gain.saturating_mul(*cost)];
        body.cmp(other_body).then(other_gain.cmp(&gain)).then(cost.cmp(other_cost)).then(probe.cmp(other))
    });
    order.into_iter().map(|(.., probe)| probe).collect()
}

/// Replaces the numbers of probes, and sorts the terms of each rule by cost.
fn renumber(rules: &mut [CompiledRule], positions: &[usize], order: &[usize], probes: &[Probe]) {
    // A reference costs as much as the last probe that it may need.
    let mut last: Vec<usize> = vec![0; rules.len()];
    for &index in order {
        let Some(rule) = rules.get_mut(index) else { continue };
        for term in &mut rule.terms {
            if let Target::Atom(atom) = &mut term.target {
                atom.probe = positions.get(atom.probe).copied().unwrap_or(probes.len());
            }
        }
        let cost = |term: &Term| match term.target {
            Target::Atom(atom) => atom.probe,
            Target::Rule(rule) => last.get(rule).copied().unwrap_or(0),
        };
        rule.terms.sort_by_key(cost);
        let of_rule = rule.terms.last().map_or(0, cost);
        last.get_mut(index).into_iter().for_each(|last| *last = of_rule);
    }
}

impl Probe {
    /// Compiles a probe; `index` is its number in the facts, one for each reported rule.
    fn new(
        draft: &ProbeDraft,
        index: usize,
        facts: &[&Facts],
        source: &mut impl PatternSource,
    ) -> Result<Self, BuildError> {
        let (mut needed, mut relevant) = (Bits::empty(facts.len()), Bits::empty(facts.len()));
        let mut sets = vec![AtomRules::default(); draft.atoms.len()];
        for (rule, facts) in facts.iter().enumerate() {
            if let Some(atoms) = facts.needs.get(&index) {
                needed.insert(rule);
                relevant.insert(rule);
                for atom in atoms {
                    sets.get_mut(*atom).into_iter().for_each(|sets| sets.allows.push(rule));
                }
            }
            for atom in facts.refuted_by(index) {
                relevant.insert(rule);
                sets.get_mut(atom).into_iter().for_each(|sets| sets.refuses.push(rule));
            }
        }
        let mut effects =
            EffectBuilder { sets, rules: facts.len(), effects: Vec::new(), known: BTreeMap::new() };
        let finder = match draft.kind {
            ProbeKind::Words => Finder::Words(WordTable::new(&draft.atoms, &mut effects)),
            ProbeKind::Networks => Finder::Networks(NetworkTable::new(&draft.atoms, &mut effects)),
            ProbeKind::Patterns => {
                let patterns: Vec<&str> = draft.atoms.iter().filter_map(AtomKey::pattern).collect();
                for atom in 0..patterns.len() {
                    effects.effect(vec![atom]);
                }
                Finder::Patterns(source.set(&patterns)?, RecentValues::default())
            }
        };
        let effects = effects.effects;
        Ok(Self {
            body: draft.field.is_body(),
            part: draft.field.part(),
            finder,
            needed,
            relevant,
            event: 0,
            unknown: false,
            found: vec![0; draft.atoms.len()].into(),
            had: vec![0; effects.len()].into(),
            effects: effects.into(),
            hits: Vec::new(),
            joined: String::new(),
            allowed: Bits::empty(facts.len()),
        })
    }

    /// Forgets the results of recent searches.
    #[cfg(feature = "compile")]
    pub(super) fn forget_recent(&mut self) {
        if let Finder::Patterns(_, recent) = &mut self.finder {
            *recent = RecentValues::default();
        }
    }

    /// Computes all atoms for the value of an event.
    pub(super) fn run(&mut self, event: u64, value: FieldValue<'_>) {
        #[cfg(test)]
        super::work::count();
        self.event = event;
        self.unknown = value == FieldValue::Unknown;
        self.hits.clear();
        let Self { finder, effects, found, had, hits, joined, .. } = self;
        let mut hit = |index: usize| {
            if had.get_mut(index).is_none_or(|had| core::mem::replace(had, event) == event) {
                return;
            }
            hits.push(index);
            for &atom in effects.get(index).iter().flat_map(|effect| &effect.atoms) {
                found.get_mut(atom).into_iter().for_each(|found| *found = event);
            }
        };
        match value {
            FieldValue::Unknown => {}
            FieldValue::Absent | FieldValue::Text("") | FieldValue::List([]) => finder.absent(&mut hit),
            FieldValue::Text(text) => finder.search(text, &mut hit),
            FieldValue::List(values) => {
                for value in values {
                    finder.search(value, &mut hit);
                }
                if values.len() > 1 && finder.searches_joined() {
                    join(values, joined);
                    finder.search(joined, &mut hit);
                }
            }
        }
    }

    /// Removes the candidates that the value refutes.
    pub(super) fn prune(&mut self, candidates: &mut Bits) {
        if self.unknown {
            return;
        }
        if self.hits.is_empty() {
            candidates.subtract(&self.needed);
            return;
        }
        self.allowed.clear();
        for effect in self.hits.iter().filter_map(|hit| self.effects.get(*hit)) {
            effect.allows.add_to(&mut self.allowed);
        }
        candidates.retain_allowed(&self.needed, &self.allowed);
        for effect in self.hits.iter().filter_map(|hit| self.effects.get(*hit)) {
            effect.refuses.remove_from(candidates);
        }
    }

    /// Whether an atom is true.
    pub(super) fn is_found(&self, atom: usize) -> bool {
        self.found.get(atom) == Some(&self.event)
    }
}

/// Joins values as kAudit's records do.
pub(super) fn join(values: &[String], joined: &mut String) {
    joined.clear();
    for value in values {
        if !joined.is_empty() {
            joined.push_str(SEPARATOR);
        }
        joined.push_str(value);
    }
}

impl AtomKey {
    fn of(operand: &Operand) -> Self {
        match operand {
            Operand::Equal(value) => Self::Words(vec![value.clone()]),
            Operand::In(values) => Self::Words(sorted(values.clone())),
            Operand::Networks(networks) => Self::Networks(sorted(networks.clone())),
            Operand::Pattern(pattern) => Self::Pattern(pattern.clone()),
        }
    }

    fn kind(&self) -> ProbeKind {
        match self {
            Self::Words(_) => ProbeKind::Words,
            Self::Networks(_) => ProbeKind::Networks,
            Self::Pattern(_) => ProbeKind::Patterns,
        }
    }

    fn pattern(&self) -> Option<&str> {
        match self {
            Self::Pattern(pattern) => Some(pattern),
            Self::Words(_) | Self::Networks(_) => None,
        }
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// The rules that an atom allows and refuses, in order.
#[derive(Clone, Default)]
struct AtomRules {
    allows: Vec<usize>,
    refuses: Vec<usize>,
}

/// Collects the distinct effects of a probe.
struct EffectBuilder {
    sets: Vec<AtomRules>,
    rules: usize,
    effects: Vec<Effect>,
    known: BTreeMap<Vec<usize>, usize>,
}

impl EffectBuilder {
    /// Returns the index of the effect of these atoms.
    fn effect(&mut self, atoms: Vec<usize>) -> usize {
        if let Some(known) = self.known.get(&atoms) {
            return *known;
        }
        let all = |rules: fn(&AtomRules) -> &Vec<usize>| {
            let sets = atoms.iter().filter_map(|atom| self.sets.get(*atom));
            RuleSet::new(&sorted(sets.flat_map(rules).copied().collect()), self.rules)
        };
        let (allows, refuses) = (all(|sets| &sets.allows), all(|sets| &sets.refuses));
        self.effects.push(Effect { atoms: atoms.clone().into(), allows, refuses });
        let index = self.effects.len().saturating_sub(1);
        self.known.insert(atoms, index);
        index
    }
}

impl Finder {
    /// Calls `hit` with the effect of an absent value. No pattern matches it, and no network contains it.
    fn absent(&self, hit: &mut impl FnMut(usize)) {
        if let Self::Words(table) = self {
            table.words.get("").copied().into_iter().for_each(hit);
        }
    }

    /// Calls `hit` with each effect of a value.
    fn search(&mut self, value: &str, hit: &mut impl FnMut(usize)) {
        #[cfg(test)]
        super::work::count();
        match self {
            Self::Words(table) if value.len() > table.longest => {}
            Self::Words(table) => table.words.get(value).copied().into_iter().for_each(hit),
            Self::Networks(table) => table.find(value).into_iter().for_each(hit),
            Self::Patterns(patterns, recent) => recent.search(value, patterns, hit),
        }
    }

    /// Whether the values of a list are also compared as one text.
    fn searches_joined(&self) -> bool {
        match self {
            Self::Words(table) => table.joined,
            Self::Networks(_) => false,
            Self::Patterns(..) => true,
        }
    }
}

impl WordTable {
    fn new(atoms: &[AtomKey], effects: &mut EffectBuilder) -> Self {
        let mut by_word: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, atom) in atoms.iter().enumerate() {
            let AtomKey::Words(words) = atom else { continue };
            for word in words {
                by_word.entry(word).or_default().push(index);
            }
        }
        let longest = by_word.keys().map(|word| word.len()).max().unwrap_or(0);
        let joined = by_word.keys().any(|word| word.contains(SEPARATOR));
        let words = by_word.into_iter().map(|(word, atoms)| (word.into(), effects.effect(atoms))).collect();
        Self { words, longest, joined }
    }
}

impl NetworkTable {
    fn new(atoms: &[AtomKey], effects: &mut EffectBuilder) -> Self {
        let ranges = |v6: bool| {
            atoms.iter().enumerate().flat_map(move |(index, atom)| {
                let networks = if let AtomKey::Networks(networks) = atom { networks.as_slice() } else { &[] };
                merged(networks.iter().filter_map(move |network| network.range(v6)).collect())
                    .into_iter()
                    .map(move |range| (index, range))
            })
        };
        let mut table = |v6| {
            // At each address the atoms whose range begins there, and those whose range ended before it.
            let mut changes: BTreeMap<u128, Vec<(usize, bool)>> = BTreeMap::new();
            for (atom, (first, last)) in ranges(v6) {
                changes.entry(first).or_default().push((atom, true));
                if let Some(after) = last.checked_add(1) {
                    changes.entry(after).or_default().push((atom, false));
                }
            }
            let mut active = BTreeSet::new();
            let mut table = Vec::new();
            for (address, changes) in changes {
                for (atom, begins) in changes {
                    if begins {
                        active.insert(atom)
                    } else {
                        active.remove(&atom)
                    };
                }
                let effect = (!active.is_empty()).then(|| effects.effect(active.iter().copied().collect()));
                table.push((address, effect));
            }
            table
        };
        Self { v4: table(false), v6: table(true) }
    }

    /// Returns the effect of an address; a text that is no address has none.
    fn find(&self, text: &str) -> Option<usize> {
        let (table, address) = match text.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => (&self.v4, address.to_bits().into()),
            IpAddr::V6(address) => (&self.v6, address.to_bits()),
        };
        let after = table.partition_point(|(first, _)| *first <= address);
        table.get(after.checked_sub(1)?)?.1
    }
}

/// Merges ranges that overlap or are adjacent.
fn merged(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}
