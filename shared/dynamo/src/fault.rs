//! What went wrong between us and a table, and what is to be done about it.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use model::{Disposed, Disposition};
use thiserror::Error;

/// A table, and the environment variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Name of the table.
    pub name: String,
    /// The variable that an operator sets to choose another table.
    pub variable: &'static str,
}

/// What went wrong between us and a table.
#[derive(Debug, Error)]
pub enum Fault {
    /// Throttled, timed out, not reached, or an error of the service's own.
    #[error(
        "the DynamoDB table `{table}` cannot be used now ({code}); the same call can succeed later"
    )]
    Unavailable {
        /// Name of the table.
        table: String,
        /// The service's error code, or what failed on the way to it.
        code: String,
        /// The SDK's error.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// There is no such table.
    #[error(
        "there is no DynamoDB table `{table}` in this account and region; create it, or name the right one in {variable}"
    )]
    MissingTable {
        /// Name of the table.
        table: String,
        /// The variable that names it.
        variable: &'static str,
    },
    /// The credentials are refused.
    #[error(
        "the DynamoDB table `{table}` may not be used with these credentials ({code}); allow this role to use it, or name another table in {variable}"
    )]
    Denied {
        /// Name of the table.
        table: String,
        /// The variable that names it.
        variable: &'static str,
        /// The service's error code.
        code: String,
        /// The SDK's error.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The service refuses the request as such.
    #[error(
        "the DynamoDB table `{table}` refuses the request ({code}); compare its keys and indexes with the deployment, or name another table in {variable}"
    )]
    Refused {
        /// Name of the table.
        table: String,
        /// The variable that names it.
        variable: &'static str,
        /// The service's error code.
        code: String,
        /// The SDK's error.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// An item is not as it was written by us.
    #[error(
        "the item {key} of the DynamoDB table `{table}` is damaged: attribute `{attribute}` {problem}; mend it by hand"
    )]
    Damaged {
        /// Name of the table.
        table: String,
        /// The item's key, or as much of it as is there.
        key: String,
        /// Name of the attribute.
        attribute: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Fault {
    /// Decides what an error of the SDK means.
    pub fn from_sdk<E>(table: &TableName, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = match &error {
            SdkError::TimeoutError(_) => "timed out".to_owned(),
            SdkError::DispatchFailure(_) => "not reached".to_owned(),
            SdkError::ResponseError(_) => "unreadable answer".to_owned(),
            SdkError::ConstructionFailure(_) => "not sent".to_owned(),
            _ => error.code().unwrap_or("no error code").to_owned(),
        };
        let meaning = match &error {
            SdkError::TimeoutError(_)
            | SdkError::DispatchFailure(_)
            | SdkError::ResponseError(_) => Meaning::Unavailable,
            SdkError::ConstructionFailure(_) => Meaning::Refused,
            _ => meaning(&code, status),
        };
        let (name, variable) = (table.name.clone(), table.variable);
        let cause = error.into();
        match meaning {
            Meaning::Unavailable => Self::Unavailable { table: name, code, cause },
            Meaning::MissingTable => Self::MissingTable { table: name, variable },
            Meaning::Denied => Self::Denied { table: name, variable, code, cause },
            Meaning::Refused => Self::Refused { table: name, variable, code, cause },
        }
    }
}

impl Disposed for Fault {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } => Disposition::Retry,
            Self::MissingTable { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Damaged { .. } => Disposition::Fatal,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Unavailable,
    MissingTable,
    Denied,
    Refused,
}

/// What an error code of the service means. The status decides about codes
/// that are not listed.
fn meaning(code: &str, status: Option<u16>) -> Meaning {
    match code {
        "ResourceNotFoundException" | "TableNotFoundException" => Meaning::MissingTable,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId" => Meaning::Denied,
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => Meaning::Unavailable,
        _ if status.is_none_or(|status| status >= 500 || status == 429) => Meaning::Unavailable,
        _ => Meaning::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ThrottlingException", Some(400), Meaning::Unavailable)]
    #[case("ProvisionedThroughputExceededException", Some(400), Meaning::Unavailable)]
    #[case("InternalServerError", Some(500), Meaning::Unavailable)]
    #[case("SomethingNew", Some(503), Meaning::Unavailable)]
    #[case("SomethingNew", None, Meaning::Unavailable)]
    #[case("SomethingNew", Some(400), Meaning::Refused)]
    #[case("ValidationException", Some(400), Meaning::Refused)]
    #[case("AccessDeniedException", Some(400), Meaning::Denied)]
    #[case("ExpiredTokenException", Some(400), Meaning::Denied)]
    #[case("ResourceNotFoundException", Some(400), Meaning::MissingTable)]
    fn codes_have_a_meaning(
        #[case] code: &str,
        #[case] status: Option<u16>,
        #[case] expected: Meaning,
    ) {
        assert_eq!(meaning(code, status), expected);
    }

    #[test]
    fn a_missing_table_names_the_variable() {
        let fault = Fault::MissingTable { table: "t".into(), variable: "MOTHERLODE_LEDGER_TABLE" };
        assert!(fault.to_string().contains("name the right one in MOTHERLODE_LEDGER_TABLE"));
        assert_eq!(fault.disposition(), Disposition::Fatal);
    }
}
