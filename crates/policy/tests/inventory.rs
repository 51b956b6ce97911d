//! Services looked up by name, and the TLS that clients use towards them.
#![expect(clippy::unwrap_used, reason = "a failure to read a test text must fail the test")]

use meshtls_identity::IdMatcher;
use meshtls_policy::{
    AcceptedNames, Discovery, EndpointTls, Inventory, Labels, MeshSettings, MtlsMode,
    OutboundChoice, OutboundReason, OutboundTls, PeerAuthentication, PeerName, PolicySet,
    Resolution, Resources, Workload,
};

const SERVICES: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: foo, creationTimestamp: '2024-01-01T00:00:02Z'}
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - {number: 8000, name: http, protocol: HTTP, targetPort: 80}
  - {number: 9000, name: tcp, protocol: TCP}
  endpoints:
  - {address: 127.0.1.1, labels: {app: httpbin}, serviceAccount: httpbin}
  - {address: 127.0.1.2, labels: {app: httpbin, security.istio.io/tlsMode: disabled}, serviceAccount: httpbin}
  - {address: '::1', labels: {app: httpbin}, ports: {http: 8080}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: foo}
spec:
  hosts: [db.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 5432, name: tcp}]
  workloadSelector: {labels: {app: db}}
  subjectAltNames: [db.example, 'spiffe://cluster.local/ns/foo/sa/old-db']
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: db-1, namespace: foo}
spec: {address: 10.0.0.1, labels: {app: db, security.istio.io/tlsMode: istio}, serviceAccount: db}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: db-2, namespace: bar}
spec: {address: 10.0.0.2, labels: {app: db}, serviceAccount: db}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: foo}
spec:
  hosts: [api.example.com]
  resolution: DNS
  ports: [{number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: anything-outside, namespace: foo}
spec:
  hosts: ['*.cdn.example.com', '*.example.com']
  resolution: DYNAMIC_DNS
  ports: [{number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: private, namespace: bar, creationTimestamp: '2024-01-01T00:00:01Z'}
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  ports: [{number: 8000, name: http}]
  exportTo: ['.', baz]
";

fn inventory() -> Inventory {
    let resources = Resources::parse("services.yaml", SERVICES).unwrap();
    Inventory::from_resources(&MeshSettings::default(), &resources)
}

fn policies(policies: impl IntoIterator<Item = PeerAuthentication>) -> PolicySet {
    PolicySet::compile(MeshSettings::default(), &policies.into_iter().collect())
}

#[test]
fn names_are_found() {
    let inventory = inventory();
    for (client, host, port, want) in [
        ("web", "httpbin.foo.svc.cluster.local", 8000, Some("foo/httpbin.foo.svc.cluster.local")),
        ("web", "HTTPBIN.foo.svc.cluster.local.", 8000, Some("foo/httpbin.foo.svc.cluster.local")),
        ("web", "httpbin.foo.svc", 8000, Some("foo/httpbin.foo.svc.cluster.local")),
        ("web", "httpbin.foo", 9000, Some("foo/httpbin.foo.svc.cluster.local")),
        ("foo", "httpbin", 9000, Some("foo/httpbin.foo.svc.cluster.local")),
        ("web", "httpbin", 9000, None),
        ("web", "httpbin.foo", 80, None),
        ("web", "nobody.foo", 8000, None),
        ("web", "", 8000, None),
        ("web", ".", 8000, None),
        // The older entry of another namespace is not visible, or is preferred where it is the client's own.
        ("bar", "httpbin.foo", 8000, Some("bar/httpbin.foo.svc.cluster.local")),
        ("baz", "httpbin.foo", 8000, Some("bar/httpbin.foo.svc.cluster.local")),
        ("foo", "httpbin.foo", 8000, Some("foo/httpbin.foo.svc.cluster.local")),
        // Exact before wildcard, longer wildcard before shorter.
        ("web", "api.example.com", 443, Some("foo/api.example.com")),
        ("web", "x.y.cdn.example.com", 443, Some("foo/*.cdn.example.com")),
        ("web", "www.example.com", 443, Some("foo/*.example.com")),
        ("web", "example.com", 443, None),
    ] {
        let found = inventory.service(client, host, port);
        let found = found.map(|view| format!("{}/{}", view.namespace, view.hostname));
        assert_eq!(found.as_deref(), want, "{host}:{port} from {client}");
    }
}

#[test]
fn a_short_name_is_taken_from_whom_it_fits() {
    let entry = |name: &str, domain: &str, year: u16, port: u16, export_to: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
             metadata: {{name: {name}, namespace: foo, creationTimestamp: '{year}-01-01T00:00:00Z'}}\n\
             spec: {{hosts: [web.foo.svc.{domain}], location: MESH_INTERNAL, exportTo: ['{export_to}'], \
             ports: [{{number: {port}, name: http}}]}}\n"
        )
    };
    let text = [
        entry("hidden", "old.example", 2020, 80, "."),
        entry("other-port", "other.example", 2021, 81, "*"),
        entry("ours", "cluster.local", 2022, 80, "*"),
        entry("late", "late.example", 2023, 80, "*"),
    ];
    let resources = Resources::parse("services.yaml", &text.concat()).unwrap();
    let inventory = Inventory::from_resources(&MeshSettings::default(), &resources);
    for (client, host, port, want) in [
        ("web", "web.foo", 80, Some("web.foo.svc.cluster.local")),
        ("web", "web.foo.svc", 80, Some("web.foo.svc.cluster.local")),
        ("web", "web.foo", 81, Some("web.foo.svc.other.example")),
        ("foo", "web", 80, Some("web.foo.svc.old.example")),
        ("foo", "web.foo", 81, Some("web.foo.svc.other.example")),
        ("web", "web.foo", 82, None),
        ("web", "web.foo.svc.old.example", 80, None),
    ] {
        let found = inventory.service(client, host, port);
        let found = found.map(|view| view.hostname.clone());
        assert_eq!(found.as_deref(), want, "{host}:{port} from {client}");
    }
}

