//! What was seen on the wire: who connected to which port, and with what security.

use std::net::IpAddr;

use serde::Serialize;

use crate::field::{Field, shorten};
use crate::parse_error::{ParseError, ParseFault};
use crate::violation::Violation;
use crate::{ParseOptions, ResourceName, tree};

/// Connections that were seen, such as a server's log of its callers gives them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observations(Vec<Observation>);

impl Observations {
    /// Reads YAML or JSON, any number of documents of this shape:
    ///
    /// ```yaml
    /// observations:
    /// - caller: { address: 10.1.2.3 }     # or { workload: legacy/curl }
    ///   workload: foo/httpbin             # the server: its namespace and name in the inventory
    ///   port: 8000                        # the workload (container) port
    ///   connectionSecurityPolicy: none    # or mutual_tls, as in Istio's metrics
    ///   count: 12                         # default 1
    /// ```
    ///
    /// # Errors
    ///
    /// The first thing that is wrong refuses the whole text, as in [`Resources::parse`](crate::Resources::parse).
    pub fn parse(source_name: &str, text: &str) -> Result<Self, ParseError> {
        Self::parse_with(source_name, text, &ParseOptions::default())
    }

    /// As [`parse`](Self::parse), with other bounds.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(
        source_name: &str,
        text: &str,
        options: &ParseOptions,
    ) -> Result<Self, ParseError> {
        read_all(text, options).map_err(|error| error.in_source(source_name, Vec::new()))
    }

    /// The connections, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.0.iter()
    }
}

impl FromIterator<Observation> for Observations {
    fn from_iter<I: IntoIterator<Item = Observation>>(observations: I) -> Self {
        Self(observations.into_iter().collect())
    }
}

/// Connections of one caller to one port that were alike.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Observation {
    /// Who connected.
    pub caller: ObservedCaller,
    /// The workload connected to.
    pub workload: ResourceName,
    /// The workload port.
    pub port: u16,
    /// What protected the connections.
    pub security: Security,
    /// How many there were.
    pub count: u64,
}

impl Observation {
    /// One connection.
    pub fn new(
        caller: ObservedCaller,
        workload: ResourceName,
        port: u16,
        security: Security,
    ) -> Self {
        Self { caller, workload, port, security, count: 1 }
    }

    /// Sets how many connections there were.
    #[must_use]
    pub fn with_count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }
}

/// Who was seen to connect.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a caller is known by name or by address")]
pub enum ObservedCaller {
    /// Somebody at this address: all that is known of who sends plaintext.
    Address(IpAddr),
    /// A workload of the inventory.
    Workload(ResourceName),
}

/// What protected a connection, under the names of Istio's label `connection_security_policy`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "Istio's destinations report these two")]
pub enum Security {
    /// Nothing: plaintext, or TLS without a mesh certificate.
    None,
    /// Mutual TLS of the mesh.
    MutualTls,
}

fn read_all(text: &str, options: &ParseOptions) -> Result<Observations, ParseError> {
    let mut read = Vec::new();
    for document in tree::documents(text, options)? {
        let list = Field::root(&document)
            .object(&["observations"])?
            .require("observations")?;
        for item in list.list()? {
            read.push(read_one(&item)?);
        }
    }
    Ok(Observations(read))
}

fn read_one(field: &Field<'_>) -> Result<Observation, ParseError> {
    let object =
        field.object(&["caller", "workload", "port", "connectionSecurityPolicy", "count"])?;
    Ok(Observation {
        caller: read_caller(&object.require("caller")?)?,
        workload: read_name(&object.require("workload")?)?,
        port: object.require("port")?.port()?,
        security: object.require("connectionSecurityPolicy")?.name_of(
            &["none", "mutual_tls"],
            |name| match name {
                "none" => Some(Security::None),
                "mutual_tls" => Some(Security::MutualTls),
                _ => None,
            },
        )?,
        count: object
            .get("count")
            .map_or(Ok(1), |count| count.count().map(u64::from))?,
    })
}

fn read_caller(field: &Field<'_>) -> Result<ObservedCaller, ParseError> {
    let object = field.object(&["address", "workload"])?;
    match (object.get("address"), object.get("workload")) {
        (Some(address), None) => {
            let text = address.text()?;
            text.parse()
                .map(ObservedCaller::Address)
                .map_err(|_no_ip| address.invalid(Violation::BadAddress { found: shorten(text) }))
        }
        (None, Some(workload)) => read_name(&workload).map(ObservedCaller::Workload),
        (Some(_), Some(_)) | (None, None) => Err(field.refuse(ParseFault::WrongType {
            expected: "either `address` or `workload`",
            found: if object.get("address").is_some() { "both" } else { "neither" }.to_owned(),
        })),
    }
}

/// Reads `namespace/name`.
fn read_name(field: &Field<'_>) -> Result<ResourceName, ParseError> {
    let text = field.text()?;
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(ResourceName::new(namespace, name))
        }
        _ => Err(field.refuse(ParseFault::WrongType {
            expected: "namespace/name",
            found: format!("`{}`", shorten(text)),
        })),
    }
}
