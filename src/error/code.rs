//! The codes of diagnostics: one table with level, title and explanation.
//!
//! A number is never reused, also not after its removal: scripts and notes refer to it.

/// The severity of a [`Diagnostic`](super::Diagnostic).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Useful when the configuration is edited; only `check` reports it.
    Advice,
    /// Valid, but probably a mistake.
    Warning,
    /// The configuration cannot be used.
    Error,
}

impl Level {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $label:literal $level:ident $title:literal $explanation:literal;)*) => {
        /// The kind of a [`super::Diagnostic`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the stable number: `K012`.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// Returns the level of its diagnostics.
            pub fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            /// Returns a short description.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the problem, its effect and the solution, in a few sentences.
            ///
            /// Examples are indented lines.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

impl Code {
    /// Returns the code of a number, as `K012`, `k012` or `12`.
    pub fn of(text: &str) -> Option<Self> {
        let digits = text.trim().trim_start_matches(['K', 'k']);
        let number: u8 = digits.parse().ok()?;
        Self::ALL.iter().find(|code| code.label() == format!("K{number:03}")).copied()
    }
}

codes! {
    // The text.
    Syntax "K001" Error "not valid YAML"
"The text is not valid YAML, so nothing else in it was checked. The position is where the parser stopped;
the cause is often on the line before: a quote that is not closed, or a line that is indented too little.

A value that contains `: ` or ends with `:` needs quotes, as a pattern such as `^system:` does:

    entity-no-match: '^system:'";
    Tab "K002" Error "a tab is used for indentation"
"YAML indents with spaces alone. Some editors show a tab as if it were spaces; let yours insert spaces in YAML files.";
    ControlCharacter "K003" Error "a control character"
"The text contains an invisible character, such as one copied from a terminal. Where a value needs
one, write it as an escape in double quotes, such as \"\\t\".";
    TooLarge "K004" Error "too large"
"The configuration exceeds a limit: a file above 1 MiB (the limit of a ConfigMap), a value above 16 KiB,
a list or map of more than 1000 items, more than 32 levels, or more than 1000 documents in one file. The limits keep
reading fast and the agent's memory small for any input.";
    Alias "K005" Error "anchors, aliases and merge keys"
"`&name`, `*name` and `<<` let YAML repeat a part of itself, and let a small text become an enormous one. The filter reads
none of them. Write the values out. A pattern that begins with `*` or `&` needs quotes.";
    Tag "K006" Error "a tag"
"A value that begins with `!` is a YAML tag, which has no meaning here. Put the value in quotes if the `!` belongs to it.";
    KeyNotText "K007" Error "a key that is not text"
"Keys are text. The cause is a value that begins with `{` or `[` and has no quotes, such as Helm's `{{ … }}` if it is
not rendered. Put the value in quotes, or render the chart first:

    helm template . | kaudit-filter check -";
    DuplicateKey "K008" Error "a duplicate key"
"Of two equal keys in one map only one can count, and YAML parsers differ in which. Remove one of the two.";
    NotAConfiguration "K009" Error "no configuration"
"The text is empty, or a single value. A configuration is one of these:

    a ConfigMap with the key `audit-integration` (kAudit's list) or `kaudit.yaml` (the filter's own document),
    the list under `audit-integration`,
    the filter's own document, with `integrations` or `integrations-file`.";
    NoConfigMap "K010" Error "no ConfigMap with the key"
"The file contains Kubernetes manifests, but none of them is a ConfigMap whose `data` has `audit-integration` or
`kaudit.yaml`. kAudit's own is called `kaudit-integration-<cluster>`:

    kubectl -n alcide-kaudit get configmap kaudit-integration-<cluster> -o yaml";
    SecondConfiguration "K011" Error "a second configuration in one file"
"The filter runs with one configuration, and the file has several. Give each a file of its own.";
    SeveralConfigurations "K012" Advice "several configurations in one file"
"`check` checks each of them, which is right for a rendered chart. A file that the filter itself reads
(`config_file`, `--config`) contains one.";
    NotUnderData "K013" Error "a ConfigMap's key outside `data`"
"Kubernetes reads the texts of a ConfigMap under `data`. Indent the key below it:

    data:
      audit-integration: |
        - type: detections";
    DataNotText "K014" Error "a ConfigMap's value that is not text"
"The values of a ConfigMap are texts, even if the text is YAML. Begin it with `|` and indent the lines below:

    data:
      audit-integration: |
        - type: detections";
    DataEmpty "K015" Error "a ConfigMap's key is empty"
"The key has no value, or only comments below it.";
    SecondDocument "K016" Error "a second document under one key"
"A line `---` divides the text of the key in two. Remove it.";
    ListNotRead "K017" Warning "a list that is not read"
"The ConfigMap has kAudit's list under `audit-integration`, and a `kaudit.yaml` with a list of its own, which is the one
that counts. To read kAudit's, write in `kaudit.yaml`:

    integrations-file: audit-integration";
    Lists "K018" Error "not exactly one list of integrations"
"The filter's own document has kAudit's list under `integrations`, or names its location with `integrations-file`: a
file beside it, or another key of the same ConfigMap. Give one of the two.";
    FileUnreadable "K019" Error "the integrations' file cannot be read"
"`integrations-file` names a file beside the configuration, or a key of the same ConfigMap.";
    NotAList "K020" Error "no list of integrations in the file"
"The file of `integrations-file` must contain kAudit's list, or its ConfigMap. It may not be another document of the
filter's own.";

    // Keys and values.
    UnknownKey "K021" Error "an unknown key"
"No option has this name here. Often it is misspelt, or at another depth than it should be: in kAudit's list
`rate-limit` and `stopped` belong to `target`, and `entity-match` to `data-filter`. `kaudit-filter options` lists all.";
    OtherType "K022" Error "a key of another type of integration"
"`etype`, `category` and `confidence` are clauses of detections; `rules-match`, `rules-no-match` and `report` of
selections. kAudit ignores such a key, so the filter would accept more than the configuration says. Remove the key, or
move it to the integration that it is intended for. `report: count` on detections is of this kind: only policy selections
are counted.";
    Missing "K023" Error "a key is missing"
"The key is required: it has no default value.";
    Value "K024" Error "a value that is not allowed"
"The message states the allowed values and the value that was found. Durations have a unit (`30s`, `24h`); numbers have
a range.";
    Shape "K025" Error "a map or a list is expected"
"A map is `key: value` lines below the key, a list `- ` lines. Check the indentation: a list of integrations begins each
with `- `.";
    LooseSecret "K026" Error "an unknown key that may be part of a value"
"In `{…}` a comma ends a value, so half of a token may have become a key. It is not repeated here, as it may be secret. Put
the value in quotes.";
    Template "K027" Error "a broken template"
"Names are templates: `{field}` is replaced by a field of the finding, `{field|default}` has a default for a missing field,
and `{{` and `}}` are braces. The message lists the fields.";
    SameName "K028" Error "two integrations with the same name"
"Names identify integrations in summaries, in statistics and in `use`. The name of an integration without one is its
type and its position in the list, such as `detections-1`.";
    UnknownName "K029" Error "`use` names no integration"
"`use` selects by name the integrations that the filter replaces. The name of an integration without one is its
type and its position in the list, such as `detections-1`.";
    NoIntegration "K030" Error "an empty list of integrations"
"Without an integration no finding would be sent. The least is:

    integrations:
      - type: detections
        target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}";
    NothingApplies "K031" Error "no integration applies"
"The filter replaces the integrations that send to Coralogix: the ones with an `http-api` target whose URI is
Coralogix's. None has one. If the URI is a proxy's, select the integrations yourself:

