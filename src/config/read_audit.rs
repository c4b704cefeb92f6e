//! Reads the policy and section `audit`.

use alloc::vec::Vec;

use super::audit::Audit;
use super::detect::Detect;
use super::dialect;
use super::files::{FileLoader, load};
use super::option_type::OptionType;
use super::problems::{Problems, quote};
use super::reader::ConfigReader;
use super::section::{Section, describe_node, items};
use super::yaml::{Node, YamlValue};
use crate::audit::net::{Network, NetworkError};
use crate::audit::{CallerIp, EventOptions, SourceKind, StageOption};
use crate::error::Code;
use crate::policy::{Policy, PolicyReader};

const POLICY: &str = "policy";
const POLICY_FILE: &str = "policy-file";
const DETECT: &str = "detect";
const PROXIES: &str = "trusted-proxies";

/// Reads the evaluation of audit events; `None`: no option asks for it.
pub(super) fn read(
    reader: &mut ConfigReader,
    root: &Section<'_>,
    siblings: Option<&Node>,
    files: &dyn FileLoader,
) -> Option<Audit> {
    [POLICY, POLICY_FILE, "audit", DETECT].iter().find(|key| root.get(key).is_some())?;
    let section = root.section(&mut reader.problems, "audit");
    section.check(&mut reader.problems, None);
    let sources = section.values(&mut reader.problems, "source", SourceKind::of);
    for source in &sources {
        if !reader.sources.contains(source) {
            reader.sources.push(*source);
        }
    }
    let policy = policy(reader, root, siblings, files).unwrap_or_default();
    let problems = &mut reader.problems;
    let caller_ip = match networks(problems, &section) {
        networks if networks.is_empty() => {
            section.value(problems, "caller-ip", CallerIp::of).unwrap_or_default()
        }
        networks => CallerIp::LastOutside(networks),
    };
    let cluster = section.text(problems, "cluster").filter(|cluster| !cluster.is_empty());
    let stages = section.value(problems, "stages", StageOption::of).unwrap_or_default();
    let detect = detect(problems, root);
    Some(Audit { policy, sources, stages, fields: EventOptions { caller_ip, cluster }, detect })
}

/// Reads the settings of detections; `None`: the section is missing.
fn detect(problems: &mut Problems, root: &Section<'_>) -> Option<Detect> {
    let at = root.get(DETECT)?.at;
    let section = root.section(problems, DETECT);
    section.check(problems, None);
    if !cfg!(feature = "detect") {
        let message = "this host makes no detections, since it keeps no state between records";
        let help = "remove the section here, and make detections with another host";
        problems.add(Code::DetectUnavailable, at, DETECT, message, help);
    }
    let default = Detect::default();
    Some(Detect {
        learning_ms: section.milliseconds(problems, "learning").unwrap_or(default.learning_ms),
        lateness_ms: section.milliseconds(problems, "lateness").unwrap_or(default.lateness_ms),
        max_series: section.integer(problems, "max-series").unwrap_or(default.max_series),
    })
}

/// Reads the policy, which is in the document or in a file.
fn policy(
    reader: &mut ConfigReader,
    root: &Section<'_>,
    siblings: Option<&Node>,
    files: &dyn FileLoader,
) -> Option<Policy> {
    let (inline, file) = (root.get(POLICY), root.get(POLICY_FILE));
    if let (Some(_), Some(file)) = (inline, file) {
        let message = "a second policy; `policy` is given too";
        reader.problems.add(
            Code::PolicyMissing,
            file.at,
            POLICY_FILE,
            message,
            "give the filter one of them",
        );
    }
    if let Some(field) = inline {
        let expected = root.type_of(POLICY)?;
        items(&mut reader.problems, field.node, POLICY, expected);
        let is_list = matches!(field.node.value, YamlValue::List(_));
        return is_list.then(|| policy_reader(reader, files).rules(field.node, POLICY));
    }
    let name = root.text(&mut reader.problems, POLICY_FILE)?;
    if let Some(member) = siblings.and_then(|data| data.get(&name)) {
        let list = dialect::parse_data_value(&mut reader.problems, member)?;
        return Some(policy_reader(reader, files).rules(&list, ""));
    }
    let position = (file?.node.at, POLICY_FILE);
    let text = load(&mut reader.problems, files, &name, Code::FileUnreadable, position)?;
    let file = reader.problems.file(&files.name(&name));
    policy_reader(reader, files).document(file, &text)
}

fn policy_reader<'r>(reader: &'r mut ConfigReader, files: &'r dyn FileLoader) -> PolicyReader<'r> {
    let ConfigReader { problems, pattern_budget, sources, .. } = reader;
    PolicyReader { problems, budget: pattern_budget, files, sources }
}

/// Reads the list of trusted proxies.
fn networks(problems: &mut Problems, section: &Section<'_>) -> Vec<Network> {
    let Some(field) = section.get(PROXIES) else { return Vec::new() };
    let path = section.path_of(PROXIES);
    let list = items(problems, field.node, &path, OptionType::Networks);
    let mut networks = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = format!("{path}[{index}]");
        let YamlValue::Scalar(scalar) = &item.value else {
            let message = format!("expected a network, found {}", describe_node(item));
            problems.add(Code::Value, item.at, &at, message, "such as `10.0.0.0/8`");
            continue;
        };
        match Network::parse(scalar.text.trim()) {
            Ok(network) => networks.push(network),
            Err(NetworkError::HostBits(network)) => {
                let message = format!("{} is an address within a network", quote(&scalar.text));
                problems.add(Code::Value, item.at, &at, message, format!("the network is `{network}`"));
            }
            Err(NetworkError::Address | NetworkError::Prefix) => {
                let message = format!("expected a network, found {}", quote(&scalar.text));
                problems.add(Code::Value, item.at, &at, message, "such as `10.0.0.0/8`");
            }
        }
    }
    networks
}

#[cfg(all(test, not(feature = "detect")))]
mod tests {
    use crate::config::{NoFiles, read};

    #[test]
    fn a_build_without_detections_refuses_the_section() {
        let list = "integrations:\n- {type: detections, target: {target-type: slack, slack-uri: 'https://example.com'}}\n";
        let read = read("kaudit.yaml", &format!("detect: {{}}\nuse: all\n{list}"), &NoFiles);
        let diagnostics: Vec<_> = read.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(
            diagnostics,
            [
                "kaudit.yaml:1:1: error: detect: this host makes no detections, since it keeps no state between records; \
              remove the section here, and make detections with another host"
            ]
        );
        assert!(read.config.is_none());
    }
}
