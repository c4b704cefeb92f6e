//! Version numbers of agents.

/// Returns the first two numbers of a version.
pub fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Returns whether a version is this one or later.
pub fn at_least(version: &str, least: (u32, u32)) -> bool {
    numbers(version) >= least
}

/// Returns the agent and its version from the output of `--version`.
pub fn version(text: &str) -> Option<(&'static str, String)> {
    for (start, agent) in [("Fluent Bit v", "fluent-bit"), ("vector ", "vector")] {
        if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(start)) {
            return Some((agent, rest.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("Fluent Bit v5.1.1\nGit commit: \n", Some(("fluent-bit", "5.1.1"))),
            ("vector 0.57.0 (x86_64-unknown-linux-gnu)\n", Some(("vector", "0.57.0"))),
            ("fluentd 1.16\n", None),
        ] {
            assert_eq!(version(text), expected.map(|(agent, version)| (agent, version.to_owned())), "{text}");
        }
        assert!(at_least("4.2.0", (4, 2)) && at_least("10.0", (4, 2)) && !at_least("4.1.9", (4, 2)));
    }
}
