//! A finding's severity: the first row of the table that fits.

use crate::config::{Severity, SeverityRow};
use crate::finding::{Category, Confidence, Kind, MatchInput};
use crate::pattern::{BuildError, Source, Test};

/// The rows that follow the operator's own: incidents and anomalies by confidence (an unknown one counts as medium),
/// selections by authorisation and rule, their counts lower, activity by authorisation.
pub(crate) fn builtin() -> Vec<SeverityRow> {
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

/// Names of policy rules that speak of credentials, of a way into a container, or of more rights.
const SENSITIVE_RULES: &str = "(?i)secret|credential|token|exec|attach|shell|privilege|impersonat|escalat|anonymous|unsafe|cluster-?admin";

/// The compiled table.
pub(crate) struct Table {
    rows: Vec<Row>,
    /// For each combination of all that is not a pattern, an input's and the flags', what is known of it. Decision:
    /// nothing at the start, until it was asked for; a guest of WebAssembly may start anew for each chunk.
    known: Box<[Known]>,
}

#[derive(Clone, Copy)]
enum Known {
    Nothing,
    /// The first row that fits has no pattern.
    Severity(Severity),
    /// The first row that fits but for its patterns.
    Row(u16),
}

/// What a finding's severity depends on besides the input.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    pub non_authorized: bool,
    pub count: bool,
}

impl Flags {
    const COMBINATIONS: usize = 4;

    #[inline(always)]
    fn combination(self) -> usize {
        usize::from(self.non_authorized) << 1 | usize::from(self.count)
    }
}

struct Row {
    clauses: SeverityRow,
    entity: Option<Test>,
    rule: Option<Test>,
    severity: Severity,
}

impl Table {
    /// The operator's rows, then the built-in ones.
    pub fn new(rows: &[SeverityRow], source: &mut impl Source) -> Result<Self, BuildError> {
        Self::of_rows(rows.iter().cloned().chain(builtin()), source)
    }

    /// These rows and no others.
    pub fn of_rows(
        rows: impl Iterator<Item = SeverityRow>,
        source: &mut impl Source,
    ) -> Result<Self, BuildError> {
        let mut compile =
            |pattern: &Option<String>| pattern.as_deref().map(|pattern| source.test(pattern)).transpose();
        let rows = rows.map(|clauses| {
            Ok::<_, BuildError>(Row {
                entity: compile(&clauses.entity)?,
                rule: compile(&clauses.rule)?,
                severity: clauses.severity.unwrap_or(Severity::Info),
                clauses,
            })
        });
        Ok(Self {
            rows: rows.collect::<Result<_, _>>()?,
            known: vec![Known::Nothing; MatchInput::COMBINATIONS * Flags::COMBINATIONS].into_boxed_slice(),
        })
    }

    /// The severity of a finding.
    #[inline]
    pub fn of(&mut self, input: &MatchInput<'_>, flags: Flags) -> Severity {
        let place = input.combination().wrapping_mul(Flags::COMBINATIONS).wrapping_add(flags.combination());
        match self.known.get(place) {
            Some(Known::Severity(severity)) => *severity,
            Some(Known::Row(first)) => self.from(usize::from(*first), *input, flags),
            Some(Known::Nothing) | None => self.learn(place, *input, flags),
        }
    }

    /// The severity of a finding that no row before this fits.
    #[inline(never)]
    fn from(&self, first: usize, input: MatchInput<'_>, flags: Flags) -> Severity {
        let mut rows = self.rows.get(first..).unwrap_or_default().iter();
        let fits = rows.find(|row| row.fits(&input, flags) && row.finds(&input));
        fits.map_or(Severity::Info, |row| row.severity)
    }

    #[inline(never)]
    fn learn(&mut self, place: usize, input: MatchInput<'_>, flags: Flags) -> Severity {
        let first = self.rows.iter().position(|row| row.fits(&input, flags)).unwrap_or(self.rows.len());
        let known = match (self.rows.get(first), u16::try_from(first)) {
            (Some(Row { entity: None, rule: None, severity, .. }), _) => Known::Severity(*severity),
            (_, Ok(first)) => Known::Row(first),
            _ => Known::Nothing,
        };
        if let Some(slot) = self.known.get_mut(place) {
            *slot = known;
        }
        self.from(first, input, flags)
    }
}

impl Row {
    /// Whether the finding is one of those that the row speaks of, but for its patterns.
    fn fits(&self, input: &MatchInput<'_>, flags: Flags) -> bool {
        fn lists<T: PartialEq>(words: &[T], word: Option<T>) -> bool {
            words.is_empty() || word.is_some_and(|word| words.contains(&word))
        }
        let clauses = &self.clauses;
        lists(&clauses.kinds, Some(input.kind))
            && lists(&clauses.etype, input.etype)
            && lists(&clauses.category, input.category)
            && lists(&clauses.confidence, input.confidence)
            && clauses.non_authorized.is_none_or(|wanted| wanted == flags.non_authorized)
            && clauses.count.is_none_or(|wanted| wanted == flags.count)
    }

    fn finds(&self, input: &MatchInput<'_>) -> bool {
        self.entity.as_ref().is_none_or(|test| test.is_match(input.entity))
            && self.rule.as_ref().is_none_or(|test| test.is_match(input.rule))
    }
}
