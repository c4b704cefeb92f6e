//! A received entry, and the reasons for which a request is rejected.

use contract::{Clause, Violation};
use serde_json::Value;

use super::route::Form;

/// One entry of a request.
#[derive(Debug)]
pub struct Entry {
    /// The entry, with the names of its envelope or resource.
    /// If it is not JSON: the beginning of its text.
    pub value: Value,
    /// The size of its text in bytes.
    pub size: usize,
    /// The form in which it arrived.
    pub form: Form,
    /// The violations of the contract; empty if the entry is accepted.
    pub reasons: Vec<String>,
    /// The violated clause of each reason.
    pub clauses: Vec<Clause>,
}

impl Entry {
    /// Returns an entry with its violations.
    pub fn new(value: Value, size: usize, form: Form, violations: &[&Violation]) -> Self {
        let reasons = violations.iter().map(ToString::to_string).collect();
        let clauses = violations.iter().map(|violation| violation.clause).collect();
        Self { value, size, form, reasons, clauses }
    }
}

/// The reasons why a whole request is rejected.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status of the response.
    pub status: u16,
    /// One line for each reason.
    pub reasons: Vec<String>,
}

impl Refusal {
    /// Returns a refusal for one reason.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reasons: vec![reason.into()] }
    }
}