    use: all";
    AllStopped "K032" Warning "every integration is stopped"
"With `stopped: true` an integration sends nothing, and each that applies has it. Every finding is dropped as `stopped`.";
    TooMany "K033" Warning "too many remarks"
"At most a hundred errors and a hundred warnings are reported: the cause is one repeated mistake, or another kind of
file.";

    // Targets.
    TargetList "K034" Error "a target that is neither map nor list of pairs"
"kAudit's older dialect writes a target as a list, of maps with one key each or of pairs. Its equivalent as a map is:

    target:
      target-type: http-api
      http-api-uri: https://ingress.eu2.coralogix.com/logs/v1/singles";
    TargetType "K035" Error "an unknown type of target"
"The types are http-api, slack, syslog, kafka, azure, aws-security-hub and aws-s3. The value is not repeated, as in the
older dialect it may be a token.";
    Reference "K036" Error "a reference without a name"
"`ref/http-api-token: val-x` takes the value of the key `val-x` elsewhere in the document. The name begins
with `val-`.";
    ReferenceUnset "K037" Warning "a reference to nothing"
"No key of that name is in the document, so the field stays unset. In a cluster the value may be in a Secret; the filter
needs none of the tokens.";
    Placeholder "K038" Warning "the domain is still a placeholder"
"In Coralogix's documentation `<domain>` is the domain of your account's region, such as `eu2.coralogix.com`.";
    OldEndpoint "K039" Warning "an old form of Coralogix's endpoint"
"Coralogix accepts logs at `https://ingress.<domain>/logs/v1/singles`, `/logs/v1/bulk` and, as OTLP, `/v1/logs`. The older hosts
and paths are known here, so that the integration applies; but the filter's entries have the format of the present ones. The
filter sends nothing itself: set the address in the agent's output.";
    UnstatedPeriod "K040" Warning "a rate limit whose period is not stated"
"kAudit's `rate-limit: 10` has no unit, and its documentation states none. The filter reads it as ten per second, unless the
configuration states a period. State it once:

