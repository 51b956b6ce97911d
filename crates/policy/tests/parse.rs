//! What is read, what is refused, where and why.
#![expect(clippy::panic, reason = "a text that is read by mistake must fail the test")]

use meshtls_policy::{
    EntryResolution, Location, MtlsMode, ParseError, ParseFault, ParseOptions, PeerAuthentication,
    ResourceName, Resources, Timestamp,
};

/// A policy whose `spec` is the text given (flow style), each part on a line of its own: the spec is on line 4, and begins
/// in column 7.
fn policy(spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: default, namespace: foo}}\nspec: {spec}\n"
    )
}

fn service(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: web, namespace: foo}}\nspec: {spec}\n"
    )
}

fn workload(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: web, namespace: foo}}\nspec: {spec}\n"
    )
}

fn refused(name: &str, text: &str) -> ParseError {
    match Resources::parse("p.yaml", text) {
        Ok(read) => panic!("{name}: read as {read:?}"),
        Err(error) => error,
    }
}

#[test]
fn policies_are_refused_with_reason_and_place() {
    for (name, spec, reason, column, field) in [
        ("wrong case", "{mtls: {mode: strict}}", "unknown_enum_value", 21, "spec.mtls.mode"),
        ("off is a boolean", "{mtls: {mode: off}}", "unknown_enum_value", 21, "spec.mtls.mode"),
        ("number as mode", "{mtls: {mode: 3}}", "unknown_enum_value", 21, "spec.mtls.mode"),
        ("list as mode", "{mtls: {mode: [STRICT]}}", "wrong_type", 21, "spec.mtls.mode"),
        ("mode without mtls", "{mode: STRICT}", "unknown_field", 8, "spec.mode"),
        ("moode", "{mtls: {moode: STRICT}}", "unknown_field", 15, "spec.mtls.moode"),
        ("mtls as text", "{mtls: STRICT}", "wrong_type", 14, "spec.mtls"),
        ("spec as text", "STRICT", "wrong_type", 7, "spec"),
        (
            "label without quotes: number",
            "{selector: {matchLabels: {v: 1.10}}}",
            "wrong_type",
            36,
            "spec.selector.matchLabels.v",
        ),
        (
            "label without quotes: yes",
            "{selector: {matchLabels: {v: yes}}}",
            "wrong_type",
            36,
            "spec.selector.matchLabels.v",
        ),
        (
            "label with a star",
            "{selector: {matchLabels: {a/b: 'x*'}}}",
            "selector_wildcard",
            38,
            r#"spec.selector.matchLabels["a/b"]"#,
        ),
        (
            "key with a star",
            "{selector: {matchLabels: {'*': x}}}",
            "selector_wildcard",
            38,
            r#"spec.selector.matchLabels["*"]"#,
        ),
        (
            "empty key",
            "{selector: {matchLabels: {'': x}}}",
            "selector_empty_key",
            37,
            r#"spec.selector.matchLabels[""]"#,
        ),
        (
            "selector with labels",
            "{selector: {labels: {a: b}}}",
            "unknown_field",
            19,
            "spec.selector.labels",
        ),
        (
            "ports without selector",
            "{portLevelMtls: {80: {mode: STRICT}}}",
            "port_level_needs_selector",
            23,
            "spec.portLevelMtls",
        ),
        (
            "no ports",
            "{selector: {matchLabels: {a: b}}, portLevelMtls: {}}",
            "port_level_empty",
            56,
            "spec.portLevelMtls",
        ),
        (
            "port mode as text",
            "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: STRICT}}",
            "wrong_type",
            61,
            "spec.portLevelMtls.80",
        ),
        (
            "port without value",
            "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: }}",
            "wrong_type",
            59,
            "spec.portLevelMtls.80",
        ),
        ("duplicate mode", "{mtls: {mode: STRICT, mode: DISABLE}}", "duplicate_key", 29, ""),
        ("unclosed", "{mtls: {mode: STRICT}", "syntax", 7, ""),
        ("anchor", "{mtls: &m {mode: STRICT}}", "alias", 17, ""),
        ("alias", "{mtls: *m}", "alias", 14, ""),
        ("merge key", "{<<: {mtls: {mode: STRICT}}}", "merge_key", 8, ""),
        ("tag", "{mtls: !m {mode: STRICT}}", "tag", 17, ""),
        ("null key", "{~: x}", "syntax", 8, ""),
    ] {
        let error = refused(name, &policy(spec));
        let got = (error.reason(), error.line(), error.column(), error.field());
        assert_eq!(got, (reason, Some(4), Some(column), field), "{name}: {error}");
        assert_eq!(error.source_name(), "p.yaml");
    }
}