/// `count` texts made by `item`, as a list.
fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..count).map(item).collect();
    format!("[{}]", items.join(", "))
}

#[test]
fn services_that_multiply_beyond_all_bounds_are_refused() {
    let services = |name: &str, hosts, ports, rest: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: foo}}\n\
             spec: {{hosts: {}, ports: {}, {rest}}}\n",
            list(hosts, |nth| format!("h{nth}.b")),
            list(ports, |nth| format!("{{number: {}, name: p{nth}, protocol: HTTP}}", nth + 1)),
        )
    };
    let endpoints = |count| {
        let endpoints = list(count, |_| "{address: 10.0.0.1}".to_owned());
        format!("resolution: STATIC, endpoints: {endpoints}")
    };
    let workload = |nth: usize| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: w{nth}, namespace: foo}}\n\
             spec: {{address: 10.0.0.1, labels: {{app: db}}}}\n"
        )
    };
    let workloads: String = (0..100).map(workload).collect();
    let selector = "resolution: STATIC, workloadSelector: {labels: {app: db}}";
    let names = format!("subjectAltNames: {}", list(999, |nth| format!("n{nth}")));
    let label = format!(
        "resolution: STATIC, endpoints: [{{address: 10.0.0.1, labels: {{a: {}}}}}]",
        "x".repeat(300_000)
    );
    for (name, text, fits) in [
        ("a million", services("a", 100, 100, &endpoints(99)), true),
        ("one more host", services("a", 101, 100, &endpoints(99)), false),
        ("hosts and ports alone", services("a", 3000, 500, ""), false),
        ("names", services("a", 49, 20, &names), true),
        ("more names", services("a", 51, 20, &names), false),
        ("a long label", services("a", 100, 100, &label), false),
        ("selected, described later", services("a", 100, 60, selector) + &workloads, false),
        ("fewer selected", services("a", 100, 40, selector) + &workloads, true),
        (
            "two together",
            services("b", 100, 60, &endpoints(99)) + &services("a", 100, 60, &endpoints(99)),
            false,
        ),
    ] {
        match Resources::parse("s.yaml", &text) {
            Ok(_) => assert!(fits, "{name}"),
            Err(error) => {
                assert!(!fits && error.reason() == "inventory_too_large", "{name}: {error}");
                let want = "s.yaml: hosts times ports times endpoints: the services up to foo/a take more than 256000000 bytes";
                assert_eq!(error.to_string(), want, "{name}");
            }
        }
    }
}

