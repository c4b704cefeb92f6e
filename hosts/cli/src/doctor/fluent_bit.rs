//! The settings with which Fluent Bit keeps records through failures.

use super::report::CheckResult;
use super::settings::{Section, Settings, is_on, matches};
use super::version::at_least;
use super::yaml::{Node, items, member, members, plain};

/// A named check with its result.
type Check = (&'static str, CheckResult);

/// Adds the sections of a configuration in YAML, and returns the files that it includes.
pub fn add_yaml(root: &Node<'_>, settings: &mut Settings) -> Vec<String> {
    if let Some(service) = member(root, "service") {
        settings.sections.push(section("service", service));
    }
    let pipeline = member(root, "pipeline");
    let list = |key| pipeline.and_then(|pipeline| member(pipeline, key)).map(items).unwrap_or_default();
    for input in list("inputs") {
        let index = settings.sections.len();
        settings.sections.push(section("input", input));
        let processors = member(input, "processors").and_then(|processors| member(processors, "logs"));
        for processor in processors.map(items).unwrap_or_default() {
            let mut filter = section("filter", processor);
            filter.input = Some(index);
            settings.sections.push(filter);
        }
    }
    settings.sections.extend(list("filters").iter().map(|filter| section("filter", filter)));
    settings.sections.extend(list("outputs").iter().map(|output| section("output", output)));
    member(root, "includes").map(items).unwrap_or_default().iter().filter_map(plain).collect()
}

fn section(kind: &str, node: &Node<'_>) -> Section {
    let mut section = Section::new(kind, node.span.start.line());
    for (key, value) in members(node) {
        if let Some(value) = plain(value) {
            section.set(key, &value);
        }
    }
    section
}

/// Checks the pipeline of the filter.
pub fn check(settings: &Settings, version: Option<&str>) -> Vec<Check> {
    let filters: Vec<&Section> =
        settings.of("filter").map(|(_, filter)| filter).filter(|filter| is_ours(filter)).collect();
    if filters.is_empty() {
        let text = "no filter `kaudit` in this configuration; its settings are not checked".to_owned();
        return vec![("filter", CheckResult::Warned(text))];
    }
    let inputs: Vec<&Section> = settings
        .of("input")
        .filter(|(index, input)| filters.iter().any(|filter| feeds(*index, input, filter)))
        .map(|(_, input)| input)
        .collect();
    let tags: Vec<String> = if inputs.is_empty() {
        filters.iter().filter_map(|filter| filter.get("match")).map(str::to_owned).collect()
    } else {
        inputs.iter().map(|input| tag(input)).collect()
    };
    let gets = |output: &Section| {
        let pattern = output.get("match");
        // A regular expression is not evaluated; its output has to keep the records in any case.
        output.get("match_regex").is_some()
            || pattern.is_some_and(|pattern| tags.iter().any(|tag| matches(pattern, tag)))
    };
    let outputs: Vec<&Section> =
        settings.of("output").map(|(_, output)| output).filter(|output| gets(output)).collect();
    let mut checks = vec![("buffer", buffer(settings, &inputs)), ("rejected", rejected(settings, version))];
    checks.push(("retries", retries(&outputs)));
    let limited = filters.iter().filter(|filter| may_suppress(filter));
    checks.extend(limited.map(|filter| ("state", state(filter))));
    checks
}

/// Returns whether a filter is the plugin or the guest.
fn is_ours(filter: &Section) -> bool {
    let is_guest =
        filter.name() == "wasm" && filter.get("wasm_path").is_some_and(|path| path.contains("kaudit"));
    filter.name().eq_ignore_ascii_case("kaudit") || is_guest
}

/// Returns whether the plugin may have summaries and counts to keep; the guest cannot keep them.
fn may_suppress(filter: &Section) -> bool {
    let has_limits = ["config_file", "rate_limit"].iter().any(|key| filter.get(key).is_some());
    filter.name().eq_ignore_ascii_case("kaudit") && has_limits
}

fn feeds(index: usize, input: &Section, filter: &Section) -> bool {
    match (filter.input, filter.get("match")) {
        (Some(of), _) => of == index,
        (None, Some(pattern)) => matches(pattern, &tag(input)),
        // A regular expression, or nothing.
        (None, None) => true,
    }
}

/// Returns the tag of an input's records; the default is its name and number.
fn tag(input: &Section) -> String {
    input.get("tag").map_or_else(|| format!("{}.0", input.name()), str::to_owned)
}

fn buffer(settings: &Settings, inputs: &[&Section]) -> CheckResult {
    let Some(path) = settings.service("storage.path") else {
        return CheckResult::Warned(
            "chunks that Coralogix has not accepted are lost at a restart: write `storage.path \
             /var/lib/fluent-bit/storage` in the section of the service, and `storage.type filesystem` in the input"
                .to_owned(),
        );
    };
    let inherited = settings.service("storage.inherit").is_some_and(is_on)
        && settings.service("storage.type") == Some("filesystem");
    let in_memory = |input: &&&Section| match input.get("storage.type") {
        None => !inherited,
        Some(kind) => kind != "filesystem",
    };
    match inputs.iter().find(in_memory) {
        Some(input) => CheckResult::Warned(format!(
            "line {}: the chunks of the input `{}` are in memory and lost at a restart: write `storage.type \
             filesystem` in it",
            input.line,
            input.name()
        )),
        None => CheckResult::Passed(format!("chunks wait in `{path}`")),
    }
}

fn rejected(settings: &Settings, version: Option<&str>) -> CheckResult {
    const SETTING: &str = "`storage.keep.rejected on` and `storage.rejected.path rejected`";
    let is_kept = settings.service("storage.keep.rejected").is_some_and(is_on);
    let is_old = version.is_some_and(|version| !at_least(version, (4, 2)));
    match (version, is_kept, settings.service("storage.path")) {
        (Some(version), ..) if is_old => CheckResult::Warned(format!(
            "{version} drops a chunk that Coralogix refuses, for example because of a wrong key; from 4.2 on \
             {SETTING} keep it"
        )),
        (_, true, Some(path)) => {
            let folder = settings.service("storage.rejected.path").unwrap_or("rejected");
            CheckResult::Passed(format!("refused chunks are kept in `{path}/{folder}`, from 4.2 on"))
        }
        (_, true, None) => CheckResult::Warned(
            "refused chunks are dropped: `storage.keep.rejected` has no effect without `storage.path`"
                .to_owned(),
        ),
        (_, false, _) => CheckResult::Warned(format!(
            "a chunk that Coralogix refuses is dropped, for example because of a wrong key: write {SETTING} in the \
             section of the service (4.2 and later)"
        )),
    }
}

fn retries(outputs: &[&Section]) -> CheckResult {
    let limited = outputs.iter().find_map(|output| match output.get("retry_limit") {
        None => Some((output, "is retried once, the default, and then dropped")),
        Some("no_retries") => Some((output, "is not retried but dropped")),
        Some(_) => None,
    });
    match limited {
        Some((output, fate)) => CheckResult::Warned(format!(
            "line {}: a chunk of the output `{}` {fate}: write `retry_limit no_limits`, and bound the disk with \
             `storage.total_limit_size 512M`",
            output.line,
            output.name()
        )),
        None if outputs.is_empty() => {
            CheckResult::Warned("no output in this configuration gets the filter's records".to_owned())
        }
        None => CheckResult::Passed("each output has a `retry_limit`".to_owned()),
    }
}

fn state(filter: &Section) -> CheckResult {
    match filter.get("state_path") {
        Some(path) => CheckResult::Passed(format!("pending summaries are kept in `{path}`")),
        None => CheckResult::Warned(format!(
            "line {}: summaries that are pending when Fluent Bit stops are lost: write `state_path \
             /var/lib/fluent-bit/kaudit.state` in the filter",
            filter.line
        )),
    }
}