    rate-limit: {period: 1m}

or in the integration:

    rate-limit: {limit: 10, period: 1m}";
    ZeroLimit "K041" Error "a limit of 0"
"A limit of 0 would let nothing pass; write `stopped: true` for that. For no limit omit the key.";
    PlainSecret "K042" Advice "a secret in plain text"
"The token is in the file, and in every copy of it: a repository, a ConfigMap that many may read. The filter needs none,
since the agent sends. In the filter's own document remove the key; in kAudit's list refer to it, and store the value
elsewhere:

    ref/http-api-token: val-coralogix";

    // Patterns.
    Pattern "K043" Error "a broken pattern"
"The regular expression cannot be parsed; the caret marks the mistake. A character with a special meaning, such
as `(` or `[`, needs a backslash: `\\(`. A variable such as `${NAME}` is not substituted, and is not a valid pattern.";
    JavaPattern "K044" Error "a pattern in Java's syntax"
"kAudit runs on the JVM, whose patterns may look around, refer back and forbid backtracking. The filter's search takes time
proportional to the length of the text for every pattern, and does not support these. To exclude a text, write it in
`entity-no-match` or `rules-no-match`; a possessive quantifier can drop its `+`; the message contains the replacement.";
    LargePattern "K045" Error "patterns that are too large"
"Compiled, one pattern may take 10 MiB and all together 32 MiB. Counted repetitions multiply: `\\w{1,1000}` is a thousand
copies of a class with tens of thousands of letters. `[a-z]` is smaller than `\\w`, and `+` than `{1,1000}`.";
    DoubledBackslash "K046" Warning "a doubled backslash"
"In double quotes YAML reads `\\\\.` as `\\.`; without them, or in single quotes, both backslashes stay, and the pattern searches
for a backslash in the text. No entity has one, so the pattern never matches. kAudit's own sample has this slip. Write
one backslash:

