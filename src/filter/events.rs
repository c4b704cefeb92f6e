//! Turns audit events into findings: a selection for each rule that selects an event, and activity records.

use alloc::string::String;
use alloc::vec::Vec;

use crate::audit::{
    Evaluation, Event, EventBuffers, EventField, EventOptions, RecentRequests, StageOption, selection,
};
use crate::config::Audit;
#[cfg(feature = "detect")]
use crate::detect::{Detector, contributions};
use crate::entry::{Entry, Mark};
#[cfg(feature = "detect")]
use crate::finding::DetectionKind;
use crate::finding::Kind;
use crate::pattern::{BuildError, PatternSource};
use crate::policy::{CompiledPolicy, ReportedRule};
#[cfg(feature = "compile")]
use crate::policy::{ExplainedRule, PolicyExplainer};
use crate::record::{Document, Record};
use crate::source::{Found, FoundEvent, Members, Recogniser};
use crate::stats::Reason;
use crate::time::Time;

/// The counters of one rule of the policy, since the configuration was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleCount<'f> {
    /// The rule's id.
    pub id: &'f str,
    /// The rule's name.
    pub name: &'f str,
    /// Whether matches are selections (`status`). Other rules are only referred to, and count nothing.
    pub status: bool,
    /// Events that the rule selected.
    pub selected: u64,
    /// Events for which the rule could not be decided, because the request body or another part was missing.
    pub undecided: u64,
}

/// Evaluates the policy on audit events.
pub(super) struct EventStage {
    policy: CompiledPolicy,
    rules: Vec<ReportedRule>,
    /// For each rule, the number of events that it selected.
    selected: Vec<u64>,
    options: EventOptions,
    stages: StageOption,
    recent: RecentRequests,
    /// Whether an integration takes activity records.
    activity: bool,
    buffers: EventBuffers,
    /// The rules that select the current event.
    matched: Vec<usize>,
    /// `None`: no detections are made.
    #[cfg(feature = "detect")]
    pub detector: Option<Detector>,
    /// The record of the current finding.
    pub text: String,
    /// Reads that record.
    pub reader: Recogniser,
}

impl EventStage {
    /// Compiles a policy. `activity`: whether an integration takes activity records.
    pub fn new(
        config: &Audit,
        activity: bool,
        seed: u64,
        source: &mut impl PatternSource,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            policy: CompiledPolicy::new(&config.policy, source)?,
            rules: ReportedRule::all(&config.policy),
            selected: vec![0; config.policy.rules.len()],
            options: config.fields.clone(),
            stages: config.stages,
            recent: RecentRequests::new(seed),
            activity,
            buffers: EventBuffers::default(),
            matched: Vec::new(),
            #[cfg(feature = "detect")]
            detector: config.detect.as_ref().map(Detector::new),
            text: String::new(),
            reader: Recogniser::new(&[], false),
        })
    }

    /// Takes over the recent requests and the baselines of the stage of the previous configuration.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, old: Self) {
        self.recent = old.recent;
        #[cfg(feature = "detect")]
        if let (Some(detector), Some(old)) = (&mut self.detector, old.detector) {
            detector.adopt(old);
        }
    }

    /// Calls `on` with each finding that an event becomes.
    ///
    /// Returns the number of rules that could not be decided, because a part of the event is missing.
    ///
    /// # Errors
    /// The reason for which it becomes none, and that number.
    pub fn evaluate(
        &mut self,
        found: &FoundEvent<'_, '_>,
        now: Time,
        on: &mut dyn FnMut(&Found<'_, '_>),
    ) -> Result<u64, (Reason, u64)> {
        let Self {
            policy,
            rules,
            selected,
            options,
            stages,
            recent,
            activity,
            buffers,
            matched,
            #[cfg(feature = "detect")]
            detector,
            text,
            reader,
        } = self;
        let FoundEvent { record, members, form, cluster } = *found;
        let mut event = Event::new(record, members, form, options, cluster, buffers);
        match event.evaluation(*stages) {
            Evaluation::Never => return Err((Reason::Stage, 0)),
            Evaluation::Start if !remember(&mut event, recent) => return Err((Reason::DuplicateStage, 0)),
            Evaluation::UnlessStarted if is_known(&mut event, recent) => {
                return Err((Reason::DuplicateStage, 0));
            }
            Evaluation::Always | Evaluation::Start | Evaluation::UnlessStarted => (),
        }
        #[cfg(feature = "detect")]
        if let Some(detector) = detector {
            detector.observe(&mut event);
        }
        matched.clear();
        let undecided = policy.evaluate(&mut event, |rule| matched.push(rule));
        for &rule in &*matched {
            selected.get_mut(rule).into_iter().for_each(|count| *count = count.saturating_add(1));
        }
        if matched.is_empty() && !*activity {
            return Err((Reason::NoRule, undecided));
        }
        for rule in matched.iter().copied().map(Some).chain(activity.then_some(None)) {
            let rule = rule.and_then(|rule| rules.get(rule));
            let (name, body_fields) =
                rule.map_or((None, &[][..]), |rule| (Some(&*rule.name), &rule.body_fields));
            selection::write(&mut event, name, now, body_fields, text);
            read(reader, text, rule, on);
        }
        Ok(undecided)
    }

    /// Forgets the results of recent events.
    #[cfg(feature = "compile")]
    pub fn forget_recent(&mut self) {
        self.policy.forget_recent();
    }

    /// Returns the counters of all rules, in the order of the policy.
    pub fn rule_counts(&self) -> impl Iterator<Item = RuleCount<'_>> {
        let counts = self.selected.iter().zip(self.policy.undecided());
        self.rules.iter().zip(counts).map(|(rule, (&selected, &undecided))| RuleCount {
            id: &rule.id,
            name: &rule.name,
            status: rule.status,
            selected,
            undecided,
        })
    }

    /// Calls `on` with the finding in a text that [`Self::evaluate`] gave.
    pub fn read_again(&mut self, text: &[u8], rule: Option<usize>, on: &mut dyn FnMut(&Found<'_, '_>)) {
        read(&mut self.reader, text, rule.and_then(|rule| self.rules.get(rule)), on);
    }
}

