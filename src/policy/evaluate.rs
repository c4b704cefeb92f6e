//! Evaluates all rules of a policy on one event.
//!
//! All reported rules are candidates at first. A part of an event that was seen before removes the rules that it refuted
//! then. Each probe of a metadata field removes the rules that it refutes; the
//! evaluation ends when none is left, as for most events. A field of the request body is read only if a candidate depends
//! on it and its other conditions are true. The remaining candidates are evaluated one by one; each atom and each rule at
//! most once per event.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::compile::{AtomId, CompiledRule, Probe, Tables, Target, Term, compile};
use super::model::{Policy, Truth};
use super::recent::RecentParts;
use super::rule_set::Bits;
use crate::audit::{EventPart, FieldRef, FieldSource};
use crate::pattern::{BuildError, PatternSource};

/// A policy that is compiled for evaluation.
pub(crate) struct CompiledPolicy {
    /// By index in the policy.
    pub(super) rules: Box<[CompiledRule]>,
    /// The indices of the rules whose status is true.
    pub(super) reported: Box<[usize]>,
    /// All positions in `reported`.
    pub(super) all: Bits,
    /// The positions of the rules that may still match; kept for its allocation.
    pub(super) candidates: Bits,
    /// The parts of an event that some probe depends on.
    parts: Box<[PartProbes]>,
    /// The rules that a part refutes; kept for its allocation.
    refuted: Bits,
    pub(super) state: RuleState,
    pub(super) undecided: Box<[u64]>,
}

/// The probes whose fields depend on one part of an event only.
struct PartProbes {
    part: EventPart,
    probes: Vec<usize>,
    recent: RecentParts,
}

/// The part of a compiled policy that changes with each event.
pub(super) struct RuleState {
    /// In the order in which they run.
    probes: Box<[Probe]>,
    /// The field of each probe.
    fields: Box<[FieldRef]>,
    /// The number of the current event.
    event: u64,
    /// A bit for each part of the event whose refutations were removed from the candidates.
    applied: u8,
    /// For each rule, the last event for which it was evaluated and its value.
    values: Box<[(u64, Truth)]>,
}

impl RuleState {
    pub(super) fn new(probes: Vec<Probe>, fields: Vec<FieldRef>, rules: usize) -> Self {
        let values = vec![(0, Truth::False); rules].into();
        Self { probes: probes.into(), fields: fields.into(), event: 0, applied: 0, values }
    }
}

impl CompiledPolicy {
    /// Compiles the rules that are reported, and the rules to which they refer.
    ///
    /// # Errors
    /// The policy exceeds a limit, its references have a cycle, or its patterns are too large together.
    pub fn new(policy: &Policy, source: &mut impl PatternSource) -> Result<Self, BuildError> {
        let Tables { rules, reported, probes, fields } = compile(policy, source)?;
        let mut parts: BTreeMap<EventPart, Vec<usize>> = BTreeMap::new();
        for (index, probe) in probes.iter().enumerate() {
            probe.part.into_iter().for_each(|part| parts.entry(part).or_default().push(index));
        }
        let parts = parts.into_iter();
        Ok(Self {
            parts: parts
                .map(|(part, probes)| PartProbes { part, probes, recent: RecentParts::default() })
                .collect(),
            refuted: Bits::empty(reported.len()),
            all: Bits::full(reported.len()),
            candidates: Bits::full(reported.len()),
            undecided: vec![0; policy.rules.len()].into(),
            state: RuleState::new(probes, fields, policy.rules.len()),
            reported: reported.into(),
            rules: rules.into(),
        })
    }

    /// Calls `on` with the index of each rule that matches and is reported, in the order of the policy.
    ///
    /// Returns the number of rules that depend on a part of the event that is missing, such as its body.
    pub fn evaluate(&mut self, source: &mut impl FieldSource, mut on: impl FnMut(usize)) -> u64 {
        self.begin();
        let mut undecided = 0_u64;
        self.candidates.copy_from(&self.all);
        for index in 0..self.parts.len() {
            self.prune_by_part(index, source);
            if self.candidates.is_empty() {
                return undecided;
            }
        }
        for index in 0..self.state.probes.len() {
            self.prune(index, source);
            if self.candidates.is_empty() {
                return undecided;
            }
        }
        let mut from = 0;
        while let Some(position) = self.candidates.next_common(&self.all, from) {
            from = position.saturating_add(1);
            let Some(&rule) = self.reported.get(position) else { continue };
            match self.value(rule, source) {
                Truth::True => on(rule),
                Truth::Unknown => {
                    undecided = undecided.saturating_add(1);
                    if let Some(missing) = self.undecided.get_mut(rule) {
                        *missing = missing.saturating_add(1);
                    }
                }
                Truth::False => {}
            }
        }
        undecided
    }

    /// Returns for each rule of the policy the number of events for which its value was unknown.
    ///
    /// The request body of these events, or another part, was missing.
    pub fn undecided(&self) -> &[u64] {
        &self.undecided
    }

    /// Forgets the results of recent events.
    #[cfg(feature = "compile")]
    pub fn forget_recent(&mut self) {
        self.parts.iter_mut().for_each(|part| part.recent = RecentParts::default());
        self.state.probes.iter_mut().for_each(Probe::forget_recent);
    }

    /// Begins the next event: all values are computed again.
    pub(super) fn begin(&mut self) {
        self.state.event = self.state.event.wrapping_add(1);
        self.state.applied = 0;
    }

