//! MSK's access control by IAM: a token for SASL/OAUTHBEARER that is a
//! presigned URL, as AWS's own signers for MSK make it.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::error::KafkaError;

/// How long a broker takes a token; a connection lives longer.
const LIFETIME: Duration = Duration::from_secs(900);
const SERVICE: &str = "kafka-cluster";
const ACTION: &str = "kafka-cluster%3AConnect";

/// Who asks, where.
#[derive(Clone)]
pub struct IamCredentials {
    /// The region of the cluster.
    pub region: String,
    /// Where credentials come from, as for every AWS client.
    pub provider: SharedCredentialsProvider,
}

impl IamCredentials {
    /// A token made now.
    pub(crate) async fn token(&self) -> Result<String, KafkaError> {
        let problem = |text: String| KafkaError::Settings { problem: text };
        let credentials = self.provider.provide_credentials().await;
        let credentials =
            credentials.map_err(|error| problem(format!("no AWS credentials for MSK: {error}")))?;
        iam_token(&credentials, &self.region, SystemTime::now())
    }
}

impl fmt::Debug for IamCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamCredentials").field("region", &self.region).finish_non_exhaustive()
    }
}

/// The token of these credentials at a moment.
///
/// # Errors
/// When the credentials cannot sign.
pub fn iam_token(
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<String, KafkaError> {
    let problem = |error: &dyn fmt::Display| KafkaError::Settings {
        problem: format!("a token for MSK cannot be signed: {error}"),
    };
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFETIME);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| problem(&error))?;
    let host = format!("kafka.{region}.amazonaws.com");
    let url = format!("https://{host}/?Action={ACTION}");
    let headers = std::iter::once(("host", host.as_str()));
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b""))
        .map_err(|error| problem(&error))?;
    let (signed, _) = sign(request, &params.into()).map_err(|error| problem(&error))?.into_parts();
    let mut url = url;
    for (name, value) in signed.params() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.push_str(&percent_encoded(value));
    }
    // Not signed: AWS's signers add it last, for the broker's logs.
    url.push_str("&User-Agent=motherlode");
    Ok(BASE64_URL_SAFE_NO_PAD.encode(url))
}

/// A value of a query as the signature has it: everything but the unreserved
/// characters is escaped.
fn percent_encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                text.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
                }
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The signatures are botocore's for the same credentials and moment.
    #[rstest]
    #[case(None, "00629abe90095b91c1a9e460b67a01a8e4e7499b99f571276b99dd9258dd65e5")]
    #[case(Some("tok/en+=="), "1529f9196f13904f264c405fe39e06ae586628e75b79f9e63503fab53c94e85c")]
    fn the_token_is_signed_as_awss_own_signers_do(
        #[case] session: Option<&str>,
        #[case] signature: &str,
    ) {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let session = session.map(str::to_owned);
        let credentials = Credentials::new("AKIDEXAMPLE", secret, session, None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let token = iam_token(&credentials, "eu-central-1", now).unwrap();
        let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        assert!(
            url.starts_with(
                "https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&"
            ),
            "{url}"
        );
        for part in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-central-1%2Fkafka-cluster%2Faws4_request",
            "X-Amz-Date=20260102T030405Z",
            "X-Amz-Expires=900",
            "X-Amz-SignedHeaders=host",
            &format!("X-Amz-Signature={signature}"),
        ] {
            assert!(url.split('&').any(|found| found == part), "{part} is not in {url}");
        }
        assert!(url.ends_with("&User-Agent=motherlode"), "{url}");
        assert_eq!(url.contains("X-Amz-Security-Token=tok%2Fen%2B%3D%3D"), url.contains("1529f"));
        assert!(!url.contains(secret));
    }
}
