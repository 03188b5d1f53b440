//! The cookie with a visitor's anonymous id.

use http::HeaderMap;
use model::document::Cookie;

/// Longest id that is taken from a cookie.
const MAX_ID: usize = 64;

/// The anonymous id that a request's cookie holds.
#[must_use]
pub fn id<'a>(headers: &'a HeaderMap, cookie: &Cookie) -> Option<&'a str> {
    let all = headers.get_all("cookie").into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, id) = pairs.find(|(name, _)| name.trim() == cookie.name)?;
    let id = id.trim();
    is_id(id).then_some(id)
}

/// Whether a cookie may hold it.
#[must_use]
pub fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !id.is_empty() && id.len() <= MAX_ID && id.chars().all(is_plain)
}

/// The `Set-Cookie` that keeps an id (RFC 6265bis, 4.1).
#[must_use]
pub fn set(cookie: &Cookie, id: &str) -> String {
    let seconds = u64::from(cookie.days) * 86_400;
    let mut text = format!(
        "{}={id}; Path=/; Max-Age={seconds}; SameSite={}",
        cookie.name,
        cookie.same_site.name()
    );
    if let Some(domain) = &cookie.domain {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    if cookie.secure {
        text.push_str("; Secure");
    }
    if cookie.http_only {
        text.push_str("; HttpOnly");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> Cookie {
        serde_json::from_str(r#"{"name":"mid","domain":"example.com","days":2,"same_site":"none"}"#)
            .unwrap()
    }

    #[test]
    fn an_id_is_found_among_others_and_nothing_else_is_taken_for_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(id(&headers, &cookie()), None);
        headers.append("cookie", "a=b; xmid=no; mid=0190-ab; mid=second".parse().unwrap());
        assert_eq!(id(&headers, &cookie()), Some("0190-ab"));
        for wrong in ["mid=", "mid=<script>", "mid=a b"] {
            let mut headers = HeaderMap::new();
            headers.append("cookie", wrong.parse().unwrap());
            assert_eq!(id(&headers, &cookie()), None, "{wrong}");
        }
    }

    #[test]
    fn a_cookie_says_how_it_is_kept() {
        assert_eq!(
            set(&cookie(), "x"),
            "mid=x; Path=/; Max-Age=172800; SameSite=None; Domain=example.com; Secure; HttpOnly"
        );
    }
}
