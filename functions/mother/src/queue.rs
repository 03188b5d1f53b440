//! What the function says to its own queue: go on with an object in a new
//! invocation, and when a message is to be seen again.

use std::time::Duration;

use anyhow::Context as _;

use model::notification::Named;

/// Longest time that SQS delays a new message: 15 minutes.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// The function's own queue.
pub struct Queue {
    /// The client.
    pub client: aws_sdk_sqs::Client,
    /// Address of the queue.
    pub url: String,
}

impl Queue {
    /// Sends a message that names the object, so that a later invocation goes
    /// on with it, after a delay of at most 15 minutes. A new message has a new
    /// count of receives: an object that is long, or that another worker holds,
    /// does not wear out the tries of a failing one.
    pub async fn go_on(&self, object: &Named, delay: Duration) -> anyhow::Result<()> {
        let body = serde_json::to_string(object)?;
        let seconds = i32::try_from(delay.min(LONGEST_DELAY).as_secs())?;
        let message = self.client.send_message().queue_url(&self.url).message_body(body);
        let sent = message.delay_seconds(seconds).send().await;
        sent.map(drop).with_context(|| {
            format!(
                "sending the continuation of s3://{}/{} to {}",
                object.bucket, object.key, self.url
            )
        })
    }

    /// Lets a message be seen again at once. A failure is only logged: the
    /// message then comes back after the queue's own visibility timeout.
    pub async fn show_now(&self, receipt_handle: &str) {
        let changed = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(0)
            .send()
            .await;
        if let Err(error) = changed {
            let error = aws_sdk_sqs::error::DisplayErrorContext(&error).to_string();
            tracing::warn!(error, "the visibility of a message was not changed");
        }
    }
}
