//! The write key of a request: `?k=`, HTTP Basic, or in the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

/// The key in the address or in the `Authorization` header. Segment's libraries
/// send it as the user of HTTP Basic, without a password.
#[must_use]
pub fn of(query: Option<&str>, headers: &HeaderMap) -> Option<String> {
    let named = query.and_then(|query| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "k")
            .map(|(_, key)| key.into_owned())
    });
    named.or_else(|| basic(headers))
}

fn basic(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let user = text.split_once(':').map_or(text.as_str(), |(user, _)| user);
    (!user.is_empty()).then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_the_address_or_as_a_user() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(None, &headers), None);
        headers.insert("authorization", "Bearer x".parse().unwrap());
        assert_eq!(of(Some("d=1"), &headers), None);
        headers.insert("authorization", "Basic a2V5Og==".parse().unwrap());
        assert_eq!(of(None, &headers).as_deref(), Some("key"));
        assert_eq!(of(Some("d=1&k=a%20b"), &headers).as_deref(), Some("a b"));
    }
}
