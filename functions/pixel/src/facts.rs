//! What a request says about the visitor: browser, system, device, country,
//! address, and whether it is a crawler.

use std::net::IpAddr;

use http::HeaderMap;
use model::document::Address;
use serde::Serialize;
use serde_json::value::RawValue;
use woothee::parser::Parser;

/// Longest `User-Agent` that is looked at.
const MAX_AGENT: usize = 1024;

/// What is known of a visitor by the request.
#[derive(Debug, Serialize)]
struct Facts<'a> {
    bot: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<&'a str>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    browser: Named<'a>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    os: Named<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Device<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
}

impl Named<'_> {
    fn is_empty(&self) -> bool {
        self.name.is_empty()
    }
}

#[derive(Debug, Serialize)]
struct Device<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    brand: &'a str,
}

/// What a request says of whoever sent it.
#[derive(Debug)]
pub struct Visitor<'a> {
    /// `User-Agent`.
    pub agent: Option<&'a str>,
    /// Whether that is a crawler's.
    pub bot: bool,
    /// What is written as `request`.
    pub facts: Box<RawValue>,
    country: Option<&'a str>,
    referrer: Option<&'a str>,
}

impl<'a> Visitor<'a> {
    /// What these headers say.
    ///
    /// # Errors
    /// Never: everything is text.
    pub fn of(headers: &'a HeaderMap) -> serde_json::Result<Self> {
        let agent = text(headers, "user-agent");
        let (country, referrer) = (country(headers), text(headers, "referer"));
        let (bot, facts) = facts(agent.unwrap_or_default(), country, referrer)?;
        Ok(Self { agent, bot, facts, country, referrer })
    }

    /// The same for an event that speaks for somebody else: what it names as the
    /// visitor's agent counts, and the country is not that of one who is elsewhere.
    ///
    /// # Errors
    /// Never: everything is text.
    pub fn facts_of(
        &self,
        agent: Option<&str>,
        is_elsewhere: bool,
    ) -> serde_json::Result<(bool, Box<RawValue>)> {
        let agent = agent.filter(|agent| !agent.is_empty()).or(self.agent);
        if agent == self.agent && !is_elsewhere {
            return Ok((self.bot, self.facts.clone()));
        }
        let country = self.country.filter(|_| !is_elsewhere);
        facts(agent.unwrap_or_default(), country, self.referrer)
    }
}

/// Whether a `User-Agent` is a crawler's, and what is written as `request`.
fn facts(
    agent: &str,
    country: Option<&str>,
    referrer: Option<&str>,
) -> serde_json::Result<(bool, Box<RawValue>)> {
    let agent = &agent[..agent.floor_char_boundary(MAX_AGENT)];
    let parsed = Parser::new().parse(agent).unwrap_or_default();
    let bot = parsed.category == "crawler" || is_a_program(agent);
    let facts = Facts {
        bot,
        country,
        referrer,
        browser: Named { name: known(parsed.name), version: known(parsed.version) },
        os: Named { name: known(parsed.os), version: known(&parsed.os_version) },
        device: device(agent, parsed.category),
    };
    Ok((bot, serde_json::value::to_raw_value(&facts)?))
}

fn known(word: &str) -> &str {
    if word == "UNKNOWN" { "" } else { word }
}

/// Programs that do not hide what they are, and that the dataset of browsers does
/// not know.
fn is_a_program(agent: &str) -> bool {
    const WORDS: &[&str] = &["bot", "crawl", "spider", "headless", "preview", "monitor"];
    let agent = agent.to_ascii_lowercase();
    WORDS.iter().any(|word| agent.contains(word))
}

fn device(agent: &str, category: &str) -> Option<Device<'static>> {
    let kind = match category {
        "pc" => "desktop",
        _ if agent.contains("iPad") || agent.contains("Tablet") => "tablet",
        // An Android that is no phone does not say so.
        "smartphone" if agent.contains("Android") && !agent.contains("Mobile") => "tablet",
        "smartphone" | "mobilephone" => "mobile",
        "appliance" => "console",
        _ => return None,
    };
    let brands = [
        ("iPhone", "Apple"),
        ("iPad", "Apple"),
        ("Macintosh", "Apple"),
        ("SM-", "Samsung"),
        ("Pixel", "Google"),
    ];
    let brand = brands.iter().find(|(word, _)| agent.contains(word)).map_or("", |(_, brand)| brand);
    Some(Device { kind, brand })
}

/// The country, as the edge in front of us says: CloudFront, or others' headers.
fn country(headers: &HeaderMap) -> Option<&str> {
    let names = ["cloudfront-viewer-country", "cf-ipcountry", "x-vercel-ip-country"];
    let code = names.iter().find_map(|name| text(headers, name))?;
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}

/// A header that is text.
#[must_use]
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// Whether the browser asks not to be tracked: Do-Not-Track or Global Privacy
/// Control (<https://w3c.github.io/gpc/>).
#[must_use]
pub fn wants_no_tracking(headers: &HeaderMap) -> bool {
    ["dnt", "sec-gpc"].iter().any(|name| text(headers, name) == Some("1"))
}