#[test]
fn ports_are_refused_in_any_other_spelling() {
    let spec = |port: &str| {
        format!(
            "{{selector: {{matchLabels: {{a: b}}}}, portLevelMtls: {{{port}: {{mode: DISABLE}}}}}}"
        )
    };
    for port in [
        "0", "65536", "80.0", "8e1", "0x50", "'0080'", "08080", "+80", "-1", "http", "''", "' 80'",
        "8_0", "80 81",
    ] {
        let error = refused(port, &policy(&spec(port)));
        assert_eq!(error.reason(), "port_out_of_range", "{port}: {error}");
        assert_eq!((error.line(), error.column()), (Some(4), Some(57)), "{port}");
    }
    for port in ["1", "'8080'", "\"65535\""] {
        let read = Resources::parse("p.yaml", &policy(&spec(port))).unwrap();
        assert_eq!(read.peer_authentications().first().unwrap().ports.len(), 1, "{port}");
    }
    let twice = spec("80: {mode: STRICT}, '80'");
    assert_eq!(refused("80 twice", &policy(&twice)).reason(), "duplicate_key");
}

#[test]
fn envelopes_are_refused_with_reason_and_place() {
    let meta = "metadata: {name: a, namespace: b}";
    for (name, text, reason, line, column, field) in [
        ("no kind", format!("apiVersion: v1\n{meta}"), "missing_field", 1, 1, ""),
        ("no version", format!("kind: PeerAuthentication\n{meta}"), "missing_field", 1, 1, ""),
        ("kind as number", format!("apiVersion: v1\nkind: 5\n{meta}"), "wrong_type", 2, 7, "kind"),
        ("other version", format!("apiVersion: security.istio.io/v2\nkind: PeerAuthentication\n{meta}"), "unsupported_version", 1, 13, "apiVersion"),
        ("other group", format!("apiVersion: networking.istio.io/v1\nkind: PeerAuthentication\n{meta}"), "unsupported_version", 1, 13, "apiVersion"),
        ("unknown field", format!("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n{meta}\nsepc: {{}}"), "unknown_field", 4, 1, "sepc"),
        ("no metadata", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication".to_owned(), "missing_field", 1, 1, ""),
        ("no name", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {namespace: b}".to_owned(), "missing_field", 3, 11, "metadata"),
        ("no namespace", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: b}".to_owned(), "no_namespace", 3, 11, "metadata"),
        ("slash in a name", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a/b, namespace: b}".to_owned(), "bad_name", 3, 18, "metadata.name"),
        ("empty namespace", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: ''}".to_owned(), "bad_name", 3, 32, "metadata.namespace"),
        ("time without zone", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: b, creationTimestamp: '2024-03-01T00:00:01'}".to_owned(), "bad_timestamp", 3, 54, "metadata.creationTimestamp"),
        ("a list of objects", "- apiVersion: v1".to_owned(), "wrong_type", 1, 1, ""),
        ("text", "hello".to_owned(), "wrong_type", 1, 1, ""),
        ("list with a slip", "apiVersion: v1\nkind: List\nitmes: []".to_owned(), "unknown_field", 3, 1, "itmes"),
        ("second document", format!("{}---\n{}", policy("{}"), policy("{mtls: {mode: Strict}}").replace("default", "two")), "unknown_enum_value", 9, 21, "spec.mtls.mode"),
        ("inside a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: security.istio.io/v1\n  kind: PeerAuthentication\n  metadata: {name: a, namespace: b}\n  spec: {mtls: {mode: ON}}".to_owned(), "unknown_enum_value", 7, 23, "spec.mtls.mode"),
        ("same name twice", format!("{}---\n{}", policy("{}"), policy("{}")), "duplicate_object", 6, 1, ""),
        ("tab", format!("{}\tmtls:\n", policy("")), "syntax", 5, 2, ""),
        ("NUL", format!("{}# \0", policy("{}")), "nul_byte", 5, 3, ""),
    ] {
        let error = refused(name, &text);
        let got = (error.reason(), error.line(), error.column(), error.field());
        assert_eq!(got, (reason, Some(line), Some(column), field), "{name}: {error}");
    }
}

#[test]
fn bounds_are_refused_quickly() {
    let label = "x".repeat(64);
    let nested = |open: &str| open.repeat(5000);
    let bomb: String = (0..9)
        .map(|n| format!("l{n}: &l{n} [{}]\n", ["*p"; 9].join(",")))
        .collect();
    for (name, text, reason) in [
        ("1 MiB and a byte", " ".repeat((1 << 20) + 1), "too_large"),
        ("100 MB", " ".repeat(100_000_000), "too_large"),
        ("10,001 values", "- a\n".repeat(10_001), "too_many_nodes"),
        ("10,001 documents", "---\na\n".repeat(10_001), "too_many_nodes"),
        ("5,000 flow lists", nested("["), "too_deep"),
        ("5,000 flow maps", nested("{a: "), "too_deep"),
        ("5,000 block lists", nested("- "), "too_deep"),
        ("an alias bomb", bomb, "alias"),
        ("1 MiB of open maps", "{".repeat(1 << 20), "syntax"),
        ("1 MiB of open keys", "? ".repeat(1 << 19), "syntax"),
        ("1 MiB of text", "a ".repeat(1 << 19), "wrong_type"),
        ("1 MiB in quotes", format!("'{}", "'".repeat((1 << 20) - 1)), "wrong_type"),
        ("1 MiB of comment", format!("a #{}", " #".repeat((1 << 19) - 2)), "wrong_type"),
        ("1 MiB of colons", ":".repeat(1 << 20), "syntax"),
        (
            "64 characters",
            policy(&format!("{{selector: {{matchLabels: {{a: {label}}}}}}}")),
            "selector_value_too_long",
        ),
    ] {
        assert_eq!(refused(name, &text).reason(), reason, "{name}");
    }
    let fits = policy(&format!("{{selector: {{matchLabels: {{a: {}}}}}}}", "x".repeat(63)));
    assert!(Resources::parse("p.yaml", &fits).is_ok());
}

#[test]
fn bounds_can_be_moved() {
    let text = policy("{mtls: {mode: STRICT}}");
    let tight = |options: ParseOptions| {
        let error = Resources::parse_with("p.yaml", &text, &options).unwrap_err();
        error.fault().clone()
    };
    let bytes = text.len();
    assert_eq!(
        tight(ParseOptions::default().with_max_bytes(10)),
        ParseFault::TooLarge { bytes, max: 10 }
    );
    assert_eq!(
        tight(ParseOptions::default().with_max_nodes(10)),
        ParseFault::TooManyNodes { max: 10 }
    );
    assert_eq!(tight(ParseOptions::default().with_max_depth(2)), ParseFault::TooDeep { max: 2 });
    let loose = ParseOptions::default().with_max_depth(usize::MAX);
    let error = Resources::parse_with("p.yaml", &"[".repeat(100_000), &loose).unwrap_err();
    assert_eq!(error.fault(), &ParseFault::TooDeep { max: ParseOptions::DEEPEST });
}

#[test]
fn nesting_takes_little_stack() {
    let deep = |open: &str, core: &str, close: &str, levels: usize| {
        format!("{}{core}{}", open.repeat(levels), close.repeat(levels))
    };
    let object = format!(
        "{{apiVersion: v1, kind: X, x: {}}}",
        deep("{a: ", "b", "}", ParseOptions::DEEPEST - 2)
    );
    let list = deep(
        "{apiVersion: v1, kind: List, items: [",
        &policy("{}").replace('\n', ", "),
        "]}",
        ParseOptions::DEEPEST / 2 - 2,
    );
    let list = list
        .replace("apiVersion: security", "{apiVersion: security")
        .replace(", ]", "}]");
    let read = move || {
        let options = ParseOptions::default().with_max_depth(ParseOptions::DEEPEST);
        let skipped =
            Resources::parse_with("p.yaml", &object, &options).map(|read| read.skipped().len());
        let policies = Resources::parse_with("p.yaml", &list, &options)
            .map(|read| read.peer_authentications().len());
        (skipped, policies)
    };
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    assert_eq!(small.spawn(read).unwrap().join().unwrap(), (Ok(1), Ok(1)));
}

#[test]
fn bytes_that_are_no_text_are_refused_at_their_place() {
    let error = Resources::parse_bytes("p.yaml", b"a: b\nc: \xff\n").unwrap_err();
    assert_eq!((error.reason(), error.line(), error.column()), ("not_utf8", Some(2), Some(4)));
    let error = Resources::parse_bytes("p.yaml", &vec![0xff; (1 << 20) + 1]).unwrap_err();
    assert_eq!(error.reason(), "too_large");
    assert!(Resources::parse_bytes("p.yaml", policy("{}").as_bytes()).is_ok());
}

#[test]
fn messages_say_what_to_write() {
    for (spec, want) in [
        (
            "{mtls: {mode: strict}}",
            "p.yaml:4:21: spec.mtls.mode: unknown value `strict`, did you mean `STRICT`?; allowed: UNSET, DISABLE, PERMISSIVE, STRICT",
        ),
        (
            "{mtls: {mode: off}}",
            "p.yaml:4:21: spec.mtls.mode: unknown value `off` (a boolean); allowed: UNSET, DISABLE, PERMISSIVE, STRICT",
        ),
        (
            "{mtls: {moode: STRICT}}",
            "p.yaml:4:15: spec.mtls.moode: unknown field `moode`, did you mean `mode`?",
        ),
        (
            "{selector: {matchLabels: {v: 1.10}}}",
            "p.yaml:4:36: spec.selector.matchLabels.v: expected text, found the number `1.10` (quote it if it is meant as text)",
        ),
    ] {
        assert_eq!(refused(spec, &policy(spec)).to_string(), want);
    }
}

#[test]
fn both_styles_both_versions_and_json_read_the_same() {
    let block = "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: foo
  creationTimestamp: \"2024-03-01T00:00:01Z\"
  uid: 0d9e
  generation: 3
  managedFields: [{manager: kubectl, fieldsV1: {\"f:spec\": {}}}]
  labels: {team: pay}
  annotations: {note: \"x\"}
spec:
  selector:
    matchLabels:
      app: httpbin
  mtls:
    mode: STRICT
  portLevelMtls:
    8080:
      mode: DISABLE
    9090: {}
status: {}
";
    let json = r#"{
	"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
	"metadata": {"name": "default", "namespace": "foo", "creationTimestamp": "2024-03-01T00:00:01.9Z",
		"labels": {"team": "pay"}, "annotations": {"note": "x"}},
	"spec": {"selector": {"matchLabels": {"app": "httpbin"}}, "mtls": {"mode": "STRICT"},
		"portLevelMtls": {"8080": {"mode": "DISABLE"}, "9090": {"mode": "UNSET"}}}
}"#;
    let read = Resources::parse("block", block).unwrap();
    let policy = read.peer_authentications().first().unwrap();
    assert_eq!(policy.mode, Some(MtlsMode::Strict));
    assert_eq!(
        policy.ports.clone().into_iter().collect::<Vec<_>>(),
        [(8080, Some(MtlsMode::Disable)), (9090, None)]
    );
    assert_eq!(policy.metadata.created, Some(Timestamp::from_unix_seconds(1_709_251_201)));
    assert_eq!(policy.metadata.annotations.get("note"), Some("x"));
    for (name, text) in [
        ("json", json.to_owned()),
        ("byte order mark", format!("\u{feff}{block}")),
        ("carriage returns", block.replace('\n', "\r\n")),
        ("empty documents around", format!("---\n---{block}---\n# nothing\n")),
        (
            "in a list",
            format!(
                "{{apiVersion: v1, kind: List, metadata: {{resourceVersion: ''}}, items: [{json}]}}"
            ),
        ),
        (
            "in a list of its kind",
            format!(
                "{{apiVersion: security.istio.io/v1, kind: PeerAuthenticationList, items: [{json}]}}"
            ),
        ),
    ] {
        let again = Resources::parse(name, &text).unwrap();
        assert_eq!(again.peer_authentications(), std::slice::from_ref(policy), "{name}");
    }
}

#[test]
fn nothing_is_read_from_nothing() {
    for text in ["", "\n", "# comment\n", "---\n", "{apiVersion: v1, kind: List}"] {
        assert_eq!(Resources::parse("p.yaml", text).unwrap(), Resources::default(), "{text:?}");
    }
}

#[test]
fn other_kinds_are_skipped_and_reported() {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{replicas: 1, x: [1, 2]}}\n---\n{}---\napiVersion: example.com/v1\nkind: PeerAuthentcation\n---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: deny, namespace: foo}}\n",
        policy("{}")
    );
    let read = Resources::parse("p.yaml", &text).unwrap();
    assert_eq!(read.peer_authentications().len(), 1);
    let reports: Vec<String> = read.skipped().iter().map(ToString::to_string).collect();
    let want = [
        "p.yaml:1: Deployment web is not read here",
        "p.yaml:11: PeerAuthentcation is not read here, did you mean `PeerAuthentication`?",
        "p.yaml:14: RequestAuthentication foo/deny is not read here",
    ];
    assert_eq!(reports, want);
}

#[test]
fn kinds_of_istio_that_are_not_read_are_skipped() {
    for (group, kind) in [
        ("security.istio.io", "RequestAuthentication"),
        ("security.istio.io", "RequestAuthenticationList"),
        ("networking.istio.io", "EnvoyFilter"),
        ("networking.istio.io", "Gateway"),
        ("networking.istio.io", "ProxyConfig"),
        ("networking.istio.io", "VirtualService"),
        ("networking.istio.io", "WorkloadGroup"),
        ("networking.istio.io", "SomethingNew"),
        ("example.com", "Lists"),
    ] {
        let text = format!("apiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: a}}\n");
        let read = Resources::parse("p.yaml", &text).unwrap();
        assert_eq!(read.skipped().len(), 1, "{kind}");
    }
}

#[test]
fn a_misspelt_kind_or_list_is_refused_not_skipped() {
    let meta = "metadata: {name: a, namespace: b}";
    for (version, kind, reason, nearest) in [
        ("security.istio.io/v1", "PeerAuthentcation", "unknown_kind", Some("PeerAuthentication")),
        ("security.istio.io/v1", "PeerAuthentications", "unknown_kind", Some("PeerAuthentication")),
        ("security.istio.io", "PeerAuthn", "unknown_kind", None),
        ("Security.Istio.io/v1", "AuthorizationPolcy", "unknown_kind", Some("AuthorizationPolicy")),
        ("security.istio.io/v1", "Policy", "unknown_kind", None),
        ("networking.istio.io/v1", "ServiceEntri", "unknown_kind", Some("ServiceEntry")),
        ("networking.istio.io/v1", "WorkloadEntyList", "unknown_kind", Some("WorkloadEntryList")),
        ("networking.istio.io/v1", "PeerAuthentcation", "unknown_kind", Some("PeerAuthentication")),
        ("security.istio.io/v1", "peerauthentication", "unknown_kind", Some("PeerAuthentication")),
        ("example.com/v1", "SERVICEENTRY", "unknown_kind", Some("ServiceEntry")),
        ("v1", "list", "unknown_kind", Some("List")),
        ("v1beta1", "List", "unsupported_version", None),
        ("security.istio.io/v1", "List", "unsupported_version", None),
    ] {
        let error = refused(kind, &format!("apiVersion: {version}\nkind: {kind}\n{meta}\n"));
        assert_eq!(error.reason(), reason, "{version} {kind}: {error}");
        let place = if reason == "unknown_kind" { (2, 7, "kind") } else { (1, 13, "apiVersion") };
        let got = (error.line().unwrap(), error.column().unwrap(), error.field());
        assert_eq!(got, place, "{version} {kind}");
        let hint = match error.fault() {
            ParseFault::UnknownKind { nearest, .. } => *nearest,
            _ => None,
        };
        assert_eq!(hint, nearest, "{version} {kind}");
    }
    let list = format!(
        "apiVersion: v2\nkind: List\nitems: [{{{}}}]",
        policy("{mtls: {mode: STRICT}}")
            .trim_end()
            .replace('\n', ", ")
    );
    let want = "p.yaml:1:13: apiVersion: `v2` has no List, `v1` has";
    assert_eq!(refused("a list of policies", &list).to_string(), want);
    let slip = policy("{}").replace("PeerAuthentication", "PeerAuthentcation");
    let want =
        "p.yaml:2:7: kind: unknown kind `PeerAuthentcation`, did you mean `PeerAuthentication`?";
    assert_eq!(refused("a slip", &slip).to_string(), want);
}

#[test]
fn a_selector_without_labels_is_a_warning() {
    let read = Resources::parse("p.yaml", &policy("{selector: {}}")).unwrap();
    let warning = read.warnings().first().unwrap();
    assert_eq!(warning.reason(), "selector_without_labels");
    assert_eq!(
        warning.to_string(),
        "p.yaml:4:8: foo/default: spec.selector: a selector without labels selects the whole namespace, as if it were not there"
    );
}

#[test]
fn a_default_namespace_can_be_given() {
    let text = policy("{}").replace(", namespace: foo", "");
    assert_eq!(refused("none", &text).reason(), "no_namespace");
    let options = ParseOptions::default().with_default_namespace("bar");
    let read = Resources::parse_with("p.yaml", &text, &options).unwrap();
    assert_eq!(
        read.peer_authentications()
            .first()
            .unwrap()
            .name()
            .to_string(),
        "bar/default"
    );
}

#[test]
fn collections_are_joined_unless_a_name_comes_twice() {
    let one = Resources::parse("1.yaml", &policy("{selector: {}}")).unwrap();
    let mut all = Resources::parse("2.yaml", &policy("{}").replace("default", "other")).unwrap();
    all.extend(one.clone()).unwrap();
    assert_eq!((all.peer_authentications().len(), all.warnings().len()), (2, 1));
    let error = all.extend(one).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a second PeerAuthentication foo/default: only one object can have a name"
    );
    assert_eq!(all.peer_authentications().len(), 2, "nothing was added");
}