    entity-no-match: '^10\\.0\\.'";
    DoubledEnd "K047" Warning "`$$`"
"`$` is the end of the text, and so is `$$`, the remains of a template that doubled its dollars. Write one `$`; for the
character write `\\$`.";
    NeverMatches "K048" Warning "a pattern that can never match"
"`^` is the beginning of the text and `$` its end: with other text before `^`, or after `$`, nothing is ever found. An
integration with such an `entity-match` accepts nothing, and with such an `entity-no-match` it rejects nothing. For the
characters themselves write `\\^` and `\\$`; for `starts with a, or with b` write `^a|^b`.";
    MatchesAll "K049" Warning "a pattern that occurs in every text"
"A pattern that also matches nothing at all, as `^system:|` does with the empty part after its `|`, is found in every text.
In a `no-match` clause it rejects all findings.";
    MatchesNothing "K050" Error "a pattern that matches the empty text"
"The pattern of the redaction matches between any two characters, and the replacement would be inserted at each of them.
Use `+` instead of `*`.";
    ClassOperator "K051" Warning "`--` or `~~` in a class"
"In a class `--` takes one set from another and `~~` keeps what is in one of two sets; in Java they are two characters. Put a
backslash before each: `[a-z\\-\\-]`.";
    WordEdge "K052" Warning "`\\<` or `\\>`"
"Here `\\<` and `\\>` are the edges of a word; in Java they are the characters `<` and `>`.";
    AcceptsAll "K053" Advice "a clause that accepts everything"
"The pattern matches every text, so the clause has no effect. Omit it; or search for a superfluous `|`, or for
`.*`, which matches any text.";
    JavaClass "K054" Advice "`\\d`, `\\w` and `\\s` match all scripts"
"In Java `\\d` is 0 to 9 and `\\w` the letters of ASCII by default; here they are the digits and letters of every
script. For names of accounts and addresses the two agree, but an entity with a digit of another script is matched here
and was not by kAudit. To be exact write `[0-9]` and `[A-Za-z0-9_]`, or `(?-u:\\d)`.";

    // The configuration as a whole.
    Shadowed "K055" Advice "an integration that an earlier one shadows"
"The first integration that accepts a finding gets it. An earlier one of the same type accepts everything that this one
does, so this one gets nothing: its limit, its `report` and its name are never used. Put the narrower one first.";
    DynamicFields "K056" Advice "more fields than a store will index"
"Raw activity, and selections in detail, have keys that depend on the finding: one `ua_…` for each product in a user agent,
one position for each reason. As an object (`text: object`) every one of them becomes a field, and a store indexes some
thousand in a day, first come. The integration has no filter and no limit, so any client fills them. Filter it, count it
(`report: count`), or send its text as a string:

    coralogix: {text: string}";
    LateForStore "K057" Advice "a finding that Coralogix drops"
"Coralogix drops entries that are more than 24 hours old or more than 4 hours ahead, although it answers 200. With a
longer `guard.max-age` or `max-ahead` the guard lets them through with their own time instead of clamping them to the time
of arrival.";
    RepeatedPath "K058" Advice "the same path twice in `look-in`"
"Each path of `look-in` is searched once, in the order of the list, so the second of two equal paths has no effect. Remove
one of the two.";

    // Patterns, and other values that are probably mistakes.
    PatternControl "K059" Warning "a control character in a pattern"
"A line break, a tab or another control character is part of the pattern, and no name of an entity or a rule contains one, so
the pattern finds nothing. Two causes are frequent. The text of a block that begins with `|` ends with a line break. And in
double quotes YAML replaces escape sequences: `\"\\bexec\"` begins with a backspace, not with the edge of a word. Write
patterns in single quotes, in which YAML leaves every backslash in place:

    rules-match: '\\bexec'";
    PatternInvisible "K060" Warning "an invisible character in a pattern"
"A no-break space, a zero-width space or another character that cannot be seen is part of the pattern. Such characters come
with text that is copied from a web page or a document. Names are typed without them, so the pattern finds nothing. Remove
the character, or type a blank in its place. Where it is intended write its number, such as `\\x{A0}`.";
    PatternBlank "K061" Warning "white space at an end of a pattern"
"YAML keeps the white space within quotes, and a blank in a pattern is a character like any other: `'mara '` does not find
`mara`. An alternative is a pattern of its own: in `'^exec | ^get'` both have a blank too many. White space between two words,
as in `exec into pod`, is not reported. Where a blank at an end is intended write `[ ]`.";
    PatternQuotes "K062" Warning "quotes at both ends of a pattern"
"YAML takes one pair of quotes away. A second pair, as in `'\"mara\"'`, or typographic quotes, which YAML does not know, are
part of the pattern, and no name of an entity or a rule contains them. Remove them. Where they are intended put a backslash
before each, or write them as a class: `[“]`.";
    Variable "K063" Warning "a variable is not substituted"
"The filter uses every value as it is written: `${NAME}` and `$(NAME)` are not replaced by variables of the environment.
Write the value, or render the file before it is read:

    envsubst < kaudit.yaml.in > kaudit.yaml

A token need not be in the file at all: the filter needs none, as the agent sends, and kAudit takes its own by
reference:

    ref/http-api-token: val-coralogix";
    EndpointShape "K064" Warning "the endpoint of another shape"
"`/logs/v1/singles` takes entries, `/logs/v1/bulk` an envelope with a list of entries, `/v1/logs` OTLP, and none reads the shape
of another. `coralogix.shape` is the shape that the filter writes; the default is singles. In the filter's own document write:

    coralogix: {shape: bulk}

or change the URI, and the address in the agent's output.";
    IndentationLost "K065" Error "the indentation is lost"
"YAML expresses by indentation which keys belong to a map. A text that was copied from a web page often has none: then
`target-type` is not part of `target`, and the text of a ConfigMap's key is empty. Where the keys show which section each
belongs to, `check` prints the text with its indentation restored, and secrets masked. Other mistakes are reported once it is
restored.";

    // Policies.
    PolicyMissing "K066" Error "no policy"
"The text has no list of rules. A policy is one of these, and the filter takes one:

