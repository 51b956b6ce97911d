//! Host names: how they are compared and which are well formed.

use std::borrow::Cow;

/// Whether `text` is a DNS label: 1 to 63 letters, digits and `-`, the latter only inside.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether Istio takes `text` for a full name: up to 255 bytes of labels, the last not of digits only; a final dot is fine.
pub(crate) fn is_fqdn(text: &str) -> bool {
    text.len() <= 255 && is_labels(text)
}

/// The same, where the first part may be `*`, or a label behind `*` or `*-`.
pub(crate) fn is_wildcard_domain(text: &str) -> bool {
    let (first, rest) = match text.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    let plain = first.strip_prefix('*').unwrap_or(first);
    let plain =
        if first.starts_with('*') { plain.strip_prefix('-').unwrap_or(plain) } else { plain };
    (first == "*" || (first.len() <= 63 && is_label(plain)))
        && text.len() <= 255
        && rest.is_none_or(|rest| rest.is_empty() || is_labels(rest))
}

fn is_labels(text: &str) -> bool {
    let plain = text.strip_suffix('.').unwrap_or(text);
    let digits = text
        .rsplit('.')
        .next()
        .is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
    !digits && plain.split('.').all(is_label)
}

/// The spelling under which names are compared: lower case, without the root's dot.
pub(crate) fn normalize(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// The shorter names that Kubernetes' DNS gives a service: `httpbin.foo.svc.cluster.local` is also `httpbin.foo.svc` and
/// `httpbin.foo`. Other hosts have none.
pub(crate) fn short_names(host: &str) -> Option<[&str; 2]> {
    let (service, rest) = host.split_once('.')?;
    let (namespace, rest) = rest.split_once('.')?;
    let domain = rest.strip_prefix("svc.")?;
    let parts =
        !service.is_empty() && service != "*" && !namespace.is_empty() && !domain.is_empty();
    let with_svc = host.strip_suffix(domain)?.strip_suffix('.')?;
    parts
        .then(|| with_svc.strip_suffix(".svc"))?
        .map(|without| [with_svc, without])
}

#[cfg(test)]
mod tests {
    use super::{is_fqdn, is_wildcard_domain, normalize, short_names};

    #[test]
    fn hosts_of_rules() {
        for (text, want) in [
            ("*", true),
            ("*.example.com", true),
            ("*-a.example.com", true),
            ("*a", true),
            ("api", true),
            ("123", true),
            ("api.example.com.", true),
            ("api.", true),
            ("API.example.com", true),
            ("", false),
            ("a_b", false),
            ("a.*", false),
            ("a*", false),
            ("**", false),
            ("*--a", false),
            ("-a", false),
            ("a..b", false),
            ("10.0.0.1", false),
            ("a.b..", false),
        ] {
            assert_eq!(is_wildcard_domain(text), want, "{text}");
        }
        assert!(!is_wildcard_domain(&["a"; 129].join(".")), "257 bytes");
        assert!(!is_wildcard_domain(&"a".repeat(64)), "a label of 64");
    }

    #[test]
    fn names() {
        for (text, full, wildcard) in [
            ("httpbin.foo.svc.cluster.local", true, true),
            ("localhost", true, true),
            ("a-b.c.", true, true),
            ("*.example.com", false, true),
            ("*-a.example.com", false, true),
            ("*", false, true),
            ("a_b.c", false, false),
            ("a.*.com", false, false),
            ("", false, false),
            ("a..b", false, false),
            ("a b", false, false),
            ("-a.b", false, false),
            ("10.0.0.256", false, false),
            ("unix:///run/x", false, false),
        ] {
            assert_eq!((is_fqdn(text), is_wildcard_domain(text)), (full, wildcard), "{text}");
        }
        assert!(!is_fqdn(&["a"; 129].join(".")), "257 bytes");
        assert!(!is_fqdn(&"a".repeat(64)), "a label of 64");
    }

    #[test]
    fn spellings() {
        assert_eq!(normalize("HTTPBIN.Foo."), "httpbin.foo");
        assert_eq!(normalize("httpbin.foo"), "httpbin.foo");
    }

    #[test]
    fn kubernetes_short_names() {
        for (host, want) in [
            ("httpbin.foo.svc.cluster.local", Some(["httpbin.foo.svc", "httpbin.foo"])),
            ("a.svc.svc.svc", Some(["a.svc.svc", "a.svc"])),
            ("httpbin.foo.svc", None),
            ("httpbin.foo.com", None),
            ("*.foo.svc.cluster.local", None),
        ] {
            assert_eq!(short_names(host), want, "{host}");
        }
    }
}