#[test]
fn service_and_workload_entries_are_read() {
    let text = format!(
        "{}---\n{}",
        service(
            "{hosts: [web.foo.svc.cluster.local, '*.web.example'], addresses: [10.0.0.1], exportTo: ['.'], location: MESH_INTERNAL, \
             resolution: STATIC, subjectAltNames: ['spiffe://x/y'], \
             ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 81, name: raw, protocol: TLS}], \
             endpoints: [{address: 127.0.1.2, labels: {app: web}, ports: {raw: 9090}, serviceAccount: web, network: net-1, locality: r/z, weight: 3}]}"
        ),
        workload("{address: db.example, serviceAccount: '', labels: {app: db}}")
    );
    let read = Resources::parse("s.yaml", &text).unwrap();
    let entry = read.service_entries().first().unwrap();
    assert_eq!(
        (entry.location, entry.resolution),
        (Location::MeshInternal, EntryResolution::Static)
    );
    let ports: Vec<_> = entry
        .ports
        .iter()
        .map(|port| (port.number, port.name.as_str(), port.target_port))
        .collect();
    assert_eq!(ports, [(80, "http", Some(8080)), (81, "raw", None)]);
    let endpoint = entry.endpoints.first().unwrap();
    assert_eq!((endpoint.service_account.as_deref(), endpoint.weight), (Some("web"), Some(3)));
    let entry = read.workload_entries().first().unwrap();
    assert_eq!(
        (entry.workload.address.to_string().as_str(), entry.workload.service_account.as_deref()),
        ("db.example", None)
    );
}

