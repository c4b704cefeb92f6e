//! The support of the agent for log groups, by the functions that it exports.

use super::symbols::address;

/// The support of the agent for log groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogGroups {
    /// It has none: before 3.1.
    Unsupported,
    /// Its output `opentelemetry` sends at most 100 resources in a request.
    Limited,
    /// Its output sends any number of resources: 4.2 and later.
    Unlimited,
}

/// Returns the support of the agent.
///
/// The functions are not called. 3.1 added the groups together with the first one. No function came with the unlimited
/// number of resources; the second one is new in 4.2.
pub fn log_groups() -> LogGroups {
    if address(c"flb_log_event_decoder_read_groups").is_none() {
        LogGroups::Unsupported
    } else if address(c"flb_router_config_parse").is_none() {
        LogGroups::Limited
    } else {
        LogGroups::Unlimited
    }
}
