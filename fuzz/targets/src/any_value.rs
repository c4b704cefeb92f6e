//! Compares a body in OTLP with the same body as JSON.

use crate::json::Json;

/// Returns whether an `AnyValue` is this value.
///
/// An integer beyond 64 bits is a string. The reader of JSON returns the largest of them as floats.
pub fn is(value: &Json, any: &Json) -> bool {
    let Json::Map(members) = any else { return false };
    let [(kind, inner)] = members.as_slice() else { return members.is_empty() && *value == Json::Null };
    match (kind.as_str(), value, inner) {
        ("stringValue", Json::Int(number), Json::Str(text)) => {
            i64::try_from(*number).is_err() && *text == number.to_string()
        }
        ("stringValue", Json::Float(number), Json::Str(text)) => {
            text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && text.parse() == Ok(*number)
        }
        ("stringValue", Json::Str(_), _) | ("boolValue", Json::Bool(_), _) | ("doubleValue", ..) => {
            value == inner
        }
        ("intValue", _, Json::Str(text)) => {
            text.parse::<i64>().is_ok_and(|number| *value == Json::Int(number.into()))
        }
        ("arrayValue", Json::List(items), _) => {
            let Some(Json::List(values)) = inner.get("values") else { return false };
            items.len() == values.len() && items.iter().zip(values).all(|(item, any)| is(item, any))
        }
        ("kvlistValue", Json::Map(members), _) => {
            let Some(Json::List(pairs)) = inner.get("values") else { return false };
            members.len() == pairs.len()
                && members.iter().zip(pairs).all(|((key, member), pair)| {
                    pair.get("key") == Some(&Json::Str(key.clone()))
                        && pair.get("value").is_some_and(|any| is(member, any))
                })
        }
        _ => false,
    }
}
