//! Requests of OTLP as protobuf, in the format of the Collector's file exporter.

use std::io;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

/// Returns a request that contains a `ResourceLogs` object, after its length in 4 bytes, the highest first.
///
/// Decision: the published types, converted from the engine's JSON. An encoder of protobuf in the engine would be a second
/// form of every value, for the one host that writes it.
///
/// # Errors
/// The object has a member that the types do not have, or the message is larger than 4 GB.
pub fn message(resource_logs: &[u8]) -> io::Result<Vec<u8>> {
    let request = ExportLogsServiceRequest { resource_logs: vec![serde_json::from_slice(resource_logs)?] };
    let length = u32::try_from(request.encoded_len()).map_err(io::Error::other)?;
    let mut message = length.to_be_bytes().to_vec();
    request.encode(&mut message).map_err(io::Error::other)?;
    Ok(message)
}
