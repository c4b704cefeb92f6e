//! Paths of ingestion, and the forms of their requests.

use oxhttp::model::HeaderMap;
use oxhttp::model::header::CONTENT_TYPE;

/// The kinds of ingestion requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A list of entries, or one entry per line.
    Singles,
    /// An envelope.
    Bulk,
    /// An envelope, which may contain the key as `privateKey`.
    Old,
    /// A request of the OpenTelemetry protocol.
    Otlp,
}

impl Route {
    /// Every path and its kind of request.
    pub const ALL: [(&'static str, Self); 4] = [
        ("/logs/v1/singles", Self::Singles),
        ("/logs/v1/bulk", Self::Bulk),
        ("/v1/logs", Self::Otlp),
        ("/api/v1/logs", Self::Old),
    ];

    /// Returns the kind of request that a path accepts.
    pub fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == path).map(|(_, route)| route)
    }

    /// Returns the current path, if a path is an older one that this endpoint rejects.
    pub fn successor_of(path: &str) -> Option<&'static str> {
        OLDER.into_iter().find(|(older, _)| *older == path.trim_end_matches('/')).map(|(_, current)| current)
    }

    /// Returns the form of a request by its headers; `None`: an OTLP request of another content type.
    pub fn form(self, headers: &HeaderMap) -> Option<Form> {
        match self {
            Self::Singles => Some(Form::Singles),
            Self::Bulk | Self::Old => Some(Form::Bulk),
            Self::Otlp => {
                let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
                // Parameters, such as `charset=utf-8`, follow a semicolon.
                let content_type = content_type.split(';').next().unwrap_or_default().trim();
                let forms = [Form::OtlpJson, Form::OtlpProtobuf];
                forms.into_iter().find(|form| form.content_type().eq_ignore_ascii_case(content_type))
            }
        }
    }
}

/// Paths of earlier versions of the contract, each with its successor.
const OLDER: [(&str, &str); 2] =
    [("/logs/rest/singles", "/logs/v1/singles"), ("/logs/rest/bulk", "/logs/v1/bulk")];

/// The form in which entries arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Singles,
    Bulk,
    OtlpJson,
    OtlpProtobuf,
}

impl Form {
    /// Returns the name of the form for users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Bulk => "bulk",
            Self::OtlpJson => "OTLP as JSON",
            Self::OtlpProtobuf => "OTLP as protobuf",
        }
    }

    /// Returns whether the entries are log records of OTLP.
    pub fn is_otlp(self) -> bool {
        matches!(self, Self::OtlpJson | Self::OtlpProtobuf)
    }

    /// Returns the content type of responses, and of OTLP requests.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Singles | Self::Bulk | Self::OtlpJson => "application/json",
            Self::OtlpProtobuf => "application/x-protobuf",
        }
    }
}
