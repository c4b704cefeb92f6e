//! The severity of a finding: the first matching row of the table.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{Severity, SeverityRow};
use crate::finding::{Category, Confidence, Kind, MatchInput};
use crate::pattern::{BuildError, PatternSource, PatternTest};

/// Returns the built-in rows of the severity table, which follow the operator's own.
///
/// Incidents and anomalies are rated by confidence (an unknown one counts as medium), selections by authorisation and
/// rule, their counts lower, activity by authorisation.
pub fn builtin_severities() -> Vec<SeverityRow> {
    let detection = |category: &[Category], confidence: &[Confidence], severity| SeverityRow {
        kinds: vec![Kind::Detection],
        category: category.to_vec(),
        confidence: confidence.to_vec(),
        severity: Some(severity),
        ..SeverityRow::default()
    };
    let entry = |kind, non_authorized, rule: Option<&str>, severity| SeverityRow {
        kinds: vec![kind],
        non_authorized,
        rule: rule.map(str::to_owned),
        severity: Some(severity),
        ..SeverityRow::default()
    };
    vec![
        detection(&[Category::Incident], &[Confidence::High], Severity::Critical),
        detection(&[Category::Incident], &[Confidence::Low], Severity::Warn),
        detection(&[Category::Incident], &[], Severity::Error),
        detection(&[], &[Confidence::High], Severity::Error),
        detection(&[], &[Confidence::Low], Severity::Info),
        detection(&[], &[], Severity::Warn),
        entry(Kind::Selection, Some(true), None, Severity::Error),
        entry(Kind::Selection, None, Some(SENSITIVE_RULES), Severity::Error),
        SeverityRow { count: Some(true), ..entry(Kind::Selection, None, None, Severity::Info) },
        entry(Kind::Selection, None, None, Severity::Warn),
        entry(Kind::Activity, Some(true), None, Severity::Warn),
        entry(Kind::Activity, None, None, Severity::Verbose),
    ]
}

/// Matches policy rules about credentials, container access or privileges.
const SENSITIVE_RULES: &str = "(?i)secret|credential|token|exec|attach|shell|privilege|impersonat|escalat|anonymous|unsafe|cluster-?admin";

/// The compiled table.
pub(crate) struct SeverityTable {
    rows: Vec<CompiledRow>,
    /// The number of the operator's rows, which are the first.
    own_rows: usize,
    /// A cache by the combination of all input values and flags, patterns excepted.
    /// Decision: empty at the start and filled on first use, since a WebAssembly guest may be started again for each
    /// chunk.
    cache: Box<[CachedRow]>,
}

#[derive(Clone, Copy)]
enum CachedRow {
    Unknown,
    /// The first row whose values match has no patterns.
    Severity(Severity),
    /// The index of the first row whose values match; its patterns are not tested.
    FirstCandidate(u16),
}

/// The properties of a finding that rows match on, besides the input.
#[derive(Clone, Copy)]
pub(crate) struct SeverityFlags {
    pub non_authorized: bool,
    pub count: bool,
}

impl SeverityFlags {
    const COMBINATIONS: usize = 4;

    #[inline(always)]
    fn combination(self) -> usize {
        usize::from(self.non_authorized) << 1 | usize::from(self.count)
    }
}

struct CompiledRow {
    clauses: SeverityRow,
    entity: Option<PatternTest>,
    rule: Option<PatternTest>,
    severity: Severity,
}

impl SeverityTable {
    /// Compiles the operator's rows, followed by the built-in ones.
    pub fn new(rows: &[SeverityRow], source: &mut impl PatternSource) -> Result<Self, BuildError> {
        let all = Self::from_rows(rows.iter().cloned().chain(builtin_severities()), source)?;
        Ok(Self { own_rows: rows.len(), ..all })
    }

