//! Fluent Bit's output `opentelemetry`, as far as it depends on groups.
//!
//! It is written by `otel_process_logs` in `plugins/out_opentelemetry/opentelemetry_logs.c`, with its defects: see
//! [`Release`].

use std::collections::BTreeMap;

use kaudit_driver::Event;
use serde_json::Value;

/// The number of records of a scope after which a request is sent.
const BATCH: usize = 1000;

/// The releases, by their treatment of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 3.1 to 4.0.11, and 4.1.0: a table of 100 resources. A group with the number of the last one continues it.
    V3,
    /// 4.0.12 to 5.0.4: every group is a resource.
    V4,
    /// 5.0.5 and later: a group with the number and attributes of the last one continues it.
    V5,
}

/// A record as it arrives at the receiver: the attributes of its resource, and the event.
pub type Received<'e> = (BTreeMap<String, String>, &'e Event);

struct Resource<'e> {
    attributes: BTreeMap<String, String>,
    scopes: Vec<Vec<&'e Event>>,
}

/// Returns the records of all requests for a chunk; the error is the reason why the chunk is lost.
pub fn send(release: Release, chunk: &[Event]) -> Result<Vec<Received<'_>>, String> {
    let (mut resources, mut sent): (Vec<Resource<'_>>, Vec<Received<'_>>) = (Vec::new(), Vec::new());
    // Resource, scope and body of the current group, and of the group before it.
    let (mut current, mut previous) = (None, None);
    let mut pending = 0;
    for event in chunk {
        match marker(event) {
            Some(-1) => {
                let metadata = event.metadata.as_ref().ok_or("a group without metadata")?;
                assert_eq!(metadata["schema"], "otlp");
                let number = |name: &str| metadata[name].as_i64().filter(|number| *number >= 0);
                let resource = number("resource_id").ok_or("resource_id is not a positive integer")?;
                let scope = number("scope_id").ok_or("scope_id is not a positive integer")?;
                let body: Value = serde_json::from_str(&event.body).expect("JSON");
                let continued = previous.take().filter(|(number, _, before): &(i64, i64, Value)| {
                    *number == resource && (release == Release::V3 || *before == body)
                });
                let continued = continued.filter(|_| release != Release::V4);
                if continued.is_none() {
                    if release == Release::V3 && resources.len() >= 100 {
                        return Err("max resources limit reached".to_owned());
                    }
                    let attributes = body["resource"]["attributes"].as_object().into_iter().flatten();
                    let text =
                        |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let attributes = attributes.map(|(key, value)| (key.clone(), text(value))).collect();
                    resources.push(Resource { attributes, scopes: Vec::new() });
                }
                let resource_logs = resources.last_mut().expect("a resource");
                if continued.is_none_or(|(_, number, _)| number != scope) {
                    if release == Release::V3 && resource_logs.scopes.len() >= 100 {
                        return Err("max scopes limit reached".to_owned());
                    }
                    resource_logs.scopes.push(Vec::new());
                    pending = 0;
                }
                current = Some((resource, scope, body));
            }
            Some(_) => previous = current.take(),
            None => {
                if current.is_none() {
                    resources.push(Resource { attributes: BTreeMap::new(), scopes: vec![Vec::new()] });
                    pending = 0;
                    current = Some((0, 0, Value::Null));
                    assert!(release != Release::V3 || resources.len() <= 100, "the agent crashes");
                }
                resources
                    .last_mut()
                    .and_then(|resource| resource.scopes.last_mut())
                    .expect("a scope")
                    .push(event);
                pending += 1;
                if pending == BATCH {
                    sent.extend(all(&resources));
                    resources
                        .last_mut()
                        .and_then(|resource| resource.scopes.last_mut())
                        .expect("a scope")
                        .clear();
                    pending = 0;
                }
            }
        }
    }
    if pending > 0 {
        sent.extend(all(&resources));
    }
    Ok(sent)
}

fn all<'e>(resources: &[Resource<'e>]) -> Vec<Received<'e>> {
    let records = |resource: &Resource<'e>| {
        let attributes = resource.attributes.clone();
        resource.scopes.concat().into_iter().map(move |event| (attributes.clone(), event))
    };
    resources.iter().flat_map(records).collect()
}

/// Returns the second of a marker.
pub fn marker(event: &Event) -> Option<i32> {
    let head = &event.head.as_ref()?.0;
    let seconds = head.strip_prefix(&[0x92, 0xd7, 0])?.first_chunk().copied().map(i32::from_be_bytes)?;
    (seconds < 0).then_some(seconds)
}