/// Adds the properties of a rule to the entry of its selection.
pub(super) fn mark_rule(rule: &ReportedRule, entry: &mut Entry<'_>) {
    let text = |text: &String| Document::str(text.clone());
    let mut mark = Document::map([("id", text(&rule.id))]);
    if !rule.documentation.is_empty() {
        mark.insert("documentation", text(&rule.documentation));
    }
    if !rule.tags.is_empty() {
        mark.insert("tags", Document::list(rule.tags.iter().map(text)));
    }
    entry.mark(Mark::Rule, mark);
}

/// Remembers the request of an event; returns whether it is new.
fn remember(event: &mut Event<'_, '_>, recent: &mut RecentRequests) -> bool {
    with_identity(event, |id, user| recent.insert(id, user))
}

/// Whether the request of an event is remembered.
fn is_known(event: &mut Event<'_, '_>, recent: &RecentRequests) -> bool {
    with_identity(event, |id, user| recent.contains(id, user))
}

/// Calls `on` with the id and the user that identify the request of an event.
fn with_identity(event: &mut Event<'_, '_>, on: impl FnOnce(&[u8], &[u8]) -> bool) -> bool {
    let mut id = String::new();
    let id = event.id().map_or("", |text| text.decode(&mut id));
    let user = event.text(EventField::Principal).unwrap_or_default();
    on(id.as_bytes(), user.as_bytes())
}

/// Reads the record of an event back as a finding.
fn read(
    reader: &mut Recogniser,
    text: &(impl AsRef<[u8]> + ?Sized),
    rule: Option<&ReportedRule>,
    on: &mut dyn FnMut(&Found<'_, '_>),
) {
    let mut members = Members::default();
    let Ok(scan) = reader.members(Record::json(text), &mut members) else { return };
    let kind = if rule.is_some() { Kind::Selection } else { Kind::Activity };
    on(&Found { kind, members: &members, scan: &scan, copies: Vec::new(), rule });
}

/// Explains the policy's result for events.
#[cfg(feature = "compile")]
pub(super) struct EventExplainer {
    policy: PolicyExplainer,
    /// Whether detections are made.
    #[cfg(feature = "detect")]
    detects: bool,
    options: EventOptions,
    buffers: EventBuffers,
}

#[cfg(feature = "compile")]
impl EventExplainer {
    pub fn new(config: &Audit) -> Result<Self, BuildError> {
        let policy = PolicyExplainer::new(&config.policy)?;
        Ok(Self {
            policy,
            #[cfg(feature = "detect")]
            detects: config.detect.is_some(),
            options: config.fields.clone(),
            buffers: EventBuffers::default(),
        })
    }

    /// Returns the kinds of detections that an event contributes to, each with its value.
    #[cfg(feature = "detect")]
    pub fn contributions(&mut self, found: &FoundEvent<'_, '_>) -> Vec<(DetectionKind, String)> {
        if !self.detects {
            return Vec::new();
        }
        let FoundEvent { record, members, form, cluster } = *found;
        contributions(&mut Event::new(record, members, form, &self.options, cluster, &mut self.buffers))
    }

    /// Returns all rules with their values for an event.
    pub fn explain(&mut self, found: &FoundEvent<'_, '_>) -> Vec<ExplainedRule> {
        let FoundEvent { record, members, form, cluster } = *found;
        let mut event = Event::new(record, members, form, &self.options, cluster, &mut self.buffers);
        self.policy.explain(&mut event)
    }
}

/// Returns the time at which the API server received the request of an event.
pub(super) fn event_time(found: &FoundEvent<'_, '_>) -> Option<Time> {
    found.members.time(found.record)
}
