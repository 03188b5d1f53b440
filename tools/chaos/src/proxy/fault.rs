//! What a proxy does to requests, and to which.

use super::framing::Head;

/// Which requests a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// INSERTs with a token, into ClickHouse.
    Insert,
    /// Everything asked of DynamoDB.
    DynamoDb,
    /// Everything asked of SQS.
    Sqs,
    /// Everything asked of S3.
    S3,
    /// Objects fetched from S3.
    S3Get,
}

impl On {
    /// Whether this request is one.
    #[must_use]
    pub fn matches(self, head: &Head) -> bool {
        let target = head.header("x-amz-target");
        let of = |service: &str| target.is_some_and(|target| target.starts_with(service));
        match self {
            Self::Insert => head.line.contains("insert_deduplication_token="),
            Self::DynamoDb => of("DynamoDB_"),
            Self::Sqs => of("AmazonSQS."),
            Self::S3 => target.is_none(),
            Self::S3Get => target.is_none() && head.method() == "GET",
        }
    }
}

/// What is done to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// The request is done; when its good answer comes, the client's connection
    /// is reset instead: the server has committed, and nobody hears of it.
    LoseAnswer,
    /// The connections end after at most so many bytes of the body.
    LoseRequest {
        /// The number is chosen below this.
        within: u64,
    },
    /// The request is read and answered by the proxy; the server sees nothing.
    Refuse(Answer),
    /// The server does the request; the client hears this.
    DoneAndRefused(Answer),
    /// The answer's body is cut somewhere within its first bytes.
    CutBody {
        /// The number is chosen below this.
        within: u64,
    },
}

/// An answer that the server has not given.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, with its words.
    pub status: &'static str,
    /// Headers besides the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The answer as bytes; without its body for a HEAD.
    #[must_use]
    pub fn bytes(&self, method: &str) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (length, body) = match method {
            "HEAD" => (0, ""),
            _ => (self.body.len(), self.body.as_str()),
        };
        format!("HTTP/1.1 {}\r\n{headers}content-length: {length}\r\n\r\n{body}", self.status)
            .into_bytes()
    }

    /// An exception of ClickHouse, as the server spells it.
    #[must_use]
    pub fn exception(code: u32, name: &str, text: &str) -> Self {
        Self {
            status: "500 Internal Server Error",
            headers: vec![
                ("content-type", "text/plain; charset=UTF-8".to_owned()),
                ("x-clickhouse-exception-code", code.to_string()),
            ],
            body: format!("Code: {code}. DB::Exception: {text}. ({name}) (version 26.7.1.1)\n"),
        }
    }

    /// DynamoDB's or SQS's refusal.
    #[must_use]
    pub fn aws_json(status: &'static str, kind: &str) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", "application/x-amz-json-1.0".to_owned()),
                ("x-amzn-requestid", "CHAOS".to_owned()),
            ],
            body: format!(r#"{{"__type":"{kind}","message":"chaos"}}"#),
        }
    }

    /// S3's refusal.
    #[must_use]
    pub fn aws_xml(status: &'static str, code: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/xml".to_owned())],
            body: format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>chaos</Message></Error>"
            ),
        }
    }
}

/// What is done, to which requests, how often.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name under which it is counted.
    pub name: &'static str,
    /// Which requests.
    pub on: On,
    /// What is done to them.
    pub act: Act,
    /// With which chance, 0 to 1.
    pub chance: f64,
    /// How often at most; no limit when absent.
    pub most: Option<u64>,
}

impl Rule {
    /// A rule for every request of a kind.
    #[must_use]
    pub fn always(name: &'static str, on: On, act: Act) -> Self {
        Self { name, on, act, chance: 1.0, most: None }
    }

    /// The same with a chance.
    #[must_use]
    pub fn with_chance(self, chance: f64) -> Self {
        Self { chance, ..self }
    }

    /// The same with a limit.
    #[must_use]
    pub fn at_most(self, most: u64) -> Self {
        Self { most: Some(most), ..self }
    }
}