/// An address, as far as the policy keeps it.
#[must_use]
pub fn address(policy: Address, source: &str) -> Option<String> {
    let address: IpAddr = source.parse().ok()?;
    let address = match address {
        // IPv4 in the clothes of IPv6.
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    match (policy, address) {
        (Address::Drop, _) => None,
        (Address::Keep, address) => Some(address.to_string()),
        (Address::Truncate, IpAddr::V4(four)) => {
            let [a, b, c, _] = four.octets();
            Some(std::net::Ipv4Addr::new(a, b, c, 0).to_string())
        }
        (Address::Truncate, IpAddr::V6(six)) => {
            let [a, b, c, ..] = six.segments();
            Some(std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::Value;

    fn facts(agent: &str) -> (bool, Value) {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", agent.parse().unwrap());
        headers.insert("cloudfront-viewer-country", "DE".parse().unwrap());
        headers.insert("referer", "https://example.com/".parse().unwrap());
        let visitor = Visitor::of(&headers).unwrap();
        (visitor.bot, serde_json::from_str(visitor.facts.get()).unwrap())
    }

    #[test]
    fn browsers_systems_and_devices_are_told_apart() {
        let (bot, facts) = facts(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/17.0 Mobile/15E148 Safari/604.1",
        );
        assert!(!bot);
        assert_eq!(
            (&facts["browser"]["name"], &facts["os"]["name"]),
            (&"Safari".into(), &"iPhone".into())
        );
        assert_eq!(
            (&facts["device"]["type"], &facts["device"]["brand"]),
            (&"mobile".into(), &"Apple".into())
        );
        assert_eq!(
            (&facts["country"], &facts["referrer"]),
            (&"DE".into(), &"https://example.com/".into())
        );
        let (_, facts) = self::facts(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        );
        assert_eq!(
            (&facts["browser"]["name"], &facts["device"]["type"]),
            (&"Chrome".into(), &"desktop".into())
        );
        assert_eq!(facts["browser"]["version"], "131.0.0.0");
    }

    /// The dataset is older than these: it tells them by the forms that they kept.
    #[rstest]
    #[case(
        "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.51",
        "Edge 131.0.2903.51",
        "Windows 10",
        "desktop"
    )]
    #[case(
        "(Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
        "Chrome 131.0.0.0",
        "Android",
        "mobile"
    )]
    #[case(
        "(Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Chrome 131.0.0.0",
        "Android",
        "tablet"
    )]
    #[case(
        "(Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
        "SamsungBrowser 27.0",
        "Android",
        "mobile"
    )]
    #[case(
        "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
        "Safari 18.1",
        "Mac OSX",
        "desktop"
    )]
    #[case(
        "(iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
        "Chrome 131.0.6778.73",
        "iPhone",
        "mobile"
    )]
    #[case(
        "(iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        "Safari 17.5",
        "iPad",
        "tablet"
    )]
    #[case(
        "(X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "Firefox 133.0",
        "Linux",
        "desktop"
    )]
    #[case(
        "(X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Chrome 131.0.0.0",
        "ChromeOS",
        "desktop"
    )]
    #[case(
        "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36 OPR/115.0.0.0",
        "Opera 115.0.0.0",
        "Windows 10",
        "desktop"
    )]
    fn browsers_of_today_are_told(
        #[case] agent: &str,
        #[case] browser: &str,
        #[case] os: &str,
        #[case] device: &str,
    ) {
        let (bot, facts) = facts(&format!("Mozilla/5.0 {agent}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name =
            format!("{} {}", text(&facts["browser"]["name"]), text(&facts["browser"]["version"]));
        let found = (name, text(&facts["os"]["name"]), text(&facts["device"]["type"]));
        assert_eq!(found, (browser.to_owned(), os.to_owned(), device.to_owned()));
        assert!(!bot);
    }

    #[test]
    fn crawlers_are_flagged() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36",
        ] {
            assert!(facts(agent).0, "{agent}");
        }
        let (bot, facts) = facts("nothing that anybody knows");
        assert!(!bot && facts.get("browser").is_none() && facts.get("device").is_none(), "{facts}");
    }

    #[test]
    fn addresses_are_kept_as_the_policy_says() {
        assert_eq!(address(Address::Keep, "203.0.113.7").as_deref(), Some("203.0.113.7"));
        assert_eq!(address(Address::Truncate, "203.0.113.7").as_deref(), Some("203.0.113.0"));
        assert_eq!(
            address(Address::Truncate, "::ffff:203.0.113.7").as_deref(),
            Some("203.0.113.0")
        );
        assert_eq!(address(Address::Truncate, "2001:db8:1:2::7").as_deref(), Some("2001:db8:1::"));
        assert_eq!(address(Address::Drop, "203.0.113.7"), None);
        assert_eq!(address(Address::Keep, "unknown"), None);
    }

    #[test]
    fn a_wish_not_to_be_tracked_is_heard() {
        let mut headers = HeaderMap::new();
        assert!(!wants_no_tracking(&headers));
        headers.insert("dnt", "0".parse().unwrap());
        assert!(!wants_no_tracking(&headers));
        headers.insert("sec-gpc", "1".parse().unwrap());
        assert!(wants_no_tracking(&headers));
    }
}