    /// Returns the value of a rule for the current event.
    pub(super) fn value(&mut self, rule: usize, source: &mut impl FieldSource) -> Truth {
        let value = rule_value(&self.rules, &mut self.state, rule, true, source);
        value.unwrap_or(Truth::Unknown)
    }

    /// Returns the value of a condition, by its number in the rule, for the current event.
    #[cfg(feature = "compile")]
    pub(super) fn condition_value(
        &mut self,
        rule: usize,
        condition: usize,
        source: &mut impl FieldSource,
    ) -> Truth {
        let terms = self.rules.get(rule).map(|rule| &rule.terms);
        let term = terms.and_then(|terms| terms.iter().find(|term| term.condition == condition)).copied();
        let value = term.and_then(|term| term_value(&self.rules, &mut self.state, term, true, source));
        value.unwrap_or(Truth::Unknown)
    }

    /// Removes the candidates that a part of the event refutes.
    fn prune_by_part(&mut self, index: usize, source: &mut impl FieldSource) {
        let Self { parts, candidates, refuted, all, state, .. } = self;
        let Some(PartProbes { part, probes, recent }) = parts.get_mut(index) else { return };
        let Some(raw) = source.part(*part).filter(RecentParts::may_store) else { return };
        state.applied |= part.bit();
        if let Some(refuted) = recent.refuted(raw) {
            return candidates.subtract(refuted);
        }
        // All rules that it refutes, and not only those that are still candidates.
        refuted.copy_from(all);
        for &probe in &*probes {
            if let Some(probe) = state.ran(probe, source) {
                probe.prune(refuted);
            }
        }
        refuted.complement_within(all);
        if let Some(raw) = source.part(*part) {
            recent.store(raw, refuted);
        }
        candidates.subtract(refuted);
    }

    /// Removes the candidates that a probe refutes.
    fn prune(&mut self, index: usize, source: &mut impl FieldSource) {
        let Some(probe) = self.state.probes.get(index) else { return };
        let is_applied = probe.part.is_some_and(|part| self.state.applied & part.bit() != 0);
        if is_applied
            || !self.candidates.intersects(&probe.relevant)
            || probe.body && !self.body_is_needed(index, source)
        {
            return;
        }
        if let Some(probe) = self.state.ran(index, source) {
            probe.prune(&mut self.candidates);
        }
    }

    /// Whether a candidate depends on a probe of a body field.
    ///
    /// Removes candidates that are false without it.
    fn body_is_needed(&mut self, index: usize, source: &mut impl FieldSource) -> bool {
        let mut from = 0;
        while let Some(probe) = self.state.probes.get(index)
            && let Some(position) = self.candidates.next_common(&probe.relevant, from)
        {
            from = position.saturating_add(1);
            let Some(&rule) = self.reported.get(position) else { continue };
            match rule_value(&self.rules, &mut self.state, rule, false, source) {
                None => return true,
                Some(Truth::False) => self.candidates.remove(position),
                Some(Truth::True | Truth::Unknown) => {}
            }
        }
        false
    }
}

impl RuleState {
    /// Returns a probe that ran for the current event.
    fn ran(&mut self, index: usize, source: &mut impl FieldSource) -> Option<&mut Probe> {
        let probe = self.probes.get_mut(index)?;
        if probe.event != self.event {
            probe.run(self.event, source.value(self.fields.get(index)?));
        }
        Some(probe)
    }
}

/// Returns the value of a rule.
///
/// Without `body`, no field of the request body is read that was not read before; `None`: the value depends on one.
fn rule_value(
    rules: &[CompiledRule],
    state: &mut RuleState,
    index: usize,
    body: bool,
    source: &mut impl FieldSource,
) -> Option<Truth> {
    if let Some((event, value)) = state.values.get(index)
        && *event == state.event
    {
        return Some(*value);
    }
    #[cfg(test)]
    super::work::count();
    let rule = rules.get(index)?;
    // False decides a conjunction, true a disjunction.
    let (decisive, other) = if rule.and { (Truth::False, Truth::True) } else { (Truth::True, Truth::False) };
    let mut value = Some(other);
    for term in &rule.terms {
        match term_value(rules, state, *term, body, source) {
            Some(found) if found == decisive => {
                value = Some(decisive);
                break;
            }
            Some(Truth::Unknown) => value = value.map(|_| Truth::Unknown),
            Some(_) => {}
            None => value = None,
        }
    }
    if let (Some(value), Some(stored)) = (value, state.values.get_mut(index)) {
        *stored = (state.event, value);
    }
    value
}

fn term_value(
    rules: &[CompiledRule],
    state: &mut RuleState,
    term: Term,
    body: bool,
    source: &mut impl FieldSource,
) -> Option<Truth> {
    let value = match term.target {
        Target::Rule(rule) => rule_value(rules, state, rule, body, source)?,
        Target::Atom(atom) => atom_value(state, atom, body, source)?,
    };
    Some(if term.negated { value.negated() } else { value })
}

fn atom_value(
    state: &mut RuleState,
    AtomId { probe: index, atom }: AtomId,
    body: bool,
    source: &mut impl FieldSource,
) -> Option<Truth> {
    #[cfg(test)]
    super::work::count();
    let probe = state.probes.get(index)?;
    if probe.body && !body && probe.event != state.event {
        return None;
    }
    let probe = state.ran(index, source)?;
    Some(match probe.is_found(atom) {
        _ if probe.unknown => Truth::Unknown,
        true => Truth::True,
        false => Truth::False,
    })
}
