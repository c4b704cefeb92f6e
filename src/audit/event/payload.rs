//! The parts of `protoPayload`, the event in Google's Cloud Logging.

use crate::record::Value;

/// The parts of `protoPayload`.
#[derive(Clone, Copy, Default)]
pub(super) struct Payload<'a> {
    pub method_name: Value<'a>,
    pub resource_name: Value<'a>,
    pub authentication_info: Value<'a>,
    pub authorization_info: Value<'a>,
    pub request_metadata: Value<'a>,
    pub request: Value<'a>,
    pub response: Value<'a>,
    pub status: Value<'a>,
}