#[test]
fn endpoints_are_as_written() {
    let inventory = inventory();
    let ports = |port| {
        let view = inventory.service("web", "httpbin.foo", port).unwrap();
        let describe = |endpoint: &meshtls_policy::Endpoint| (endpoint.to_string(), endpoint.tls);
        view.endpoints.iter().map(describe).collect::<Vec<_>>()
    };
    let (mesh, no_mesh) = (EndpointTls::Istio, EndpointTls::Disabled);
    let want = [("127.0.1.1:80", mesh), ("127.0.1.2:80", no_mesh), ("[::1]:8080", no_mesh)];
    assert_eq!(
        ports(8000),
        want.map(|(at, tls)| (at.to_owned(), tls)),
        "targetPort, then the entry's own port"
    );
    let want = [("127.0.1.1:9000", mesh), ("127.0.1.2:9000", no_mesh), ("[::1]:9000", no_mesh)];
    assert_eq!(ports(9000), want.map(|(at, tls)| (at.to_owned(), tls)));
    let view = inventory.service("web", "api.example.com", 443).unwrap();
    assert_eq!(view.resolution, Resolution::Dns);
    let [endpoint] = view.endpoints.as_slice() else { unreachable!("the host itself") };
    assert_eq!(
        (endpoint.to_string().as_str(), endpoint.socket_addr()),
        ("api.example.com:443", None)
    );
    let none = inventory.service("bar", "httpbin.foo", 8000).unwrap();
    assert_eq!((none.resolution, none.endpoints.len()), (Resolution::Passthrough, 0));
    assert_eq!(inventory.services().count(), 7);
    assert_eq!(inventory.workloads().len(), 2);
}

#[test]
fn names_of_servers_come_from_accounts_and_alternative_names() {
    let view = inventory().service("web", "db.foo", 5432).unwrap();
    let [endpoint] = view.endpoints.as_slice() else {
        unreachable!("only the entry of the same namespace")
    };
    assert_eq!(endpoint.service_account.as_deref(), Some("db"));
    let names: Vec<String> = view.names.iter().map(ToString::to_string).collect();
    let want = [
        "spiffe://cluster.local/ns/foo/sa/db",
        "spiffe://cluster.local/ns/foo/sa/old-db",
        "db.example",
    ];
    assert_eq!(names, want);
}