    a ConfigMap with the key `audit-policy` (kAudit's is called `kaudit-policy-<cluster>`),
    the list that is the value of this key.

The least is one rule:

    - id: 1
      name: exec into a pod
      conditions:
        - {field: subresource, match-op: \"=\", match-value: exec}";
    PolicyTooLarge "K067" Error "a policy that is too large"
"A policy has at most 4096 rules, 64 conditions in a rule, 256 different fields, 65536 values in all its lists, and 16 rules
that refer to each other in a row. The limits bound the memory of the agent and the time per event. Long lists of values
are one condition with `in`.";
    DuplicateRule "K068" Error "two rules with one id or name"
"`id` identifies a rule in references, and `name` in the selections that it reports, so each is unique. Change one of the two.";
    ReservedGroup "K069" Error "the reserved group `system`"
"kAudit reserves the group `system`, and ids that begin with `system/`, for rules of its own. `namespace` only groups rules,
and has no effect on matching; the namespace of a request is the field `resource-namespace`.";
    NoConditions "K070" Error "a rule without conditions"
"A rule without conditions would match every event. For a rule that is to match all, write a condition that is always true:

    - {field: verb, match-op: \"!=\", match-value: \"\"}";
    ConditionForm "K071" Error "a condition that is neither a test nor a reference"
"A condition has one of two forms. A test compares a field; a reference has the value of another rule. `not-ref-id` is an
addition of this filter.

    - {field: verb, match-op: \"=\", match-value: delete}
    - {ref-id: 100001}";
    UnknownField "K072" Error "an unknown field"
"No field of an audit event has this name. They are the fields of kAudit's policy language, further ones from an event's
metadata, and `request-…` from the request body. `ua-<product>` is the version of a product in the user agent, and
`user-extra-<key>` a value of the user's extra data.";
    UnknownOperator "K073" Error "an unknown operator"
"kAudit's operators are `=`, `!=`, `~` (a regular expression that is searched in the value) and `!~`; the user interface called
them Equal and Match. Additions of this filter are `in` and `not-in` for lists of values, and `cidr` and `not-cidr` for
networks of addresses. Operators need quotes in YAML: a plain `!=` is a tag, and a plain `~` is nothing.

    match-op: \"!=\"";
    MatchValue "K074" Error "a value that the operator cannot use"
"`=`, `!=`, `~` and `!~` take one value. `in`, `not-in`, `cidr` and `not-cidr` take a value, a list of values, or a file with one
value on each line (`match-file`), in which lines that begin with `#` are comments. `cidr` and `not-cidr` compare addresses, such
as `caller-ip`, with networks:

    - {field: caller-ip, match-op: not-cidr, match-value: [10.0.0.0/8, \"fd00::/8\"]}";
    ValuesUnreadable "K075" Error "the file of a list cannot be read"
"`match-file` names a file beside the configuration, with one value on each line. A host without files, such as a module inside
an agent, needs the list in the policy itself, under `match-value`.";
    DanglingReference "K076" Error "a reference to no rule"
"`ref-id` and `not-ref-id` have the id of another rule of the same policy. The rule may come later in the list, and its status
may be false.";
    ReferenceCycle "K077" Error "rules that refer to each other"
"The value of a rule depends on the rules to which it refers, so it cannot refer to itself, also not through others. Move the
conditions that both need into a third rule with `status: false`, and refer to that.";
    YamlWord "K078" Warning "a word that kAudit reads as true or false"
"kAudit reads YAML 1.1, in which `yes`, `no`, `on` and `off` without quotes are booleans, and compares with `true` or `false`. This
filter compares with the word as it is written. Write `true` or `false`, or the word in quotes.";
    YamlNumber "K079" Warning "a number that kAudit reads as another number"
"In YAML 1.1 a number with a leading zero is octal, `0x…` is hexadecimal, `1:30` counts in sixties, and `1.10` is `1.1`. kAudit
compares with the number that results, this filter with the text as it is written. Write the number in full, or the text in
quotes.";
    ResourceType "K080" Warning "a resource type that no event has"
"The resource type of an event is the plural in lower case, as in the path of its URI: `pods`, not `pod`, `Pod` or `po`. The
subresource and the API group are fields of their own: `pods/exec` is

    - {field: resource-type, match-op: \"=\", match-value: pods}
    - {field: subresource, match-op: \"=\", match-value: exec}

kAudit's own default policy has `namespace` in its rule 100003, which therefore never matched.";
    UnknownVerb "K081" Warning "a verb that no event has"
"Requests for resources have the verbs get, list, watch, create, update, patch, delete and deletecollection; other requests have
their HTTP method in lower case. Permissions of roles, such as `impersonate`, `bind` and `escalate`, are no verbs of requests, and
`exec` is a subresource.";
    ImpossibleValue "K082" Warning "a value that the field never has"
"The field has few values, and none of them fulfils the condition. `help` lists them; they are compared with upper and lower case.";
    Contradiction "K083" Warning "conditions that exclude each other"
"All conditions of a rule with `combine-op: and`, the default, have to be true for one event, and a field such as `verb` has one
value. For one of several values use `in`, an addition of this filter, or a pattern:

    - {field: verb, match-op: \"~\", match-value: \"^(create|update)$\"}";
    AlwaysTrue "K084" Warning "a condition or rule that is always true"
"Every event fulfils it. With `combine-op: or` two conditions such as `verb != get` and `verb != list` are together always true: an
event that has one verb does not have the other. For none of several values write both with `combine-op: and`, or use `not-in`.";
    RedundantCondition "K085" Advice "a condition without effect"
"The other conditions of the rule on the same field decide already: beside `verb = create` the condition `verb != get` is always
true. It may be left of an earlier form of the rule.";
    EveryPresentValue "K086" Warning "a pattern that matches every value"
"A pattern is searched in the value, and this one is found in every value, also the empty one. With `~` the condition is true if
the field is present, with `!~` if it is absent. Write `!= ''` or `= ''`, or look for a `|` too many.";
    CreateOnly "K087" Warning "a session that begins with another verb"
"Requests for `exec`, `attach` and `portforward` have the verb `create` if the client uses SPDY, and `get` if it uses WebSocket, as
`kubectl` does since Kubernetes 1.30. A rule with `verb = create` misses them. Leave the verb out.";
    SubresourceUnstated "K088" Advice "the creation of pods includes their subresources"
"`create` is also the verb of requests for `pods/exec`, `pods/attach`, `pods/binding` and `pods/eviction`. For the creation of pods
alone add a condition:

    - {field: subresource, match-op: \"=\", match-value: \"\"}";
    ResourcePath "K089" Warning "a resource name without a path"
"As in kAudit's records, `resource-name` is a path: the namespace, the resource type and the name that are present, joined by `/`,
such as `kube-system/configmaps/coredns`. `resource-object-name`, an addition of this filter, is the name alone.";
    UnauthorizedReason "K090" Warning "a status reason that is often missing"
"The API server refuses a request without valid credentials with the code 401, and its events often have no reason. Compare the
code:

    - {field: status-code, match-op: \"=\", match-value: 401}";
    NotEnforced "K091" Warning "enforcement is not applied"
"kAudit could refuse requests that a rule matches through an admission webhook, with `time-limit` and `count-limit`. This filter
reads events of requests that are already answered. Use an admission policy of Kubernetes to refuse requests.";
    CombineOpCase "K092" Advice "`combine-op` in upper case"
"kAudit writes `and` and `or` in lower case. The filter accepts both.";
    RarelyFilled "K093" Advice "a field that few sources fill"
"The number and the country of the caller's network come from GeoIP data, which audit events do not have. Without them the
fields are absent, and a condition with `!=`, `!~` or `not-in` is true for every event.";
    NothingReported "K094" Advice "a policy that reports nothing"
"With `status: false` a rule reports no matches; other rules may refer to it. If every rule has it, no event is reported. The
default policy of kAudit is delivered like this: set the status of the rules that you want to true.";
    NeverFilled "K095" Warning "a field that the source of the events never has"
"`audit.source`, or `check --source`, names the source of the events. Its events never have the field of this condition: GKE's, for
example, have no groups of users, no impersonated user and no command of an exec. So a rule with the condition cannot match, or a
condition that excludes a value excludes nothing. Compare a field that the source has, or set `status: false` for this cluster:

    - {field: principal, match-op: \"~\", match-value: \"@example\"}";
    DetectUnavailable "K096" Error "detections that this host cannot make"
"Detections compare an event with those before it. Fluent Bit before 4.1 creates a new instance of a WebAssembly guest for each
chunk, so the guest keeps no state and refuses the section `detect`. The native plugin, the module for Vector and the program make
detections.";
    DetectionsNotSent "K097" Warning "detections that no integration sends"
"The section `detect` makes detections of audit events, and no integration of type `detections` applies, so each of them is dropped
with the reason `no-integration`. Add one, or remove the section:

    integrations:
    - type: detections
      target: {target-type: http-api, http-api-uri: https://ingress.eu2.coralogix.com/logs/v1/singles}";
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_are_in_order_and_words_are_there() {
        for (number, code) in (1..).zip(Code::ALL) {
            assert_eq!(code.label(), format!("K{number:03}"));
            assert_eq!(Code::of(code.label()), Some(*code));
            assert!(!code.title().ends_with('.') && !code.title().contains('\n'), "{}", code.label());
            assert!(code.explanation().lines().all(|line| line.chars().count() <= 130), "{}", code.label());
            assert!(code.explanation().len() > 40, "{}", code.label());
        }
        assert_eq!(Code::of("12"), Code::of("k012"));
        assert_eq!(Code::of("K999"), None);
    }
}
