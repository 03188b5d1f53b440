//! Reading many records: by source through the index, or a bounded scan.

use std::cmp::Reverse;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Fault, Item, text};

use crate::item::record;
use crate::{BY_DEBT, BY_SOURCE, DynamoLedger, ListQuery, Record};

/// Most items that a listing over all sources looks at. It is an operator's
/// overview; a program asks for a source.
const MAX_SCANNED: usize = 20_000;

impl DynamoLedger {
    /// The records of one source, from the index: newest first by its order.
    pub(crate) async fn list_source(
        &self,
        source: &str,
        query: &ListQuery,
    ) -> Result<Vec<Record>, Fault> {
        let (filter, mut names, mut values) = match query.state {
            Some(_) => state_filter(query),
            None => Filter::default(),
        };
        names.insert("#source".to_owned(), "source".to_owned());
        values.insert(":source".to_owned(), text(source));
        let mut found = Vec::new();
        let mut from: Option<Item> = None;
        while found.len() < query.limit {
            let mut request = self
                .client
                .query()
                .table_name(&self.table.name)
                .index_name(BY_SOURCE)
                .key_condition_expression("#source = :source")
                .set_filter_expression(filter.clone())
                .set_expression_attribute_names(Some(names.clone()))
                .set_expression_attribute_values(Some(values.clone()))
                .scan_index_forward(false)
                .set_exclusive_start_key(from.take());
            if filter.is_none() {
                // With a filter the limit would count what is filtered out.
                request =
                    request.limit(i32::try_from(query.limit - found.len()).unwrap_or(i32::MAX));
            }
            let page = request.send().await.map_err(|error| Fault::from_sdk(&self.table, error))?;
            for item in page.items() {
                let record = record(&self.table, item)?;
                // A part is shown with its object.
                if record.part.is_none() {
                    found.push(record);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        found.truncate(query.limit);
        Ok(found)
    }

    /// The records of one source that owe something, the oldest change first.
    pub(crate) async fn list_owing(
        &self,
        source: &str,
        limit: usize,
    ) -> Result<Vec<Record>, Fault> {
        let mut found = Vec::new();
        let mut from: Option<Item> = None;
        while found.len() < limit {
            let page = self
                .client
                .query()
                .table_name(&self.table.name)
                .index_name(BY_DEBT)
                .key_condition_expression("#owes = :source")
                .expression_attribute_names("#owes", "owes")
                .expression_attribute_values(":source", text(source))
                .set_exclusive_start_key(from.take())
                .limit(i32::try_from(limit - found.len()).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| Fault::from_sdk(&self.table, error))?;
            for item in page.items() {
                let record = record(&self.table, item)?;
                // A part is shown with its object.
                if record.part.is_none() {
                    found.push(record);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// The records of all sources: a scan has no order, so it is sorted here.
    pub(crate) async fn list_all(&self, query: &ListQuery) -> Result<Vec<Record>, Fault> {
        let (filter, names, values) = state_filter(query);
        let mut found = Vec::new();
        let mut scanned = 0;
        let mut from: Option<Item> = None;
        while scanned < MAX_SCANNED {
            let page = self
                .client
                .scan()
                .table_name(&self.table.name)
                .set_filter_expression(filter.clone())
                .set_expression_attribute_names((!names.is_empty()).then(|| names.clone()))
                .set_expression_attribute_values((!values.is_empty()).then(|| values.clone()))
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|error| Fault::from_sdk(&self.table, error))?;
            for item in page.items() {
                let record = record(&self.table, item)?;
                // A part is shown with its object.
                if record.part.is_none() {
                    found.push(record);
                }
            }
            scanned += usize::try_from(page.scanned_count()).unwrap_or(0);
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        found.sort_by_key(|record| Reverse(record.updated_at_ms));
        found.truncate(query.limit);
        Ok(found)
    }
}

type Filter = (Option<String>, HashMap<String, String>, HashMap<String, AttributeValue>);

fn state_filter(query: &ListQuery) -> Filter {
    match query.state {
        // The table holds more than objects.
        None => (
            Some("attribute_exists(#state)".to_owned()),
            HashMap::from([("#state".to_owned(), "state".to_owned())]),
            HashMap::new(),
        ),
        Some(state) => (
            Some("#state = :state".to_owned()),
            HashMap::from([("#state".to_owned(), "state".to_owned())]),
            HashMap::from([(":state".to_owned(), text(state.name()))]),
        ),
    }
}