#[test]
fn each_reason_can_be_had() {
    let inventory = inventory();
    let view = inventory.service("web", "httpbin.foo", 8000).unwrap();
    let [mesh, disabled, _] = view.endpoints.as_slice() else { unreachable!("three endpoints") };
    let none = policies([]);
    let disable = |name: &str| PeerAuthentication::new("foo", name).with_mode(MtlsMode::Disable);
    let headless = |tls: &[EndpointTls]| {
        let mut view = (*view).clone();
        view.resolution = Resolution::Passthrough;
        view.endpoints = tls
            .iter()
            .map(|tls| {
                let mut endpoint = mesh.clone();
                endpoint.tls = *tls;
                endpoint
            })
            .collect();
        view
    };
    let auto_off = PolicySet::compile(
        MeshSettings::default().with_enable_auto_mtls(false),
        &Resources::default(),
    );
    let on_port = disable("port").with_selector([("app", "httpbin")]);
    let outside = inventory.service("web", "api.example.com", 443).unwrap();
    let namespace = OutboundReason::NamespaceDisable { namespace: "foo".to_owned() };
    let port = policies([on_port.clone()])
        .resolve(&mesh.workload, 80)
        .winner();
    let port = OutboundReason::EndpointModeDisable { winner: port };
    let in_mesh = headless(&[EndpointTls::Istio, EndpointTls::Other]);
    let one_out = headless(&[EndpointTls::Istio, EndpointTls::Disabled]);
    let empty = headless(&[]);
    let (auto, off, on) =
        (OutboundChoice::Auto, OutboundChoice::Disable, OutboundChoice::IstioMutual);
    for (name, set, view, endpoint, choice, want, mutual, is_auto) in [
        ("in the mesh", &none, &*view, mesh, auto, OutboundReason::EndpointInMesh, true, true),
        ("chosen off", &none, &view, mesh, off, OutboundReason::ChosenDisable, false, false),
        ("chosen on", &none, &view, disabled, on, OutboundReason::ChosenIstioMutual, true, false),
        (
            "not in the mesh",
            &none,
            &view,
            disabled,
            auto,
            OutboundReason::EndpointNotInMesh,
            false,
            true,
        ),
        ("auto mTLS off", &auto_off, &view, mesh, auto, OutboundReason::AutoMtlsOff, false, false),
        ("outside", &none, &outside, mesh, auto, OutboundReason::MeshExternal, false, false),
        ("namespace", &policies([disable("ns")]), &view, mesh, auto, namespace, false, true),
        ("port", &policies([on_port]), &view, mesh, auto, port, false, true),
        ("headless", &none, &in_mesh, mesh, auto, OutboundReason::AllEndpointsInMesh, true, true),
        (
            "headless, one out",
            &none,
            &one_out,
            mesh,
            auto,
            OutboundReason::SomeEndpointDisabled,
            false,
            true,
        ),
        (
            "headless, none known",
            &none,
            &empty,
            mesh,
            auto,
            OutboundReason::NoEndpoints,
            false,
            true,
        ),
    ] {
        let decision = set.outbound(&client(), view, "", endpoint, choice);
        assert_eq!(decision.reason, want, "{name}");
        assert_eq!(matches!(decision.tls, OutboundTls::IstioMutual { .. }), mutual, "{name}");
        assert_eq!(decision.is_auto(), is_auto, "{name}");
        let mode = if mutual { "ISTIO_MUTUAL: " } else { "DISABLE: " };
        assert!(decision.to_string().starts_with(mode), "{name}: {decision}");
    }
}

#[test]
fn the_server_name_and_who_may_answer() {
    let inventory = inventory();
    let aliases = ["old.td".parse().unwrap()];
    let settings = MeshSettings::default().with_trust_domain_aliases(aliases);
    let set = PolicySet::compile(settings, &Resources::default());
    let decide = |host: &str, port: u16| {
        let view = inventory.service("web", host, port).unwrap();
        let endpoint = view.endpoints.first().unwrap().clone();
        match set
            .outbound(&client(), &view, "", &endpoint, OutboundChoice::IstioMutual)
            .tls
        {
            OutboundTls::IstioMutual { sni, accepted } => (sni, accepted),
            other => unreachable!("mTLS was chosen, not {other:?}"),
        }
    };
    let (sni, accepted) = decide("httpbin.foo", 8000);
    assert_eq!(sni, "outbound_.8000_._.httpbin.foo.svc.cluster.local");
    assert_eq!(
        accepted.to_string(),
        "spiffe://cluster.local/ns/foo/sa/httpbin, spiffe://old.td/ns/foo/sa/httpbin"
    );
    let matcher = accepted.matcher().unwrap();
    assert!(matcher.matches(&"spiffe://old.td/ns/foo/sa/httpbin".parse().unwrap()));
    assert!(!matcher.matches(&"spiffe://old.td/ns/foo/sa/db".parse().unwrap()));

    let (_, accepted) = decide("api.example.com", 443);
    assert_eq!(
        (accepted.to_string().as_str(), &accepted),
        ("anybody in the mesh", &AcceptedNames::Anybody)
    );
    assert!(matches!(accepted.matcher(), Some(IdMatcher::Any)));

    let mut view = (*inventory.service("web", "httpbin.foo", 8000).unwrap()).clone();
    view.names = vec![PeerName::from("db.example")];
    let endpoint = view.endpoints.first().unwrap();
    let decision = set.outbound(&client(), &view, "", endpoint, OutboundChoice::IstioMutual);
    let OutboundTls::IstioMutual { accepted, .. } = decision.tls else {
        unreachable!("mTLS was chosen")
    };
    assert_eq!(accepted.to_string(), "db.example");
    assert!(accepted.matcher().is_none(), "no mesh peer carries a DNS name");
}

