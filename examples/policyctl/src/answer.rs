//! What a command comes to.

use serde::Serialize;

use crate::remark::Remark;

/// What a command has to say.
#[derive(Default)]
pub(crate) struct Answer {
    /// For people, with colours.
    pub(crate) text: String,
    /// The same for programs.
    pub(crate) json: String,
    /// What else to say, on standard error.
    pub(crate) remarks: Vec<Remark>,
    /// Whether the exit code is 0.
    pub(crate) good: bool,
}

impl Answer {
    pub(crate) fn new(text: String, value: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::from(Remark::error("json", error.to_string())))?;
        Ok(Self { text, json: json + "\n", remarks: Vec::new(), good: true })
    }

    pub(crate) fn with_remarks(mut self, remarks: Vec<Remark>) -> Self {
        self.remarks.extend(remarks);
        self
    }

    pub(crate) fn good_if(mut self, good: bool) -> Self {
        self.good = good;
        self
    }
}

/// Why a command cannot be carried out.
pub(crate) struct Failure(Vec<Remark>);

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Remark::error("usage", message).into()
    }

    /// The errors on standard error; as JSON on standard output besides, so that there always is one document.
    pub(crate) fn into_answer(self) -> Answer {
        #[derive(Serialize)]
        struct Errors<'a> {
            errors: &'a [Remark],
        }
        let json = serde_json::to_string_pretty(&Errors { errors: &self.0 }).unwrap_or_default();
        Answer { text: String::new(), json: json + "\n", remarks: self.0, good: false }
    }
}

impl From<Remark> for Failure {
    fn from(remark: Remark) -> Self {
        Self(vec![remark])
    }
}

impl From<Vec<Remark>> for Failure {
    fn from(remarks: Vec<Remark>) -> Self {
        Self(remarks)
    }
}