    /// Compiles only these rows.
    pub fn from_rows(
        rows: impl Iterator<Item = SeverityRow>,
        source: &mut impl PatternSource,
    ) -> Result<Self, BuildError> {
        let mut compile =
            |pattern: &Option<String>| pattern.as_deref().map(|pattern| source.test(pattern)).transpose();
        let rows = rows.map(|clauses| {
            Ok::<_, BuildError>(CompiledRow {
                entity: compile(&clauses.entity)?,
                rule: compile(&clauses.rule)?,
                severity: clauses.severity.unwrap_or(Severity::Info),
                clauses,
            })
        });
        Ok(Self {
            rows: rows.collect::<Result<_, _>>()?,
            own_rows: 0,
            cache: vec![CachedRow::Unknown; MatchInput::COMBINATIONS * SeverityFlags::COMBINATIONS]
                .into_boxed_slice(),
        })
    }

    /// Returns the severity of a finding.
    ///
    /// `rule` is the severity that a selection's rule states: it replaces the built-in rows.
    #[inline]
    pub fn lookup(
        &mut self,
        input: &MatchInput<'_>,
        flags: SeverityFlags,
        rule: Option<Severity>,
    ) -> Severity {
        if let Some(rule) = rule {
            return self.lookup_own(*input, flags, rule);
        }
        let index =
            input.combination().wrapping_mul(SeverityFlags::COMBINATIONS).wrapping_add(flags.combination());
        match self.cache.get(index) {
            Some(CachedRow::Severity(severity)) => *severity,
            Some(CachedRow::FirstCandidate(first)) => {
                self.first_match_from(usize::from(*first), *input, flags)
            }
            Some(CachedRow::Unknown) | None => self.fill_cache(index, *input, flags),
        }
    }

    /// Returns the severity of a selection whose rule states one.
    #[cold]
    fn lookup_own(&self, input: MatchInput<'_>, flags: SeverityFlags, rule: Severity) -> Severity {
        let mut rows = self.rows.iter().take(self.own_rows);
        rows.find(|row| row.matches(&input, flags)).map_or(rule, |row| row.severity)
    }

    /// Returns the severity of the first matching row from this index on.
    #[inline(never)]
    fn first_match_from(&self, first: usize, input: MatchInput<'_>, flags: SeverityFlags) -> Severity {
        let mut rows = self.rows.get(first..).unwrap_or_default().iter();
        rows.find(|row| row.matches(&input, flags)).map_or(Severity::Info, |row| row.severity)
    }

    #[inline(never)]
    fn fill_cache(&mut self, index: usize, input: MatchInput<'_>, flags: SeverityFlags) -> Severity {
        let first =
            self.rows.iter().position(|row| row.matches_values(&input, flags)).unwrap_or(self.rows.len());
        let cached = match (self.rows.get(first), u16::try_from(first)) {
            (Some(CompiledRow { entity: None, rule: None, severity, .. }), _) => {
                CachedRow::Severity(*severity)
            }
            (_, Ok(first)) => CachedRow::FirstCandidate(first),
            _ => CachedRow::Unknown,
        };
        if let Some(slot) = self.cache.get_mut(index) {
            *slot = cached;
        }
        self.first_match_from(first, input, flags)
    }
}

impl CompiledRow {
    /// Returns whether the row matches.
    fn matches(&self, input: &MatchInput<'_>, flags: SeverityFlags) -> bool {
        self.matches_values(input, flags) && self.matches_patterns(input)
    }

    /// Returns whether the row matches, its patterns excepted.
    fn matches_values(&self, input: &MatchInput<'_>, flags: SeverityFlags) -> bool {
        fn accepts<T: PartialEq>(values: &[T], value: Option<T>) -> bool {
            values.is_empty() || value.is_some_and(|value| values.contains(&value))
        }
        let clauses = &self.clauses;
        accepts(&clauses.kinds, Some(input.kind))
            && accepts(&clauses.etype, input.etype)
            && accepts(&clauses.category, input.category)
            && accepts(&clauses.confidence, input.confidence)
            && clauses.non_authorized.is_none_or(|wanted| wanted == flags.non_authorized)
            && clauses.count.is_none_or(|wanted| wanted == flags.count)
    }

    fn matches_patterns(&self, input: &MatchInput<'_>) -> bool {
        self.entity.as_ref().is_none_or(|test| test.is_match(input.entity))
            && self.rule.as_ref().is_none_or(|test| test.is_match(input.rule))
    }
}
