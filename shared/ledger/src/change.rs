//! A conditional update, written with the attributes' own names.
//!
//! Half of the ledger's names (state, owner, source, …) are reserved words of
//! DynamoDB, so every name goes through a placeholder; here `#name` always
//! stands for `name`, and `:name` for the value that the change gives it.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

/// An update and the condition under which it is done.
#[derive(Debug, Default)]
pub(crate) struct Change {
    sets: Vec<String>,
    adds: Vec<String>,
    removes: Vec<String>,
    condition: String,
    values: HashMap<String, AttributeValue>,
}

impl Change {
    /// A change that is done only where the condition holds.
    pub(crate) fn when(condition: &str) -> Self {
        Self { condition: condition.to_owned(), ..Self::default() }
    }

    /// The value of a placeholder in the condition, with its colon.
    pub(crate) fn bind(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    /// Sets an attribute.
    pub(crate) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :{name}"));
        self.bind(&format!(":{name}"), value)
    }

    /// Sets an attribute that the item does not have yet.
    pub(crate) fn set_if_absent(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = if_not_exists(#{name}, :{name})"));
        self.bind(&format!(":{name}"), value)
    }

    /// Adds to a number; an absent one counts as 0.
    pub(crate) fn add(mut self, name: &str, value: AttributeValue) -> Self {
        self.adds.push(format!("#{name} :{name}"));
        self.bind(&format!(":{name}"), value)
    }

    /// Removes an attribute.
    pub(crate) fn remove(mut self, name: &str) -> Self {
        self.removes.push(format!("#{name}"));
        self
    }

    /// Puts the change into a request.
    pub(crate) fn into_request(self, request: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let expression = self.expression();
        let names = names(&expression).chain(names(&self.condition)).collect();
        request
            .update_expression(expression)
            .condition_expression(self.condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(self.values))
    }

    fn expression(&self) -> String {
        [("SET", &self.sets), ("ADD", &self.adds), ("REMOVE", &self.removes)]
            .into_iter()
            .filter(|(_, parts)| !parts.is_empty())
            .map(|(word, parts)| format!("{word} {}", parts.join(", ")))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Every `#name` of an expression, with the name it stands for.
pub(crate) fn names(expression: &str) -> impl Iterator<Item = (String, String)> {
    expression.split('#').skip(1).map(|rest| {
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (format!("#{}", &rest[..end]), rest[..end].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo::number;

    #[test]
    fn a_change_spells_its_expression_and_names() {
        let change = Change::when("#state = :loading")
            .set("owner", number(1))
            .set_if_absent("next_row", number(0))
            .add("fence", number(1))
            .remove("reason");
        let expression = change.expression();
        assert_eq!(
            expression,
            "SET #owner = :owner, #next_row = if_not_exists(#next_row, :next_row) ADD #fence :fence REMOVE #reason"
        );
        let found: std::collections::BTreeMap<_, _> =
            names(&expression).chain(names(&change.condition)).collect();
        assert_eq!(found["#next_row"], "next_row");
        assert_eq!(found["#state"], "state");
        assert_eq!(found.len(), 5);
    }
}
