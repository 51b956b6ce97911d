//! Bounds and defaults for reading a text.

/// How much a text may hold, and what an object without a namespace means.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseOptions {
    /// Longest text, in bytes. Default 1 MiB.
    pub max_bytes: usize,
    /// Most values (scalars, lists, maps, keys) in all documents together. Default 10,000, which is some 400 policies.
    pub max_nodes: usize,
    /// Deepest nesting of lists and maps. Default 32; more than [`DEEPEST`](Self::DEEPEST) counts as that.
    pub max_depth: usize,
    /// The namespace of objects that name none, like `kubectl -n`. Default `None`: such an object is refused.
    pub default_namespace: Option<String>,
    /// Whether to remember where each field stands, for tools that point at fields later. Default false: only where each
    /// object stands.
    pub field_places: bool,
}

impl ParseOptions {
    /// The deepest nesting that can be allowed: each level takes a piece of the stack, and what is printed again goes through
    /// JSON, whose reader stops short of 128 levels.
    pub const DEEPEST: usize = 120;

    /// Sets the longest text, in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets how many values the documents may hold together.
    #[must_use]
    pub fn with_max_nodes(mut self, max_nodes: usize) -> Self {
        self.max_nodes = max_nodes;
        self
    }

    /// Sets how deep lists and maps may nest.
    #[must_use]
    pub fn with_max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = max_depth;
        self
    }

    /// The depth that counts.
    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(Self::DEEPEST)
    }

    /// Remembers where each field stands, for [`Resources::origin`](crate::Resources::origin).
    #[must_use]
    pub fn with_field_places(mut self) -> Self {
        self.field_places = true;
        self
    }

    /// Sets the namespace of objects that name none.
    #[must_use]
    pub fn with_default_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.default_namespace = Some(namespace.into());
        self
    }
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_nodes: 10_000,
            max_depth: 32,
            default_namespace: None,
            field_places: false,
        }
    }
}
