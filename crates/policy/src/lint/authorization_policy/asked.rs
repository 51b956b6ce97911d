//! The lists of a policy's rules, one by one.

use crate::{Attribute, AuthorizationPolicy, Rule};

/// One list of values in a rule.
pub(super) struct Asked<'a> {
    /// Such as `spec.rules[0].from[1].source.principals`.
    pub(super) field: String,
    pub(super) part: Part,
    pub(super) attribute: Attribute,
    /// Whether none of the values may fit.
    pub(super) not: bool,
    pub(super) values: &'a [String],
}

/// Where in a rule a list stands.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Part {
    /// In the source with this number.
    From(usize),
    To,
    When,
}

impl Asked<'_> {
    /// The path of one of the values.
    pub(super) fn value_field(&self, nth: usize) -> String {
        format!("{}[{nth}]", self.field)
    }

    /// Whether the list is over something that only HTTP requests have.
    pub(super) fn is_http(&self) -> bool {
        !self.attribute.is_known_on_a_connection()
    }
}

/// The lists of each rule that have values.
pub(super) fn of(policy: &AuthorizationPolicy) -> Vec<Vec<Asked<'_>>> {
    let rules = policy.rules.iter().enumerate();
    rules
        .map(|(nth, rule)| of_rule(&format!("spec.rules[{nth}]"), rule))
        .collect()
}

fn of_rule<'a>(path: &str, rule: &'a Rule) -> Vec<Asked<'a>> {
    let mut asked = Vec::new();
    for (nth, source) in rule.from.iter().enumerate() {
        asked.extend(source.lists().map(|list| Asked {
            field: format!("{path}.from[{nth}].source.{}", list.name),
            part: Part::From(nth),
            attribute: list.attribute,
            not: list.name.starts_with("not"),
            values: list.values,
        }));
    }
    for (nth, operation) in rule.to.iter().enumerate() {
        asked.extend(operation.lists().map(|list| Asked {
            field: format!("{path}.to[{nth}].operation.{}", list.name),
            part: Part::To,
            attribute: list.attribute,
            not: list.name.starts_with("not"),
            values: list.values,
        }));
    }
    for (nth, condition) in rule.when.iter().enumerate() {
        // Only values have unknown keys; they count as something that only HTTP has.
        let attribute = Attribute::of_key(&condition.key).unwrap_or(Attribute::Http);
        for (name, not, values) in
            [("values", false, &condition.values), ("notValues", true, &condition.not_values)]
        {
            asked.push(Asked {
                field: format!("{path}.when[{nth}].{name}"),
                part: Part::When,
                attribute,
                not,
                values,
            });
        }
    }
    asked.retain(|asked| !asked.values.is_empty());
    asked
}