#[test]
fn members_are_workloads_with_the_ports_that_services_give_them() {
    let text = "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: curl, namespace: legacy }
spec: { address: 127.0.0.3, labels: { app: curl } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: httpbin-1, namespace: foo }
spec: { address: 127.0.0.1, labels: { app: httpbin }, serviceAccount: httpbin }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local, httpbin.example]
  ports: [{ number: 8000, name: http, protocol: HTTP, targetPort: 80 }]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: httpbin } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: foo }
spec:
  hosts: [db.foo.svc.cluster.local]
  ports: [{ number: 5432, name: tcp }, { number: 9000, name: admin }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{ address: 127.0.0.5, ports: { admin: 90 } }]
";
    let resources = Resources::parse("services.yaml", text).unwrap();
    let inventory = Inventory::from_resources(&MeshSettings::default(), &resources);
    let seen: Vec<_> = inventory
        .members()
        .iter()
        .map(|member| {
            let ports: Vec<_> = member
                .ports
                .iter()
                .map(|port| {
                    format!("{}:{}>{}", port.service, port.service_port, port.workload_port)
                })
                .collect();
            (member.name.to_string(), member.is_in_mesh(), ports.join(" "))
        })
        .collect();
    let httpbin = "httpbin.example:8000>80 httpbin.foo.svc.cluster.local:8000>80";
    let db = "db.foo.svc.cluster.local:5432>5432 db.foo.svc.cluster.local:9000>90";
    let want =
        [("legacy/curl", false, ""), ("foo/httpbin-1", true, httpbin), ("foo/db", false, db)];
    let want = want.map(|(name, mesh, ports)| (name.to_owned(), mesh, ports.to_owned()));
    assert_eq!(seen, want);

    let service = inventory.service("foo", "httpbin", 8000).unwrap();
    let member = inventory.member(&service.endpoints[0]).unwrap();
    assert_eq!(member.name, meshtls_policy::ResourceName::new("foo", "httpbin-1"));
    assert!(member.listens_on(80) && !member.listens_on(8000));
}

fn client() -> Workload {
    Workload::new("web", Labels::default())
}

#[test]
fn services_and_workloads_of_several_texts_do_not_multiply_either() {
    let services = |selected: &str| {
        let hosts: Vec<String> = (0..100).map(|nth| format!("h{nth}.b")).collect();
        let ports: Vec<String> = (1..=60)
            .map(|nth| format!("{{number: {nth}, name: p{nth}, protocol: HTTP}}"))
            .collect();
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: a, namespace: foo}}, spec: {{hosts: {hosts:?}, \
             ports: [{}], resolution: STATIC, workloadSelector: {{labels: {{app: {selected}}}}}}}}}",
            ports.join(", ")
        )
    };
    let workloads: String = (0..200)
        .map(|nth| {
            format!(
                "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: w{nth}, namespace: foo}}\n\
                 spec: {{address: 10.0.0.1, labels: {{app: db}}}}\n"
            )
        })
        .collect();
    let read = |text: &str| Resources::parse("s.yaml", text).unwrap();
    for (first, second) in
        [(services("db"), workloads.clone()), (workloads.clone(), services("db"))]
    {
        let mut all = read(&first);
        let before = all.clone();
        let error = all.extend(read(&second)).unwrap_err();
        assert_eq!(error.reason(), "inventory_too_large");
        assert!(error.to_string().contains("foo/a"), "{error}");
        assert_eq!(all, before, "nothing is added");
    }
    let mut all = read(&workloads);
    all.extend(read(&services("other"))).unwrap();
}

#[test]
fn a_selector_without_labels_finds_every_workload_of_its_namespace() {
    let text = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: all, namespace: foo }
spec:
  hosts: [all.foo.svc.cluster.local]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  workloadSelector: {}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: one, namespace: foo }
spec: { address: 10.0.0.1 }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: two, namespace: bar }
spec: { address: 10.0.0.2 }
";
    let resources = Resources::parse("services.yaml", text).unwrap();
    let inventory = Inventory::from_resources(&MeshSettings::default(), &resources);
    let view = inventory.service("foo", "all.foo", 80).unwrap();
    let found: Vec<String> = view.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["10.0.0.1:80"]);
}
