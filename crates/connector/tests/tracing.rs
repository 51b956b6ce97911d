//! The fields of the `tracing` events.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use meshtls_connector::{Connector, TracingObserver};
use meshtls_policy::{
    Inventory, Labels, MeshSettings, PolicyHandle, PolicySet, Resources, Workload,
};
use meshtls_rustls::TlsProfile;
use meshtls_svid::SvidHandle;
use meshtls_testkit::TestCa;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the fields of each event, as text.
#[derive(Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("meshtls_connector")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("there are no spans")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !["connect", "handshake"].contains(&field.name()) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

/// A connector that tells about its connections, and knows the objects in `yaml`.
fn connector(yaml: &str) -> Connector {
    let ca = TestCa::new("prod.example");
    let settings = MeshSettings::new(ca.trust_domain().clone());
    let resources = Resources::parse("test.yaml", yaml).unwrap();
    let svid = SvidHandle::new(ca.svid("spiffe://prod.example/ns/web/sa/shop"), ca.bundles());
    Connector::builder(TlsProfile::ring())
        .svid(Arc::new(svid))
        .policy(PolicyHandle::new(PolicySet::compile(settings.clone(), &resources)))
        .discovery(Arc::new(Inventory::from_resources(&settings, &resources)))
        .client(Workload::new("web", Labels::default()))
        .observer(Arc::new(TracingObserver::new()))
        .system_roots(vec![])
        .build()
}

#[tokio::test]
async fn a_failure_is_one_event_with_its_fields() {
    let kept = Kept::default();
    let lines = Arc::clone(&kept.0);
    let _guard = tracing::subscriber::set_default(kept);
    connector("").connect("no\nhost", 80).await.unwrap_err();

    let lines = lines.lock().unwrap();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let start = r#"INFO outcome="resolve_failed" error="cannot resolve no"#;
    let end = r#" host="no\\nhost" port=80 attempts=0 sni="none""#;
    assert!(line.starts_with(start) && line.ends_with(end), "{line}");
}

#[tokio::test]
async fn names_that_are_accepted_are_told() {
    let kept = Kept::default();
    let lines = Arc::clone(&kept.0);
    let _guard = tracing::subscriber::set_default(kept);
    let rule = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: web }
spec:
  hosts: [api.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 443, name: https }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api, namespace: web }
spec: { host: api.example.com, trafficPolicy: { tls: { mode: SIMPLE } } }
";
    connector(rule)
        .connect("api.example.com", 443)
        .await
        .unwrap_err();

    let lines = lines.lock().unwrap();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let start = r#"INFO outcome="no_system_roots""#;
    let end = r#" sni="api.example.com" accepted="api.example.com""#;
    assert!(line.starts_with(start) && line.ends_with(end), "{line}");
}