#[test]
fn a_port_may_be_called_by_a_number() {
    let ports = [
        "{number: 80, name: '80', protocol: HTTP}",
        "{number: 81, name: '82', protocol: HTTP}",
        "{number: 82, name: '81', protocol: HTTP}",
    ]
    .join(", ");
    let text = service(&format!("{{hosts: [a.b], resolution: DNS, ports: [{ports}]}}"));
    let read = Resources::parse("p.yaml", &text).unwrap();
    assert_eq!(read.service_entries()[0].ports.len(), 3);
}

#[test]
fn service_and_workload_entries_are_refused_with_reason() {
    let static_with = |endpoint: &str| {
        service(&format!(
            "{{hosts: [a.b], ports: [{{number: 80, name: http}}], resolution: STATIC, endpoints: [{endpoint}]}}"
        ))
    };
    let ports = |ports: &str| service(&format!("{{hosts: [a.b], ports: {ports}}}"));
    for (name, text, reason, field) in [
        ("no spec", service(""), "missing_field", ""),
        ("no hosts", service("{}"), "missing_field", "spec"),
        ("empty hosts", service("{hosts: []}"), "hosts_empty", "spec.hosts"),
        ("a star alone", service("{hosts: ['*']}"), "bad_host", "spec.hosts[0]"),
        ("a path", service("{hosts: [a.b, a/b]}"), "bad_host", "spec.hosts[1]"),
        ("unknown field", service("{hosts: [a.b], port: []}"), "unknown_field", "spec.port"),
        (
            "unknown location",
            service("{hosts: [a.b], location: INTERNAL}"),
            "unknown_enum_value",
            "spec.location",
        ),
        (
            "unknown resolution",
            service("{hosts: [a.b], resolution: static}"),
            "unknown_enum_value",
            "spec.resolution",
        ),
        (
            "same number",
            ports("[{number: 80, name: a}, {number: 80, name: b}]"),
            "duplicate_port",
            "spec.ports[1].number",
        ),
        (
            "same name",
            ports("[{number: 80, name: a}, {number: 81, name: a}]"),
            "duplicate_port",
            "spec.ports[1].name",
        ),
        ("port 0", ports("[{number: 0, name: a}]"), "port_out_of_range", "spec.ports[0].number"),
        ("port as text", ports("[{number: '80', name: a}]"), "wrong_type", "spec.ports[0].number"),
        ("no port name", ports("[{number: 80}]"), "missing_field", "spec.ports[0]"),
        (
            "target port",
            ports("[{number: 80, name: a, targetPort: 70000}]"),
            "port_out_of_range",
            "spec.ports[0].targetPort",
        ),
        (
            "both",
            service(
                "{hosts: [a.b], workloadSelector: {labels: {a: b}}, resolution: STATIC, endpoints: [{address: 1.2.3.4}]}",
            ),
            "endpoints_and_selector",
            "spec.endpoints",
        ),
        (
            "endpoints for NONE",
            service("{hosts: [a.b], endpoints: [{address: 1.2.3.4}]}"),
            "endpoints_without_resolution",
            "spec.endpoints",
        ),
        (
            "STATIC with a name",
            static_with("{address: c.d}"),
            "address_not_ip",
            "spec.endpoints[0].address",
        ),
        ("no address", static_with("{}"), "missing_field", "spec.endpoints[0]"),
        (
            "a relative socket",
            static_with("{address: 'unix://run/x'}"),
            "bad_address",
            "spec.endpoints[0].address",
        ),
        (
            "a socket to look up",
            service("{hosts: [a.b], resolution: DNS, endpoints: [{address: 'unix:///run/x'}]}"),
            "bad_address",
            "spec.endpoints[0].address",
        ),
        (
            "a network to look up",
            service("{hosts: [a.b], resolution: DNS, endpoints: [{network: net}]}"),
            "missing_field",
            "spec.endpoints[0]",
        ),
        (
            "a socket with ports",
            static_with("{address: 'unix:///run/x', ports: {http: 1}}"),
            "socket_with_ports",
            "spec.endpoints[0].ports",
        ),
        (
            "a socket for no port",
            service("{hosts: [a.b], resolution: STATIC, endpoints: [{address: 'unix:///x'}]}"),
            "socket_needs_one_port",
            "spec.endpoints[0]",
        ),
        (
            "a port of no service",
            static_with("{address: 1.2.3.4, ports: {web: 1}}"),
            "unknown_service_port",
            "spec.endpoints[0].ports.web",
        ),
        (
            "a port name of no service",
            workload("{address: 1.2.3.4, ports: {a_b: 1}}"),
            "bad_port_name",
            "spec.ports.a_b",
        ),
        (
            "a label with a star",
            workload("{address: 1.2.3.4, labels: {app: 'w*'}}"),
            "bad_label",
            "spec.labels.app",
        ),
        ("an underscore", service("{hosts: [a_b.c]}"), "bad_host", "spec.hosts[0]"),
        (
            "DYNAMIC_DNS without star",
            service("{hosts: [a.b], resolution: DYNAMIC_DNS}"),
            "host_needs_wildcard",
            "spec.hosts[0]",
        ),
        (
            "DYNAMIC_DNS with addresses",
            service("{hosts: ['*.b'], resolution: DYNAMIC_DNS, addresses: [1.2.3.4]}"),
            "dynamic_with",
            "spec.addresses",
        ),
        (
            "DYNAMIC_DNS with endpoints",
            service("{hosts: ['*.b'], resolution: DYNAMIC_DNS, endpoints: [{address: 1.2.3.4}]}"),
            "dynamic_with",
            "spec.endpoints",
        ),
        (
            "DYNAMIC_DNS on TCP",
            service(
                "{hosts: ['*.b'], resolution: DYNAMIC_DNS, ports: [{number: 1, name: a, protocol: TCP}]}",
            ),
            "dynamic_protocol",
            "spec.ports[0]",
        ),
        (
            "DYNAMIC_DNS behind a waypoint",
            service("{hosts: ['*.b'], resolution: DYNAMIC_DNS, location: MESH_INTERNAL}")
                .replace("namespace: foo", "namespace: foo, labels: {istio.io/use-waypoint: w}"),
            "dynamic_waypoint",
            "spec",
        ),
        (
            "a star to look up",
            service("{hosts: [a.b, '*.b'], resolution: DNS}"),
            "host_not_resolvable",
            "spec.hosts",
        ),
        (
            "two to take turns with",
            service(
                "{hosts: [a.b], resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.b}, {address: c.d}]}",
            ),
            "many_endpoints_round_robin",
            "spec.endpoints",
        ),
        (
            "two hosts on one TCP port",
            service("{hosts: [a.b, c.d], resolution: DNS, ports: [{number: 1, name: a}]}"),
            "many_hosts_without_names",
            "spec.ports[0]",
        ),
        (
            "no address at all",
            service("{hosts: [a.b], addresses: [a.b]}"),
            "bad_subnet",
            "spec.addresses[0]",
        ),
        (
            "a long prefix",
            service("{hosts: [a.b], addresses: [1.2.3.4/33]}"),
            "bad_subnet",
            "spec.addresses[0]",
        ),
        (
            "a range to look up",
            service("{hosts: [a.b], resolution: DNS, addresses: ['::/0']}"),
            "subnet_with_names",
            "spec.addresses[0]",
        ),
        (
            "protocol",
            ports("[{number: 80, name: a, protocol: HTPP}]"),
            "unknown_protocol",
            "spec.ports[0].protocol",
        ),
        ("port name", ports("[{number: 80, name: A_b}]"), "bad_port_name", "spec.ports[0].name"),
        (
            "exported to nonsense",
            service("{hosts: [a.b], exportTo: [a_b]}"),
            "bad_export_to",
            "spec.exportTo[0]",
        ),
        (
            "exported twice",
            service("{hosts: [a.b], exportTo: [., foo]}"),
            "duplicate_export_to",
            "spec.exportTo[1]",
        ),
        (
            "exported to all and one",
            service("{hosts: [a.b], exportTo: ['*', foo]}"),
            "export_to_with_others",
            "spec.exportTo[0]",
        ),
        (
            "exported to nobody and one",
            service("{hosts: [a.b], exportTo: [foo, '~']}"),
            "export_to_with_others",
            "spec.exportTo[1]",
        ),
        (
            "four numbers",
            static_with("{address: 300.1.1.1}"),
            "bad_address",
            "spec.endpoints[0].address",
        ),
        (
            "service account",
            static_with("{address: 1.2.3.4, serviceAccount: a/b}"),
            "bad_service_account",
            "spec.endpoints[0].serviceAccount",
        ),
        (
            "weight",
            static_with("{address: 1.2.3.4, weight: -1}"),
            "wrong_type",
            "spec.endpoints[0].weight",
        ),
        (
            "selector with matchLabels",
            service("{hosts: [a.b], workloadSelector: {matchLabels: {a: b}}}"),
            "unknown_field",
            "spec.workloadSelector.matchLabels",
        ),
        ("workload without address", workload("{}"), "missing_field", "spec"),
        ("workload without spec", workload(""), "missing_field", ""),
    ] {
        let error = refused(name, &text);
        assert_eq!((error.reason(), error.field()), (reason, field), "{name}: {error}");
    }
}

