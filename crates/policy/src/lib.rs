//! Istio mTLS policies: parsed, validated, compiled, resolved and explained.

mod handle;
mod labels;
mod metadata;
mod mode;
mod peer_authentication;
mod policy_set;
mod resolved;
mod resource_name;
mod resources;
mod settings;
mod timestamp;
mod workload;

pub use handle::{PolicyHandle, PolicySnapshot};
pub use labels::{LabelMismatch, Labels};
pub use metadata::Metadata;
pub use mode::{MtlsMode, UnknownMode};
pub use peer_authentication::PeerAuthentication;
pub use policy_set::PolicySet;
pub use resolved::{Resolved, Winner};
pub use resource_name::ResourceName;
pub use resources::Resources;
pub use settings::MeshSettings;
pub use timestamp::{ParseTimestampError, Timestamp};
pub use workload::Workload;
