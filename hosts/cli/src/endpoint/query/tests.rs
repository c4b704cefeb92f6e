use super::*;

#[test]
fn queries_match_their_documents() {
    let document = serde_json::json!({
        "eid": "johnD", "short-doc": "Change in usage pattern", "category": "anomaly",
        "context": {"unusual-uri": ["/apis/batch/v1/cronjobs", "/api/v1/pods"], "caller.ip": "203.0.113.45"},
        "reasons": [{"doc": "count of URIs", "values": {"medium": [6]}}], "principal": "system:node:worker_1",
        "non-authorized": true, "nothing": null,
        "coralogix": {"metadata": {"severity": 5, "applicationName": "prod-eu"}},
    });
    let table = [
        ("eid:johnD AND short-doc:\"Change in usage pattern\"", true),
        ("eid:JohnD AND short-doc: \u{201d}Change in usage pattern\u{201d}", true),
        ("eid:jane AND short-doc:\"Change in usage pattern\"", false),
        ("eid:john", false),
        ("eid:john*", true),
        ("EID:johnD", false),
        ("short-doc:\"change usage\"", false),
        ("short-doc:\"in usage pat\"", false),
        ("short-doc:usage", true),
        ("usage", true),
        ("\"usage pattern\"", true),
        ("short_doc:usage", false),
        ("context.unusual-uri:cronjobs", true),
        ("context.unusual-uri:\"v1 pods\"", true),
        ("context.unusual-uri:\"cronjobs api\"", false),
        ("unusual-uri:cronjobs", false),
        ("context:cronjobs", false),
        ("context:*", true),
        ("_exists_:context", true),
        ("_exists_:short_doc", false),
        ("context.caller.ip:203.0.113.45", true),
        ("context.caller.ip:203.0.113.4", false),
        ("reasons.doc:uris", true),
        ("reasons.values.medium:6", true),
        ("principal:system:node*", true),
        ("principal:system\\:node\\:worker_1", true),
        ("principal:worker", false),
        ("non-authorized:true", true),
        ("nothing:*", false),
        ("missing:*", false),
        ("*", true),
        ("coralogix.metadata.severity:5", true),
        ("coralogix.metadata.applicationName:\"prod-eu\"", true),
        ("NOT eid:jane", true),
        ("NOT NOT eid:jane", false),
        ("eid:jane OR category:anomaly", true),
        ("eid:jane OR category:anomaly AND eid:other", false),
        ("(eid:jane OR category:anomaly) AND eid:johnD", true),
        ("eid:(jane OR johnD)", true),
        ("eid:(jane OR NOT johnD)", false),
        ("  category:anomaly AND NOT(eid:jane)  ", true),
        ("category:\"ano\\maly\"", true),
        ("ANDROID OR anomaly", true),
    ];
    for (query, expected) in table {
        let read = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(read.matches(&document), expected, "{query}");
    }
}

#[test]
fn invalid_queries_are_explained() {
    let deep = "(".repeat(5_000);
    let table = [
        ("", "column 1: expected a term, such as `eid:johnD`"),
        ("eid:", "column 5: expected a term"),
        ("eid: AND a", "column 9: expected a term"),
        ("a b", "column 3: expected an operator: write `AND` or `OR` between two terms"),
        ("a NOT b", "column 3: expected an operator"),
        ("a AND", "column 6: expected a term"),
        ("OR a", "column 3: expected a term"),
        ("(a", "column 3: expected `)`"),
        ("a)", "column 2: `)` without a `(` before it"),
        ("é AND \"b", "column 7: `\"` is not closed"),
        ("a*b", "column 3: `*` is only allowed at the end of a term"),
        ("time:[1 TO 2]", "column 6: `[` is a Lucene operator that is not supported"),
        ("eid:/john.*/", "column 5: `/` is a Lucene operator"),
        ("-eid:a", "column 1: `-` is a Lucene operator"),
        ("roam~2", "column 5: `~` is a Lucene operator"),
        ("a && b", "column 3: expected an operator"),
        ("eid:\"--\"", "column 9: `--` contains no word"),
        (deep.as_str(), "column 51: nested more than 50 deep"),
    ];
    for (query, expected) in table {
        let error = Query::parse(query).unwrap_err();
        assert!(error.starts_with(expected), "{query}: {error}");
    }
}

#[test]
fn a_query_is_moved_to_the_other_location() {
    let table = [
        ("eid:johnD", Some("logRecord.body.eid:johnD")),
        (
            "eid: johnD AND NOT (short-doc:\"a:b\" OR rule:(exec* OR x))",
            Some(
                "logRecord.body.eid: johnD AND NOT (logRecord.body.short-doc:\"a:b\" OR \
                 logRecord.body.rule:(exec* OR x))",
            ),
        ),
        ("_exists_:eid", Some("_exists_:logRecord.body.eid")),
        ("_exists_:\"eid\"", Some("_exists_:\"logRecord.body.eid\"")),
        ("context.caller\\:ip:a", Some("logRecord.body.context.caller\\:ip:a")),
        ("é AND eid:é", Some("é AND logRecord.body.eid:é")),
        ("coralogix.metadata.threadId:johnD", Some("logRecord.attributes.threadId:johnD")),
        ("coralogix.metadata.computerName:a", Some("resource.attributes.host.name:a")),
        ("coralogix.metadata.severity:5 AND endpoint.reasons:old", None),
        ("johnD AND \"eid:johnD\"", None),
    ];
    for (rest, otlp) in table {
        let moved = |text: &str, to| Query::parse(text).unwrap().moved(to);
        assert_eq!(moved(rest, Location::Otlp).as_deref(), otlp, "{rest}");
        if let Some(otlp) = otlp {
            assert_eq!(moved(otlp, Location::Rest).as_deref(), Some(rest));
            assert_eq!(moved(otlp, Location::Otlp), None, "{otlp}");
        }
        assert_eq!(moved(rest, Location::Rest), None, "{rest}");
    }
}