#[test]
fn objects_are_printed_as_kubernetes_stores_them() {
    let text = policy(
        "{selector: {matchLabels: {app: web}}, portLevelMtls: {80: {mode: DISABLE}, 81: {}}}",
    );
    let read = Resources::parse("p.yaml", &text).unwrap();
    let printed = serde_json::to_string(read.peer_authentications().first().unwrap()).unwrap();
    assert_eq!(
        printed,
        r#"{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"foo"},"spec":{"selector":{"matchLabels":{"app":"web"}},"portLevelMtls":{"80":{"mode":"DISABLE"},"81":{"mode":"UNSET"}}}}"#
    );
    let other: Result<PeerAuthentication, _> =
        serde_json::from_str(r#"{"apiVersion":"v1","kind":"Pod"}"#);
    assert_eq!(other.unwrap_err().to_string(), "not a PeerAuthentication");
}

#[test]
fn origins_point_at_objects_and_fields() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: security.istio.io/v1
  kind: PeerAuthentication
  metadata: { name: web, namespace: foo }
  spec:
    selector: { matchLabels: { app: web } }
    portLevelMtls:
      8080: { mode: DISABLE }
";
    let options = ParseOptions::default().with_field_places();
    let resources = Resources::parse_with("policies.yaml", text, &options).unwrap();
    let name = ResourceName::new("foo", "web");
    let origin = resources.origin("PeerAuthentication", &name).unwrap();
    assert_eq!(origin.source_name(), "policies.yaml");
    for (field, want) in [
        ("spec.portLevelMtls.8080", (10, 7)),
        ("spec.portLevelMtls", (9, 5)),
        ("spec.portLevelMtls.9090", (9, 5)),
        ("spec.mtls.mode", (7, 3)),
        ("nothing of this", (4, 3)),
        ("", (4, 3)),
    ] {
        assert_eq!(origin.place_of(field), Some(want), "{field}");
    }
    let fields: Vec<_> = origin
        .fields()
        .filter(|(field, _)| field.starts_with("metadata"))
        .collect();
    assert_eq!(fields.len(), 3, "{fields:?}");
    assert!(fields.contains(&("metadata.namespace", (6, 26))), "{fields:?}");
    let brief = Resources::parse("policies.yaml", text).unwrap();
    let origin = brief.origin("PeerAuthentication", &name).unwrap();
    assert_eq!(origin.place_of("spec.portLevelMtls"), Some((4, 3)), "objects only");
    assert_eq!(brief, resources, "places are no part of the value");

    assert!(resources.origin("ServiceEntry", &name).is_none());
    assert!(resources.origin("Nonsense", &name).is_none());
    let value =
        Resources::default().with_peer_authentications([PeerAuthentication::new("foo", "web")]);
    assert!(value.origin("PeerAuthentication", &name).is_none(), "a value comes from nowhere");
}

#[test]
fn odd_services_and_workloads_are_warned_of() {
    for (name, text, want) in [
        ("fine", service("{hosts: [a.b], addresses: [10.0.0.0/8, '::1']}"), vec![]),
        (
            "nobody serves it",
            service("{hosts: [a.b], resolution: STATIC}"),
            vec!["static_without_endpoints"],
        ),
        (
            "an empty selector",
            service("{hosts: [a.b], resolution: STATIC, workloadSelector: {}}"),
            vec!["selector_without_labels"],
        ),
        (
            "a selector for nothing",
            service("{hosts: [a.b], workloadSelector: {labels: {a: b}}}"),
            vec!["selector_without_resolution"],
        ),
        ("half a star", service("{hosts: ['*a.b']}"), vec!["partial_wildcard"]),
        (
            "TCP for any address",
            service("{hosts: [a.b], ports: [{number: 1, name: a}]}"),
            vec!["tcp_without_addresses"],
        ),
        (
            "no address of its own",
            service(
                "{hosts: [a.b], resolution: DNS, ports: [{number: 1, name: a, protocol: TCP}]}",
            )
            .replace("foo}", "foo, labels: {networking.istio.io/enable-autoallocate-ip: 'False'}}"),
            vec!["tcp_without_addresses"],
        ),
        ("behind a gateway", workload("{network: net}"), vec!["address_unset"]),
        ("a socket", workload("{address: 'unix://@x'}"), vec![]),
    ] {
        let read = Resources::parse("s.yaml", &text).unwrap();
        let seen: Vec<_> = read
            .warnings()
            .iter()
            .map(|warning| warning.reason())
            .collect();
        assert_eq!(seen, want, "{name}");
    }
}
